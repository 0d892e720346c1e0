"""How many jobs of each queue come and end per minute."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.jobs import Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import Flow, Store
from orpheus.shared.storage.verbs import stats
from tests.contract.conftest import FakeClock

MINUTE_MS = 60_000


@pytest.fixture(autouse=True)
def start_of_a_minute(clock: FakeClock) -> None:
    clock.advance(-clock.wall % MINUTE_MS)


def come(store: Store, queue: str, n: int) -> list[int]:
    return store.jobs.submit_many([NewJob("noop", queue=queue)] * n)


def test_what_came_and_what_ended_is_counted_by_queue_for_this_minute_and_the_last(
    store: Store,
    clock: FakeClock,
    lease: Callable[..., list[Lease]],
    end: Callable[..., bool],
) -> None:
    come(store, "mail", 100)
    clock.advance(10 * MINUTE_MS)
    come(store, "mail", 10)
    media = come(store, "media", 5)
    store.jobs.cancel(media[0])
    done, failed = lease(2, queues=("mail",))
    assert end(done, Ending.SUCCEEDED)
    assert end(failed, Ending.FAILED_PERMANENTLY)
    clock.advance(30_000)
    # It is half a minute since the minute began: one and a half of them count.
    assert store.stats.flows() == {
        "mail": Flow(10 / 1.5, 2 / 1.5, silent_s=30),
        "media": Flow(5 / 1.5, 1 / 1.5, silent_s=30),
    }
    clock.advance(10 * MINUTE_MS)
    assert store.stats.flows() == {"mail": Flow(), "media": Flow()}


def test_jobs_that_ended_are_counted_by_queue_however_they_ended(
    store: Store, clock: FakeClock, lease: Callable[..., list[Lease]], end: Callable[..., bool]
) -> None:
    come(store, "mail", 3)
    store.jobs.cancel(come(store, "media", 2)[0])
    done, failed = lease(2, queues=("mail",))
    end(done, Ending.SUCCEEDED)
    end(failed, Ending.FAILED_PERMANENTLY)
    clock.advance(MINUTE_MS)
    assert store.stats.runs_per_s() == {"mail": 2 / 60}
    clock.advance(13 * MINUTE_MS)
    assert store.stats.runs_per_s() == {}
    assert store.stats.ran_by_queue(15) == {"mail": 2}
    clock.advance(2 * MINUTE_MS)
    assert store.stats.ran_by_queue(15) == {}


def test_a_rate_is_that_of_the_time_that_has_passed(
    store: Store,
    clock: FakeClock,
    lease: Callable[..., list[Lease]],
    end: Callable[..., bool],
) -> None:
    for half_minutes in (10, 1):
        for job_id in come(store, "mail", half_minutes):
            clock.advance(MINUTE_MS // 4)
            (held,) = lease()
            assert held.job_id == job_id
            end(held)
            clock.advance(MINUTE_MS // 4)
        assert store.stats.finished_in(5).per_minute == 2
        assert store.stats.done_per_minute() == {"mail": 2}
    store.jobs.cancel(come(store, "mail", 1)[0])
    assert store.stats.finished_in(5).per_minute == 12 / 5.5
    assert store.stats.done_per_minute() == {"mail": 2}


def test_a_burst_counts_as_a_whole_until_its_minute_has_passed(
    store: Store, clock: FakeClock
) -> None:
    """A part of it would be a guess: when in its minute the jobs ended is not kept."""
    clock.advance(-clock.wall % MINUTE_MS)
    begun_ms = clock.wall
    clock.advance(57_000)
    for job_id in come(store, "mail", 60):
        store.jobs.cancel(job_id)
    for passed_ms in (0, 200_000, 102_000):
        clock.advance(passed_ms)
        lately = store.stats.finished_in(5)
        assert lately.by_status[Status.CANCELLED] == 60
        assert lately.since_ms <= begun_ms
        assert lately.per_minute == 60 * MINUTE_MS / (clock.wall - lately.since_ms)
    assert lately.since_ms == begun_ms
    clock.advance(1_000)
    assert store.stats.finished_in(5).by_status[Status.CANCELLED] == 0


def test_gaps_of_deleted_jobs_do_not_hide_what_came(store: Store, clock: FakeClock) -> None:
    old = come(store, "mail", 20)
    clock.advance(10 * MINUTE_MS)
    new = come(store, "mail", 20)
    for job_id in [*old[5:], *new[:3]]:
        store.jobs.cancel(job_id)
        store.jobs.delete(job_id)
    assert store.stats.flows()["mail"].submitted_per_minute == 17


def test_a_batch_of_a_second_is_no_rate_of_a_minute(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "_MOST_CAME", 50)
    come(store, "mail", 50)
    for passed_ms in (0, 500, 3_000):
        clock.advance(passed_ms)
        assert store.stats.flows()["mail"].submitted_per_minute == 50
    clock.advance(86_500)
    come(store, "mail", 500)
    assert store.stats.flows()["mail"].submitted_per_minute == 50


def test_more_than_ten_thousand_that_came_are_counted(store: Store, clock: FakeClock) -> None:
    come(store, "mail", 10_500)
    clock.advance(30_000)
    assert store.stats.flows()["mail"].submitted_per_minute == 10_500 / 1.5


def test_of_more_than_can_be_counted_the_newest_tell_the_rate(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "_MOST_CAME", 50)
    come(store, "mail", 500)
    clock.advance(30_000)
    come(store, "mail", 50)
    clock.advance(75_000)
    assert store.stats.flows()["mail"].submitted_per_minute == 50 / 1.25


def test_a_flow_tells_for_how_long_jobs_came_and_how_long_none_has(
    store: Store, clock: FakeClock
) -> None:
    come(store, "mail", 20)
    clock.advance(14_000)
    come(store, "media", 1)
    come(store, "mail", 1)
    clock.advance(1_000)
    assert store.stats.flows() == {
        "mail": Flow(21 / 1.25, 0.0, came_for_s=14, silent_s=1),
        "media": Flow(1 / 1.25, 0.0, came_for_s=0, silent_s=1),
    }


def test_without_jobs_nothing_flows(store: Store) -> None:
    assert store.stats.flows() == {}
