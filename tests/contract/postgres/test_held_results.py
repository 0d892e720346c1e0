"""How jobs ended is stored, but for what needs what another transaction holds."""

import threading

import psycopg
import pytest

from orpheus.shared.domain.jobs import Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, open_store_in
from tests.contract.conftest import TTL_MS, FakeClock, LeaseSome, Opener, Submit
from tests.machine import PATIENCE_S

pytestmark = pytest.mark.backends("postgresql")


@pytest.fixture
def leases(submit: Submit, lease: LeaseSome) -> list[Lease]:
    """Those of three jobs."""
    for _ in range(3):
        submit()
    return lease(3)


def ends(leases: list[Lease]) -> list[Finished]:
    """Each has a child, with a key of its own."""
    return [
        Finished(one, Ending.SUCCEEDED, "null", children=(NewJob("child", unique_key=f"key {n}"),))
        for n, one in enumerate(leases)
    ]


def test_only_who_needs_a_held_key_is_held_up(
    store: Store, leases: list[Lease], application: psycopg.Connection
) -> None:
    inside = open_store_in(application, lambda done: done)
    inside.jobs.submit(NewJob("child", unique_key="key 1"))
    lost = Finished(replace_token(leases[0]), Ending.SUCCEEDED, "null")
    held_up: set[int] = set()
    refused = store.leases.finish([*ends(leases), lost], held_up, key_wait_ms=20)
    assert (refused, held_up) == ({lost.lease.token}, {leases[1].token})
    statuses = [store.jobs.status(one.job_id) for one in leases]
    assert statuses == [Status.DONE, Status.IN_PROGRESS, Status.DONE]

    application.rollback()
    held_up = set()
    assert store.leases.finish(ends(leases)[1:2], held_up, key_wait_ms=20) == set()
    assert held_up == set()
    assert store.jobs.status(leases[1].job_id) is Status.DONE
    assert store.maintenance.verify() == []


def test_a_lost_lease_is_told_while_the_key_of_a_child_is_still_held(
    store: Store,
    leases: list[Lease],
    lease: LeaseSome,
    clock: FakeClock,
    application: psycopg.Connection,
) -> None:
    """Its job may run again by now, in the same worker: the old report must not wait."""
    inside = open_store_in(application, lambda done: done)
    for n in range(3):
        inside.jobs.submit(NewJob("child", unique_key=f"key {n}"))
    held_up: set[int] = set()
    assert store.leases.finish(ends(leases), held_up, key_wait_ms=0) == set()
    old = {one.token for one in leases}
    assert held_up == old

    clock.advance(TTL_MS + 1)
    assert len(store.leases.reclaim_expired()) == 3
    clock.advance(600_000)
    again = lease(3)
    assert {one.job_id for one in again} == {one.job_id for one in leases}
    held_up = set()
    assert store.leases.finish([*ends(leases), *ends(again)], held_up, key_wait_ms=0) == old
    assert held_up == {one.token for one in again}


def replace_token(lease: Lease) -> Lease:
    """A lease that was lost long ago."""
    return lease._replace(token=lease.token + 99)


def test_a_key_that_is_held_for_a_moment_is_waited_for(
    store: Store, leases: list[Lease], another: Opener
) -> None:
    other, is_held = another(), threading.Event()

    def submit() -> None:
        with other.write(durable=False):
            other.jobs.submit(NewJob("child", unique_key="key 1"))
            is_held.set()
            threading.Event().wait(0.2)

    thread = threading.Thread(target=submit)
    thread.start()
    assert is_held.wait(PATIENCE_S)
    held_up: set[int] = set()
    assert store.leases.finish(ends(leases), held_up, key_wait_ms=60_000) == set()
    thread.join()
    assert held_up == set()


def test_other_statements_of_the_transaction_wait_as_long_as_before(
    store: Store, leases: list[Lease], application: psycopg.Connection
) -> None:
    open_store_in(application, lambda done: done).jobs.submit(NewJob("child", unique_key="key 1"))
    with store.write(durable=False):
        before = store._database.value("SHOW lock_timeout")
        store.leases.finish(ends(leases), set(), key_wait_ms=20)
        assert store._database.value("SHOW lock_timeout") == before


def test_a_job_that_another_transaction_has_locked_holds_up_no_other(
    store: Store, leases: list[Lease], clock: FakeClock, application: psycopg.Connection
) -> None:
    application.execute("SELECT FROM orpheus.jobs WHERE id = %s FOR UPDATE", (leases[1].job_id,))
    tokens = {one.job_id: one.token for one in leases}
    clock.advance(TTL_MS - 1)
    assert store.leases.renew(tokens, TTL_MS) == set(), "it is not lost"
    clock.advance(TTL_MS - 1)
    held_up: set[int] = set()
    refused = store.leases.finish(ends(leases), held_up, key_wait_ms=20)
    assert (refused, held_up) == ({leases[1].token}, set()), "it could not be renewed"
    assert store.jobs.status(leases[0].job_id) is Status.DONE


def test_the_end_of_a_locked_job_is_held_up(
    store: Store, leases: list[Lease], application: psycopg.Connection
) -> None:
    application.execute("SELECT FROM orpheus.jobs WHERE id = %s FOR UPDATE", (leases[1].job_id,))
    held_up: set[int] = set()
    assert store.leases.finish(ends(leases), held_up, key_wait_ms=20) == set()
    assert held_up == {leases[1].token}
    application.rollback()
    assert store.leases.finish(ends(leases)[1:2], set(), key_wait_ms=20) == set()
