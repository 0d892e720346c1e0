"""Transactions that change the same rows lock them in one order, so that none deadlocks."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from orpheus.shared.domain.jobs import Holder, Lease, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.rates import QueueRules, Rate
from orpheus.shared.storage import Store
from tests.contract.conftest import TTL_MS, Opener

pytestmark = pytest.mark.backends("postgresql")
ROUNDS = 15
QUEUES = 6


@pytest.fixture
def pair(another: Opener) -> tuple[Store, Store]:
    """Two workers' stores."""
    return another(), another()


def leased(store: Store, number: int, queues: Sequence[str], limit: int = 1) -> list[Lease]:
    """Jobs of these queues, in this order."""
    holder = Holder(f"default-{number}", f"life-{number}", number)
    return [one for queue in queues for one in store.leases.lease(holder, (queue,), limit, TTL_MS)]


def at_once(action: Callable[[Store, int], object], stores: tuple[Store, Store]) -> None:
    """Do it with each store and its number, in two threads that begin together."""
    begin = Barrier(2)

    def act(number: int) -> None:
        begin.wait()
        action(stores[number], number)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(act, range(2)))


@pytest.mark.parametrize("leases_next", [0, 2, 2 * QUEUES])
@pytest.mark.parametrize("by_report", [False, True], ids=["released", "not readable"])
def test_jobs_of_limited_queues_are_given_back_in_any_order(
    pair: tuple[Store, Store], *, by_report: bool, leases_next: int
) -> None:
    store, _ = pair
    queues = [f"q{n}" for n in range(QUEUES)]
    store.queues.configure({one: QueueRules(rate=Rate(1000, 1, 1000)) for one in queues})
    store.jobs.submit_many([NewJob("noop", queue=one) for one in queues] * 4 * ROUNDS)

    def give_back(store: Store, number: int) -> None:
        leases = leased(store, number, queues)[:: (1, -1)[number]]
        unread = [Finished(one, Ending.UNENTERED, versions="other") for one in leases]
        with store.write(durable=by_report):
            if by_report:
                store.leases.finish(unread, set(), key_wait_ms=300)
            else:
                store.leases.release(leases)
            if leases_next:
                leased(store, number, ("*",), limit=leases_next)

    for _ in range(ROUNDS):
        at_once(give_back, pair)


@pytest.mark.parametrize("ending", [Ending.SUCCEEDED, Ending.CANCELLED])
def test_jobs_that_others_wait_for_end_in_any_order(
    pair: tuple[Store, Store], ending: Ending
) -> None:
    store, _ = pair
    leases: dict[int, list[Lease]] = {}

    def finish(store: Store, number: int) -> None:
        store.leases.finish([Finished(one, ending, "null") for one in leases[number]])

    for _ in range(ROUNDS):
        store.jobs.submit_many([NewJob("noop")] * 2 * QUEUES)
        leases |= {number: leased(store, number, ("*",), limit=QUEUES) for number in range(2)}
        waiting = [
            NewJob("noop", depends_on=(one.job_id, other.job_id), queue="waiting")
            for one, other in zip(leases[0], reversed(leases[1]), strict=True)
        ]
        store.jobs.submit_many(waiting)
        at_once(finish, pair)
        rest = leased(store, 0, ("waiting",), limit=QUEUES)
        assert len(rest) == (QUEUES if ending is Ending.SUCCEEDED else 0)
        store.leases.finish([Finished(one, Ending.SUCCEEDED, "null") for one in rest])
    assert store.maintenance.verify() == []
