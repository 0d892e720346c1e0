"""Ids of jobs go on in one history of a database, and jump in another one."""

import contextlib
from collections.abc import Iterator

import psycopg
import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store, open_store
from tests.contract.conftest import Opener

pytestmark = pytest.mark.backends("postgresql")


@contextlib.contextmanager
def clone_of(admin: psycopg.Connection, postgresql_url: str) -> Iterator[str]:
    """A copy of the database, as it would be made of a dump."""
    server, _, name = postgresql_url.rpartition("/")
    other = f"{server}/postgres"
    admin.close()
    with psycopg.connect(other, autocommit=True) as maker:
        maker.execute(f"CREATE DATABASE clone TEMPLATE {name}".encode())
        yield f"{server}/clone"
        maker.execute(b"DROP DATABASE clone WITH (FORCE)")


def submitted(store: Store) -> int:
    return store.jobs.submit(NewJob("noop")).job.id


def test_a_copy_of_the_database_gives_no_id_that_the_original_gives(
    another: Opener, admin: psycopg.Connection, postgresql_url: str, tmp_path: object
) -> None:
    original = another()
    assert submitted(original) == 1
    original.close()
    with clone_of(admin, postgresql_url) as url:
        copy = open_store(url, create=True, state_dir=f"{tmp_path}/copy")
        assert [submitted(copy), submitted(copy)] == [10_000_000_002, 10_000_000_003]
        copy.close()
        again = another()
        assert submitted(again) == 2
        again.close()


def test_a_transaction_that_has_jumped_and_stays_open_holds_nobody_up(
    store: Store, another: Opener, admin: psycopg.Connection
) -> None:
    submitted(store)
    other = another()
    admin.execute(b"UPDATE orpheus.history SET epoch = 'another'")
    with store.write(durable=True):
        first = submitted(store)
        assert submitted(other) == first + 1
