"""What is remembered of a table of an outbox: the rows of one batch, committed with its jobs."""

import contextlib

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import OutboxBatch, OutboxCounts, OutboxTaken, RowId, Store
from tests.contract.conftest import Opener


def in_flight(store: Store, name: str, digest: str = "here") -> list[RowId]:
    return store.outboxes.last_batch(name, digest).ids


def test_the_rows_of_the_last_batch_are_remembered_until_they_are_forgotten(
    store: Store, another: Opener
) -> None:
    assert store.outboxes.remember("shop", "here", 0, [1, 2**62, 3], refused=2) == 1
    store.outboxes.remember("bank", "here", 0, ['a"b', "é"], refused=0)
    assert store.outboxes.remember("shop", "here", 1, [9, 10], refused=1, held=1) == 2
    assert another().outboxes.last_batch("shop", "here") == OutboxBatch(2, [9, 10])
    assert in_flight(store, "bank") == ['a"b', "é"]
    store.outboxes.forget("shop", "here", 2)
    assert store.outboxes.last_batch("shop", "here") == OutboxBatch(2, [])
    assert in_flight(store, "bank") == ['a"b', "é"]
    assert store.outboxes.counts() == {"bank": OutboxCounts(2, 0, 0), "shop": OutboxCounts(4, 1, 3)}


def test_who_has_not_seen_the_last_batch_stores_none_and_forgets_none(store: Store) -> None:
    store.outboxes.remember("shop", "here", 0, [1], refused=0)
    store.outboxes.remember("shop", "here", 1, [2], refused=0)
    for behind in (0, 1, 3):
        with pytest.raises(OutboxTaken):
            store.outboxes.remember("shop", "here", behind, [3], refused=1)
        with pytest.raises(OutboxTaken):
            store.outboxes.forget("shop", "here", behind)
    assert store.outboxes.last_batch("shop", "here") == OutboxBatch(2, [2])
    assert store.outboxes.counts() == {"shop": OutboxCounts(2, 0, 0)}


def test_what_is_remembered_belongs_to_the_table_of_the_rows(store: Store) -> None:
    store.outboxes.remember("shop", "here", 0, [1, 2], refused=1)
    assert store.outboxes.last_batch("shop", "there") == OutboxBatch(0, [])
    store.outboxes.remember("shop", "there", 0, [1], refused=0)
    store.outboxes.forget("shop", "there", 1)
    assert in_flight(store, "shop", "there") == []
    assert in_flight(store, "shop") == [1, 2]
    assert store.outboxes.counts() == {"shop": OutboxCounts(3, 0, 1)}


def test_rows_are_remembered_with_their_jobs_or_not_at_all(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError), store.write(durable=True):
        store.jobs.submit_many([NewJob("x")])
        store.outboxes.remember("shop", "here", 0, [1], refused=0)
        raise ZeroDivisionError
    assert in_flight(store, "shop") == []
    assert store.jobs.page(JobFilter(), 10) == []
