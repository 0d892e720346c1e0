"""How many jobs of each queue come and end per minute."""

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import Flow, Store
from tests.contract.conftest import End, FakeClock, LeaseSome

MINUTE_MS = 60_000


@pytest.fixture(autouse=True)
def start_of_a_minute(clock: FakeClock) -> None:
    clock.advance(-clock.wall % MINUTE_MS)


def come(store: Store, queue: str, n: int) -> list[int]:
    return store.jobs.submit_many([NewJob("noop", queue=queue)] * n)


def test_what_came_and_what_ended_is_counted_by_queue_for_this_minute_and_the_last(
    store: Store,
    clock: FakeClock,
    lease: LeaseSome,
    end: End,
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


def test_a_rate_is_that_of_the_time_that_has_passed(
    store: Store,
    clock: FakeClock,
    lease: LeaseSome,
    end: End,
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
