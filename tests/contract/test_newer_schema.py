"""A newer Orpheus has changed the schema while an older one has the database open."""

import operator
import time

import apsw
import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.storage import Store, database_path
from tests.sqlite_handle import handle_of

pytestmark = pytest.mark.backends("sqlite")  # PostgreSQL: tests/contract/postgres/test_opening.py.


@pytest.mark.parametrize("what", ["jobs.submit", "writable", "stats.counts"])
def test_a_newer_schema_is_refused_by_who_has_had_it_open(
    store: Store, url: str, what: str
) -> None:
    newer = apsw.Connection(str(database_path(url)))
    newer.execute("PRAGMA user_version = 999")
    handle_of(store)._look_at_s = 0.0  # a second later
    given = (NewJob("noop"),) if what == "jobs.submit" else ()
    for _ in range(2):
        with pytest.raises(DatabaseUnusable, match=r"schema 999, newer than .*: update Orpheus"):
            operator.attrgetter(what)(store)(*given)
    newer.close()


def test_a_newer_schema_is_refused_by_who_waited_until_it_was_there(store: Store, url: str) -> None:
    newer = apsw.Connection(str(database_path(url)))
    newer.execute("BEGIN IMMEDIATE; PRAGMA user_version = 999")

    def commit(_tries: int) -> bool:
        handle_of(store)._look_at_s = 0.0  # it has waited for over a second
        newer.execute("COMMIT")
        return True

    handle_of(store).turns._wait = commit  # type: ignore[method-assign,assignment]
    with pytest.raises(DatabaseUnusable, match="schema 999, newer than"):
        store.jobs.submit(NewJob("noop"))
    assert newer.execute("SELECT 1 FROM jobs").fetchall() == []
    newer.close()


def test_the_schema_is_looked_at_once_a_second_at_most(store: Store) -> None:
    looks: list[str] = []

    def note(_: object, sql: str, __: object) -> bool:
        looks.extend([sql] if "user_version" in sql else [])
        return True

    with handle_of(store) as connection:
        connection.exec_trace = note
    began_s = time.monotonic()
    for _ in range(100):
        store.jobs.submit(NewJob("noop"))
    assert len(looks) <= time.monotonic() - began_s + 1
