"""A newer Orpheus has changed the schema while an older one has the database open."""

import operator

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
