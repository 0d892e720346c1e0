"""What the named queries promise as text, and what SQLite makes of the hot ones."""

import re

import apsw
import pytest

from orpheus.shared.storage import database_path, open_store
from orpheus.shared.storage.sqlite.sql import sql_file

pytestmark = pytest.mark.backends("sqlite")  # It is about SQLite's bytecode.

FILES = ("jobs.sql", "leases.sql", "dependencies.sql", "retention.sql", "schedules.sql")
CHANGES_STATUS = {
    f"{file}:{name}": text
    for file in FILES
    for name, text in sql_file(file)._texts.items()
    if "status = " in "".join(re.findall(r"UPDATE jobs SET(.*?)\bWHERE", text, re.DOTALL))
}
OF_EACH_BATCH = {
    "leases.sql": (
        "something-leasable", "next-due", "due-of-all", "due-of-one", "due-job", "heads-of-all",
        "head-of-one", "head-of-next", "last-token", "take-tokens", "lease-job",
        "held-lease", "complete-job",
    ),
    "queues.sql": ("restricted", "running", "limits-running", "has-room-and-work"),
    "counts.sql": ("change-count", "add-type-total"),
    "jobs.sql": ("insert-job",),
}  # fmt: skip


def test_updates_that_change_a_status_are_found() -> None:
    assert {"leases.sql:complete-job", "jobs.sql:retry-job"} <= CHANGES_STATUS.keys()


@pytest.mark.parametrize("query", CHANGES_STATUS)
def test_an_update_of_a_status_names_the_state_that_it_leaves(query: str) -> None:
    condition = CHANGES_STATUS[query].partition("WHERE")[2]
    assert re.search(r"\bstatus (= '|IN \(')", condition)


@pytest.mark.parametrize("query", ["complete-job", "end-lease", "record-attempt"])
def test_what_ends_a_lease_names_its_token(query: str) -> None:
    condition = sql_file("leases.sql")[query].rpartition("WHERE")[2]
    assert "lease_token = ?" in condition


@pytest.fixture
def connection(url: str):
    open_store(url, create=True).close()
    opened = apsw.Connection(str(database_path(url)))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("file", "query"), [(file, query) for file, some in OF_EACH_BATCH.items() for query in some]
)
def test_a_statement_of_each_batch_makes_no_table_of_its_own(
    connection: apsw.Connection, file: str, query: str
) -> None:
    """RETURNING, IN (SELECT …) and IN with three values make one for each execution, of 90 KB."""
    sql = re.sub(r"--.*", "", sql_file(file)[query])
    highest = max([int(n or 0) for n in re.findall(r"\?(\d*)", sql)] or [0])
    values = [1] * (highest or sql.count("?"))
    codes = [row[1] for row in connection.execute(f"EXPLAIN {sql}", values)]
    assert not [code for code in codes if code in ("OpenEphemeral", "SorterOpen", "OpenAutoindex")]
