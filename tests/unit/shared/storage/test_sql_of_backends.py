"""The backends have the same queries, with the same parameters: the verbs know no backend."""

import re
from pathlib import Path

import pytest

from orpheus.shared.storage.postgres.sql import sql_file as postgres_file
from orpheus.shared.storage.sqlite.sql import sql_file as sqlite_file

FOLDERS = [Path(f"shared/storage/{backend}/sql") for backend in ("sqlite", "postgres")]
OF_THE_ENGINE = ("last-token", "take-tokens", "touch", "lock-dependents", "i16-rows-of-jobs")
"""What each backend has of its own; only SQLite has foreign keys, which i16 checks elsewhere."""
OF_MANY_HOSTS = {"leader.sql"}
"""Files that a database of one host does not need."""
ROOT = Path(__file__).parents[4]
SHARED = {path.name for path in (ROOT / "shared/storage/sql").glob("*.sql")}
OWN = [{path.name for path in (ROOT / folder).glob("*.sql")} for folder in FOLDERS]
FILES = sorted((SHARED | OWN[0]) - {"parts.sql"})


def parameters_of(sql: str) -> tuple[set[str], int]:
    """Return the names, and the highest number."""
    code = re.sub(r"--[^\n]*|'(?:[^']|'')*'|::", " ", sql)
    highest = 0
    for number in re.findall(r"\?(\d*)", code):
        highest = max(highest, int(number) if number else highest + 1)
    return {*re.findall(r":([a-z_]+)", code)}, highest


def test_both_have_the_same_files() -> None:
    assert (SHARED | OWN[1]) - OF_MANY_HOSTS == SHARED | OWN[0]


@pytest.mark.parametrize("file", FILES)
def test_both_have_the_same_queries_with_the_same_parameters(file: str) -> None:
    queries = [
        {name: parameters_of(text[name]) for name in text if name not in OF_THE_ENGINE}
        for text in (sqlite_file(file), postgres_file(file))
    ]
    assert queries[0] == queries[1]
