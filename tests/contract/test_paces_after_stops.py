"""When a queue is empty is not known after a pause or an outage until it is seen how fast it is."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.crews import Crew, ReadyWorker
from orpheus.shared.domain.jobs import Lease, NewJob
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import Store
from orpheus.shared.views.queues import Queue, queues_json
from tests.contract.conftest import FakeClock

PAUSED_MS = 234_000


@pytest.fixture
def run(
    store: Store, lease: Callable[..., list[Lease]], end: Callable[..., bool], clock: FakeClock
) -> Callable[[], None]:
    """Runs a job of 25 s, for which another one comes; another 18 wait."""
    clock.advance(-clock.wall % 60_000)
    store.jobs.submit_many([NewJob("noop", queue="thumbs", priority=-1)] * 18)

    def run_one() -> None:
        store.jobs.submit_many([NewJob("noop", queue="thumbs")])
        (one,) = lease(queues=("thumbs",))
        clock.advance(25_000)
        assert end(one, Ending.SUCCEEDED)

    return run_one


def thumbs(store: Store, up_s: float | None = None) -> Queue:
    crew = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", up_s=up_s)])
    return queues_json(store, [crew])[0]


def estimate_s(store: Store, up_s: float | None = None) -> float:
    drain = thumbs(store, up_s)["drain"]
    assert drain is not None
    return drain["seconds"]


def test_after_a_pause_of_a_slow_queue_its_time_is_left_out(
    store: Store, run: Callable[[], None], clock: FakeClock
) -> None:
    for _ in range(11):
        run()
    assert estimate_s(store) == pytest.approx(18 * 25, rel=0.2)
    store.queues.pause("thumbs")
    clock.advance(PAUSED_MS)
    store.queues.resume("thumbs")
    store.audit.record("resume", "queue thumbs", by="cli:ada")
    for _ in range(3):
        run()
        assert thumbs(store)["drain"] is None
        assert thumbs(store)["no_estimate"] == "no estimate yet"
    for _ in range(9):
        run()
        assert estimate_s(store) == pytest.approx(18 * 25, rel=0.35)


def test_after_its_workers_were_down_their_time_is_left_out(
    store: Store, run: Callable[[], None], clock: FakeClock
) -> None:
    for _ in range(11):
        run()
    clock.advance(PAUSED_MS)
    assert thumbs(store, up_s=1)["no_estimate"] == "no estimate: none has ended for over 2 min"
    for n in range(1, 4):
        run()
        assert thumbs(store, up_s=25 * n)["no_estimate"] == "no estimate yet"
    for n in range(4, 13):
        run()
        assert estimate_s(store, up_s=25 * n) == pytest.approx(18 * 25, rel=0.35)


def test_a_worker_that_is_replaced_between_two_jobs_is_no_stop(
    store: Store, run: Callable[[], None]
) -> None:
    for _ in range(11):
        run()
    assert estimate_s(store, up_s=1) == pytest.approx(18 * 25, rel=0.2)


def test_when_a_queue_was_resumed_is_asked_of_the_queues_that_are_wanted(
    store: Store, clock: FakeClock
) -> None:
    for name in ("mail", "shut", "thumbs"):
        store.queues.pause(name)
        store.queues.resume(name)
        store.audit.record("resume", f"queue {name}", by="cli:ada")
    store.queues.pause("shut")
    assert store.standings.resumed_ms(["mail", "shut", "new"]) == {"mail": clock.wall}
    assert store.standings.resumed_ms([]) == {}
