"""The table of an outbox: its name is checked, and its SQL makes what the drainer reads."""

import apsw
import pytest

from orpheus.shared.outbox.table import create_table, quoted


@pytest.mark.parametrize(
    ("table", "in_sql"),
    [("orpheus_outbox", '"orpheus_outbox"'), ("Shop._jobs2", '"Shop"."_jobs2"')],
)
def test_a_name_is_quoted(table: str, in_sql: str) -> None:
    assert quoted(table) == in_sql


@pytest.mark.parametrize(
    "table", ["", "a b", 'a"b', "a;b", "1a", "a.b.c", ".a", "a.", "ä", "a" * 64, "a\n"]
)
def test_what_is_no_name_is_refused(table: str) -> None:
    with pytest.raises(ValueError, match="must be the name of a table"):
        quoted(table)


@pytest.mark.parametrize("table", ["orpheus_outbox", "jobs"])
def test_sqlite_makes_the_table_and_looks_for_rows_in_the_index_of_those_that_wait(
    table: str,
) -> None:
    database = apsw.Connection(":memory:")
    database.execute(create_table("sqlite", table))
    query = f"SELECT type FROM {table} WHERE refused_at IS NULL ORDER BY id LIMIT 500"
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()]
    assert plan == [f"SCAN {table} USING INDEX {table}_waiting"]


def test_an_id_is_never_used_again_in_sqlite() -> None:
    database = apsw.Connection(":memory:")
    database.execute(create_table("sqlite"))
    ids = []
    for _ in range(2):
        database.execute("INSERT INTO orpheus_outbox (type) VALUES ('x')")
        ids.append(database.last_insert_rowid())
        database.execute("DELETE FROM orpheus_outbox")
    assert ids == [1, 2]


def test_a_schema_names_the_table_but_not_its_index() -> None:
    sql = create_table("postgresql", "shop.jobs")
    assert 'CREATE TABLE "shop"."jobs" (' in sql
    assert 'CREATE INDEX "jobs_waiting" ON "shop"."jobs" (id)' in sql
