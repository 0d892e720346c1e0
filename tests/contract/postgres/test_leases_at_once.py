"""Several workers lease at once: none comes back without a job while others are due."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.storage import Store
from tests.contract.conftest import TTL_MS, Opener

pytestmark = pytest.mark.backends("postgresql")
WORKERS, LEASES, AT_ONCE = 8, 25, 10


@pytest.fixture
def leased_at_once(store: Store, another: Opener) -> "LeasedAtOnce":
    return LeasedAtOnce(store, another)


class LeasedAtOnce:
    """Workers that lease from a backlog of which much is left in the end."""

    def __init__(self, store: Store, another: Opener) -> None:
        self._store = store
        self._another = another

    def __call__(self, *queues: str) -> list[int]:
        """How many jobs each lease has given."""
        backlog = 2 * WORKERS * LEASES * AT_ONCE
        self._store.jobs.submit_many(
            [NewJob("noop", queue=f"open-{n % 3}") for n in range(backlog)]
        )
        begin = Barrier(WORKERS)

        def lease(number: int) -> list[list[int]]:
            store, holder = self._another(), Holder(f"default-{number}", f"life-{number}", number)
            begin.wait()
            return [
                [one.job_id for one in store.leases.lease(holder, queues, AT_ONCE, TTL_MS)]
                for _ in range(LEASES)
            ]

        with ThreadPoolExecutor(WORKERS) as threads:
            leases = [one for many in threads.map(lease, range(WORKERS)) for one in many]
        ids = [job_id for lease in leases for job_id in lease]
        assert len(set(ids)) == len(ids)
        return [len(lease) for lease in leases]


@pytest.mark.parametrize("most_paused", [0, 100, 2_000])
@pytest.mark.parametrize("queues", [("*",), ("closed", "open-0", "open-1", "open-2")], ids=str)
def test_no_worker_gets_nothing_because_a_queue_is_paused(
    store: Store, leased_at_once: LeasedAtOnce, most_paused: int, queues: tuple[str, ...]
) -> None:
    paused = [NewJob("noop", queue="closed", priority=n % 2) for n in range(most_paused)]
    store.jobs.submit_many(paused)
    store.queues.pause("closed")
    assert 0 not in leased_at_once(*queues)


def test_no_worker_gets_nothing_because_a_queue_is_full(
    store: Store, leased_at_once: LeasedAtOnce, holder: Holder
) -> None:
    store.jobs.submit_many([NewJob("noop", queue="full") for _ in range(100)])
    store.queues.configure({"full": QueueRules(max_running=1)})
    assert len(store.leases.lease(holder, ("full",), 1, TTL_MS)) == 1
    assert 0 not in leased_at_once("*")


def test_a_worker_is_told_that_others_have_locked_all_that_is_due(
    store: Store, another: Opener, holder: Holder
) -> None:
    def lease(store: Store, *queues: str) -> tuple[int, bool]:
        found = store.leases.lease(holder, queues, 2, TTL_MS)
        return len(found), store.leases.was_contended

    other = another()
    assert lease(store, "*") == (0, False)
    for queues, closed in ((["*"], False), (["*"], True), (["open"], True)):
        store.jobs.submit_many([NewJob("noop", queue="open")] * 2)
        if closed:
            store.queues.pause("closed")
        with other.write(durable=False):
            assert lease(other, *queues) == (2, False)
            assert lease(store, *queues) == (0, True)
        assert lease(store, *queues) == (0, False)
