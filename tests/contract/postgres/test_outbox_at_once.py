"""Batches of an outbox beside other transactions that are open."""

import psycopg
import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import KeyHolder, OutboxBatch, OutboxTaken
from tests.contract.conftest import Opener
from tests.contract.postgres.conftest import begin_and_wait

pytestmark = pytest.mark.backends("postgresql")


@pytest.mark.parametrize("first", [0, 1])
def test_a_batch_waits_for_the_commit_of_the_one_before_and_is_not_stored_then(
    another: Opener, admin: psycopg.Connection, first: int
) -> None:
    killed, following = another(), another()
    if first:
        killed.outboxes.remember("shop", "here", 0, [1], refused=0)
    taken: list[OutboxTaken] = []

    def drain() -> None:
        try:
            following.outboxes.remember("shop", "here", first, [3, 4, 5], refused=0)
        except OutboxTaken as error:
            taken.append(error)

    with killed.write(durable=True):
        killed.outboxes.remember("shop", "here", first, [3, 4], refused=0)
        waits = begin_and_wait(admin, drain)
    waits.join()
    assert len(taken) == 1
    assert following.outboxes.last_batch("shop", "here") == OutboxBatch(first + 1, [3, 4])


def test_keys_that_an_open_transaction_holds_are_told_apart_from_those_of_live_jobs(
    another: Opener,
) -> None:
    store, application = another(), another()
    live = store.jobs.submit(NewJob("t", unique_key="live")).job.id
    jobs = [NewJob("t", unique_key=key) for key in ("held", "live", "free", "held")]
    with application.write(durable=True):
        application.jobs.submit(NewJob("t", unique_key="held"))
        with store.write(durable=True):
            found = store.jobs.key_holders_within([NewJob("t"), *jobs], 10)
            assert found == ({"live": KeyHolder(live, "t")}, frozenset({"held"}))
    with store.write(durable=True):
        holders, contended = store.jobs.key_holders_within(jobs, 10)
        assert (set(holders), contended) == ({"held", "live"}, frozenset())
