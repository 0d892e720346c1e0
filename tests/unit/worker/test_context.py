"""What a handler may touch."""

import math
from collections.abc import Callable

import pytest

from shared.job_types import JobCancelled
from shared.jobs import Lease
from worker.context import JobContext, Running


@pytest.fixture
def running(make_lease: Callable[..., Lease]) -> Running:
    return Running(make_lease(attempt=3, timeout_s=60), entered_at_s=100.0)


def test_the_context_names_job_and_attempt(running: Running) -> None:
    context = JobContext(running)
    assert (context.job_id, context.attempt) == (7, 3)


def test_progress_stays_between_nothing_and_all(running: Running) -> None:
    context = JobContext(running)
    context.progress(0.25, "quarter")
    reported = [running.progress]
    for fraction in (7, -1):
        context.progress(fraction)
        reported.append(running.progress)
    assert reported == [(0.25, "quarter"), (1.0, None), (0.0, None)]
    with pytest.raises(ValueError, match="not a number"):
        context.progress(math.nan)


def test_check_cancelled_raises_once_somebody_asked(running: Running) -> None:
    context = JobContext(running)
    context.check_cancelled()
    running.cancel(now_s=101.0)
    with pytest.raises(JobCancelled, match="asked for"):
        context.check_cancelled()


def test_check_cancelled_raises_once_the_lease_is_lost(running: Running) -> None:
    running.lose(now_s=101.0)
    with pytest.raises(JobCancelled, match="lease"):
        JobContext(running).check_cancelled()


def test_the_hard_deadline_is_thirty_seconds_after_the_timeout(running: Running) -> None:
    assert running.hard_deadline_s(cancel_grace_s=10) == 190.0


def test_the_hard_deadline_of_a_job_told_to_stop_is_the_grace_after_that(running: Running) -> None:
    running.cancel(now_s=120.0)
    running.lose(now_s=125.0)
    assert running.hard_deadline_s(cancel_grace_s=10) == 130.0


def test_who_can_be_told_to_stop_is_told_once(running: Running) -> None:
    told: list[int] = []
    running.on_stop = lambda: told.append(1)
    running.cancel(now_s=1.0)
    running.lose(now_s=2.0)
    assert told == [1]


def test_telling_an_event_loop_that_has_closed_harms_nobody(running: Running) -> None:
    def closed() -> None:
        raise RuntimeError("Event loop is closed")

    running.on_stop = closed
    running.cancel(now_s=1.0)
