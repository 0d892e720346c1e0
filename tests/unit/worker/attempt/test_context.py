"""What a handler may touch."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Lease, NewJob
from orpheus.shared.job_types.registry import JobCancelled, PermanentError
from orpheus.worker.attempt.context import JobContext, Running


@pytest.fixture
def running(make_lease: Callable[..., Lease]) -> Running:
    return Running(make_lease(attempt=3, timeout_s=60), entered_at_s=100.0)


@pytest.fixture
def context(running: Running, lookup: Any) -> JobContext:
    return JobContext(running, lookup)


def test_the_context_names_job_and_attempt(context: JobContext) -> None:
    assert (context.job_id, context.attempt) == (7, 3)


def test_progress_stays_between_nothing_and_all(running: Running, context: JobContext) -> None:
    context.progress(0.25, "quarter")
    reported = [running.progress]
    for fraction in (7, -1):
        context.progress(fraction)
        reported.append(running.progress)
    assert reported == [(0.25, "quarter"), (1.0, None), (0.0, None)]
    with pytest.raises(ValueError, match="not a number"):
        context.progress(math.nan)


def test_check_cancelled_raises_once_somebody_asked(running: Running, context: JobContext) -> None:
    context.check_cancelled()
    running.cancel(now_s=101.0)
    with pytest.raises(JobCancelled, match="asked for"):
        context.check_cancelled()


def test_check_cancelled_raises_once_the_lease_is_lost(
    running: Running, context: JobContext
) -> None:
    running.lose(now_s=101.0)
    with pytest.raises(JobCancelled, match="lease"):
        context.check_cancelled()


def test_results_of_dependencies_are_read_once_and_only_if_asked_for(
    context: JobContext, lookup: Any
) -> None:
    assert lookup.asked == []
    assert [context.results, context.results] == [{3: {"sum": 6}}] * 2
    assert lookup.asked == [7]


def test_children_wait_for_the_end_of_their_parent_in_order(
    running: Running, context: JobContext
) -> None:
    context.enqueue("child", {"n": 1}, priority=5, tags=["t"])
    context.enqueue("child")
    assert running.children == [
        NewJob("child", "{'n': 1}", priority=5, tags=("t",)),
        NewJob("child", "{}"),
    ]


def test_a_child_that_cannot_be_is_refused_where_it_is_enqueued(
    running: Running, context: JobContext
) -> None:
    with pytest.raises(PermanentError, match="no job type is called 'chld'"):
        context.enqueue("chld")
    assert running.children == []


def test_a_job_has_ten_thousand_children_at_most(running: Running, context: JobContext) -> None:
    running.children = [NewJob("child")] * 9_999
    context.enqueue("child")
    with pytest.raises(PermanentError, match="10,000 others at most"):
        context.enqueue("child")


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
