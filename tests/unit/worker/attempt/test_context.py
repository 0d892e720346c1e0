"""What a handler may touch."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Lease, NewJob
from orpheus.shared.job_types.registry import JobCancelled, PermanentError
from orpheus.worker.attempt.context import JobContext, RunningAttempt


@pytest.fixture
def running(make_lease: Callable[..., Lease]) -> RunningAttempt:
    return RunningAttempt(make_lease(attempt=3, timeout_s=60), started_at_s=100.0)


@pytest.fixture
def context(running: RunningAttempt, queries: Any) -> JobContext:
    return JobContext(running, queries)


def test_the_context_has_the_numbers_of_job_and_attempt(context: JobContext) -> None:
    assert (context.job_id, context.attempt) == (7, 3)


def test_progress_is_kept_between_0_and_1(running: RunningAttempt, context: JobContext) -> None:
    context.progress(0.25, "quarter")
    reported = [running.unsaved_progress]
    for fraction in (7, -1):
        context.progress(fraction)
        reported.append(running.unsaved_progress)
    assert reported == [(0.25, "quarter"), (1.0, None), (0.0, None)]
    with pytest.raises(ValueError, match="not a number"):
        context.progress(math.nan)


def test_check_cancelled_raises_once_a_cancel_is_requested(
    running: RunningAttempt, context: JobContext
) -> None:
    context.check_cancelled()
    running.request_cancel(now_s=101.0)
    with pytest.raises(JobCancelled, match="was cancelled"):
        context.check_cancelled()


def test_check_cancelled_raises_once_the_lease_is_lost(
    running: RunningAttempt, context: JobContext
) -> None:
    running.mark_lease_lost(now_s=101.0)
    with pytest.raises(JobCancelled, match="lease"):
        context.check_cancelled()


def test_results_of_dependencies_are_read_once_and_only_if_asked_for(
    context: JobContext, queries: Any
) -> None:
    assert queries.asked == []
    assert [context.results, context.results] == [{3: {"sum": 6}}] * 2
    assert queries.asked == [7]


def test_children_are_kept_in_order_until_their_parent_ends(
    running: RunningAttempt, context: JobContext
) -> None:
    context.enqueue("child", {"n": 1}, priority=5, tags=["t"])
    context.enqueue("child")
    assert running.children == [
        NewJob("child", "{'n': 1}", priority=5, tags=("t",)),
        NewJob("child", "{}"),
    ]


def test_an_invalid_child_is_refused_where_it_is_enqueued(
    running: RunningAttempt, context: JobContext
) -> None:
    with pytest.raises(PermanentError, match="no job type is called 'chld'"):
        context.enqueue("chld")
    assert running.children == []


def test_a_job_has_ten_thousand_children_at_most(
    running: RunningAttempt, context: JobContext
) -> None:
    running.children = [NewJob("child")] * 9_999
    context.enqueue("child")
    with pytest.raises(PermanentError, match="10,000 others at most"):
        context.enqueue("child")


def test_the_hard_deadline_is_thirty_seconds_after_the_timeout(running: RunningAttempt) -> None:
    assert running.hard_deadline_s(cancel_grace_s=10) == 190.0


def test_after_a_request_to_stop_the_hard_deadline_is_one_grace_period_later(
    running: RunningAttempt,
) -> None:
    running.request_cancel(now_s=120.0)
    running.mark_lease_lost(now_s=125.0)
    assert running.hard_deadline_s(cancel_grace_s=10) == 130.0


def test_on_stop_is_called_only_once(running: RunningAttempt) -> None:
    told: list[int] = []
    running.on_stop = lambda: told.append(1)
    running.request_cancel(now_s=1.0)
    running.mark_lease_lost(now_s=2.0)
    assert told == [1]


def test_a_request_to_stop_ignores_an_event_loop_that_has_closed(running: RunningAttempt) -> None:
    def closed() -> None:
        raise RuntimeError("Event loop is closed")

    running.on_stop = closed
    running.request_cancel(now_s=1.0)
