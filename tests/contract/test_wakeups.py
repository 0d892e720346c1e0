"""A commit rings whom it concerns, after it is visible, and nobody when it was undone."""

import contextlib

import pytest

from orpheus.shared.domain.jobs import Holder, JobError, Lease, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.storage import Store


def test_a_new_job_rings_the_pools_that_serve_its_queue_and_the_api(store: Store) -> None:
    bells = {name: store.bells.listen_pool(name) for name in ("default", "mail")}
    api = store.bells.listen_api()
    store.jobs.submit(NewJob("noop", queue="reports"))
    assert {name: bell.drain() for name, bell in bells.items()} == {"default": True, "mail": False}
    assert api.drain()
    store.jobs.submit(NewJob("noop", queue="mail"))
    assert all(bell.drain() for bell in bells.values())
    for bell in (*bells.values(), api):
        bell.close()


def test_a_delayed_job_rings_too_so_that_sleepers_learn_its_time(store: Store) -> None:
    bell = store.bells.listen_pool("default")
    store.jobs.submit(NewJob("noop", delay_ms=60_000))
    assert bell.drain()
    bell.close()


def test_nobody_is_woken_before_the_commit_or_by_an_undone_one(store: Store) -> None:
    bell = store.bells.listen_pool("default")
    with store.write(durable=True):
        store.jobs.submit(NewJob("noop"))
        assert not bell.drain()
    assert bell.drain()
    with contextlib.suppress(RuntimeError), store.write(durable=True):
        store.jobs.submit(NewJob("noop"))
        raise RuntimeError
    assert not bell.drain()
    bell.close()


def test_a_released_lease_rings_for_the_next_worker(store: Store, holder: Holder) -> None:
    bell = store.bells.listen_pool("default")
    store.jobs.submit(NewJob("noop"))
    bell.drain()
    leases = store.leases.lease(holder, ("*",), 1, 30_000)
    assert not bell.drain()
    store.leases.release(leases)
    assert bell.drain()
    bell.close()


def lease_one_of_three(store: Store, holder: Holder, max_running: int) -> Lease:
    """Of a queue with so much room; everybody has heard of it."""
    store.queues.configure({"narrow": QueueRules(max_running=max_running)})
    store.jobs.submit_many([NewJob("noop", queue="narrow", max_retries=0)] * 3)
    [lease] = store.leases.lease(holder, ("*",), 1, 30_000)
    return lease


@pytest.mark.parametrize(
    "ending", [Ending.SUCCEEDED, Ending.FAILED, Ending.FAILED_PERMANENTLY, Ending.CANCELLED]
)
def test_room_that_comes_free_rings_for_whoever_may_take_it(
    store: Store, holder: Holder, ending: Ending
) -> None:
    lease = lease_one_of_three(store, holder, max_running=1)
    with contextlib.closing(store.bells.listen_pool("default")) as bell:
        bell.drain()
        store.leases.finish([Finished(lease, ending, "null", JobError("Error", "why"))])
        assert bell.drain()


def test_the_end_of_a_job_rings_for_nobody_where_there_is_no_limit_or_no_work(
    store: Store, holder: Holder
) -> None:
    store.queues.configure({"narrow": QueueRules(max_running=1)})
    store.jobs.submit_many([NewJob("noop", queue="narrow"), *[NewJob("noop", queue="wide")] * 2])
    leases = store.leases.lease(holder, ("*",), 2, 30_000)
    assert {lease.queue for lease in leases} == {"narrow", "wide"}
    with contextlib.closing(store.bells.listen_pool("default")) as bell:
        bell.drain()
        store.leases.finish([Finished(lease, Ending.SUCCEEDED, "null") for lease in leases])
        assert not bell.drain()


def test_room_that_comes_free_rings_every_pool_that_serves_the_queue(
    store: Store, holder: Holder
) -> None:
    store.queues.configure({"mail": QueueRules(max_running=1)})
    store.jobs.submit_many([NewJob("noop", queue="mail")] * 2)
    (lease,) = store.leases.lease(holder, ("*",), 5, 30_000)
    bells = [store.bells.listen_pool(name) for name in ("default", "mail")]
    for bell in bells:
        bell.drain()
    store.leases.finish([Finished(lease, Ending.SUCCEEDED, "null")])
    assert [bell.drain() for bell in bells] == [True, True]
    for bell in bells:
        bell.close()
