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
        "mail": Flow(10 / 1.5, 2 / 1.5, 0.0),
        "media": Flow(5 / 1.5, 1 / 1.5),
    }
    clock.advance(10 * MINUTE_MS)
    assert store.stats.flows() == {"mail": Flow(run_s=0.0), "media": Flow()}


def test_the_mean_run_time_is_that_of_jobs_done_in_the_last_quarter_of_an_hour(
    store: Store, clock: FakeClock, lease: Callable[..., list[Lease]], end: Callable[..., bool]
) -> None:
    come(store, "mail", 3)
    for run_ms, ending in ((1_000, Ending.SUCCEEDED), (3_000, Ending.SUCCEEDED)):
        (held,) = lease()
        clock.advance(run_ms)
        end(held, ending)
    (failed,) = lease()
    clock.advance(60_000)
    end(failed, Ending.FAILED_PERMANENTLY)
    assert store.stats.flows()["mail"].run_s == 2
    clock.advance(15 * MINUTE_MS)
    assert store.stats.flows()["mail"].run_s is None


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
    store.jobs.cancel(come(store, "mail", 1)[0])
    assert store.stats.finished_in(5).per_minute == 12 / 5.5


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
    assert store.stats.flows()["mail"].in_per_minute == 17


def test_of_very_many_that_came_some_are_counted(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "_MOST_CAME", 50)
    come(store, "mail", 60)
    clock.advance(30_000)
    assert store.stats.flows()["mail"].in_per_minute == 50 / 1.5


def test_without_jobs_nothing_flows(store: Store) -> None:
    assert store.stats.flows() == {}
