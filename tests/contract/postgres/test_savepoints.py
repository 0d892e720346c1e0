"""A transaction with many savepoints slows all others down: none of ours has more than 64."""

import contextlib
from collections.abc import Iterator

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.storage import BulkAction, Store
from orpheus.shared.storage.postgres.database import PostgresDatabase
from tests.contract.conftest import Submit

pytestmark = pytest.mark.backends("postgresql")

KEPT_AT_HAND = 64
"""PGPROC_MAX_CACHED_SUBXIDS of the server."""


def test_a_bulk_action_has_few_in_each_transaction(
    store: Store, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    savepoints: list[int] = []
    savepoint, write = PostgresDatabase.savepoint, PostgresDatabase.write

    @contextlib.contextmanager
    def counted(database: PostgresDatabase) -> Iterator[None]:
        savepoints[-1] += 1
        with savepoint(database):
            yield

    @contextlib.contextmanager
    def begun(database: PostgresDatabase, *, durable: bool) -> Iterator[None]:
        if not database._connection.in_transaction:
            savepoints.append(0)
        with write(database, durable=durable):
            yield

    for _ in range(2 * KEPT_AT_HAND + 1):
        submit()
    monkeypatch.setattr(PostgresDatabase, "savepoint", counted)
    monkeypatch.setattr(PostgresDatabase, "write", begun)
    assert store.bulk.change(BulkAction.CANCEL, JobFilter(), by="me") == 2 * KEPT_AT_HAND + 1
    assert [n for n in savepoints if n] == [KEPT_AT_HAND, KEPT_AT_HAND, 1]
