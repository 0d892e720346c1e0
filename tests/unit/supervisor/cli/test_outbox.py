"""orpheus outbox."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus.shared.outbox.table import create_table

Orpheus = Callable[..., Any]


def test_the_table_of_a_database_is_printed(orpheus: Orpheus) -> None:
    code, out, _ = orpheus("outbox", "schema", "sqlite", "--table", "jobs")
    assert code == 0
    database = apsw.Connection(":memory:")
    database.execute(out)
    database.execute("INSERT INTO jobs (type) VALUES ('x')")
    assert database.execute("SELECT id, payload FROM jobs").fetchall() == [(1, "{}")]


SHOPS = """
outboxes = [
    {name = "shop", url = "sqlite:///shop.db", table = "shop_jobs"},
    {name = "mail", url = "postgresql://mail.example/mail", table = "mail.jobs"},
]
"""


@pytest.mark.parametrize(
    ("database", "options", "table"),
    [
        ("sqlite", ["--config", "own.toml"], "shop_jobs"),
        ("postgresql", ["--config", "own.toml"], "mail.jobs"),
        ("sqlite", ["--config", "own.toml", "--table", "other"], "other"),
        ("sqlite", ["--set", "outboxes=[]"], "orpheus_outbox"),
        ("sqlite", [], "orpheus_outbox"),
    ],
)
def test_the_table_has_the_name_that_the_configuration_gives_it(
    orpheus: Orpheus, tmp_path: Path, database: str, options: list[str], table: str
) -> None:
    (tmp_path / "own.toml").write_text(SHOPS)
    code, out, err = orpheus("outbox", "schema", database, *options)
    assert (code, out, err) == (0, create_table(database, table), "")
    answer = orpheus("outbox", "schema", database, "--json", *options)
    assert answer.json == {"database": database, "table": table, "sql": out}


def test_outboxes_with_the_same_table_leave_no_choice_and_others_do(
    orpheus: Orpheus, tmp_path: Path
) -> None:
    second = '{name = "crm", url = "sqlite:///crm.db", table = "TABLE"},\n]'
    for table, expected in (("shop_jobs", 0), ("crm_jobs", 2)):
        text = SHOPS.replace("]", second.replace("TABLE", table))
        (tmp_path / "own.toml").write_text(text)
        code, _, err = orpheus("outbox", "schema", "sqlite", "--config", "own.toml")
        assert code == expected
    assert "choose --table: shop_jobs (shop), crm_jobs (crm)" in err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["schema"], "Missing argument"),
        (["schema", "mysql"], "'mysql' is not one of 'sqlite', 'postgresql'"),
        (["schema", "sqlite", "--table", "a b"], "--table: 'a b' must be the name of a table"),
    ],
)
def test_what_is_no_table_or_database_is_refused(
    orpheus: Orpheus, words: list[str], reason: str
) -> None:
    code, out, err = orpheus("outbox", *words)
    assert (code, out) == (2, "")
    assert reason in err
