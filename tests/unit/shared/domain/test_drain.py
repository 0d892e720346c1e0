"""How long until a queue is empty."""

import pytest

from orpheus.shared.domain.drain import MORE_WORKERS, Pace, drain_s, drain_with_more_s

BUSY = Pace(done=120, ran_s=240.0, within_s=60.0)
"""Two jobs a second, each of 2 s: four workers."""


def test_as_it_stands_the_jobs_leave_at_the_rate_of_the_last_minutes() -> None:
    assert drain_s(600, BUSY) == pytest.approx(300)


def test_each_further_worker_adds_a_job_in_the_time_of_one() -> None:
    assert drain_s(600, BUSY, 4) == pytest.approx(150)
    assert drain_s(600, BUSY, 1) == pytest.approx(240)


def test_an_empty_queue_needs_no_time_and_one_of_which_nothing_was_done_is_unknown() -> None:
    assert drain_s(0, None) == 0
    assert drain_s(3, None) is None
    assert drain_s(3, Pace(0, 0.0, 60.0)) is None
    assert drain_with_more_s(3, None) == []


def test_limits_keep_further_workers_from_helping() -> None:
    assert drain_s(600, BUSY, 8, max_running=5) == pytest.approx(240)
    assert drain_s(600, BUSY, 8, starts_per_s=2.5) == pytest.approx(240)
    assert drain_s(600, BUSY, 8, max_running=1) == pytest.approx(300), "it is no slower than it was"


def test_jobs_too_short_to_be_counted_take_some_time() -> None:
    assert drain_s(1000, Pace(1000, 0.0, 1.0), 1) == pytest.approx(0.5)


def test_more_workers_never_take_longer() -> None:
    times = [seconds for _, seconds in drain_with_more_s(600, BUSY)]
    assert len(times) == len(MORE_WORKERS)
    assert times == sorted(times, reverse=True)
