"""What a handler may touch."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from orpheus import job
from orpheus.shared.domain.jobs import Lease, NewJob
from orpheus.shared.job_types.context import JobCancelled, PermanentError
from orpheus.worker.attempt import child_jobs
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.job_context import JobContext


@pytest.fixture
def running(make_lease: Callable[..., Lease]) -> RunningAttempt:
    return RunningAttempt(make_lease(attempt=3, timeout_s=60), started_at_s=100.0)


@pytest.fixture
def ctx(running: RunningAttempt, queries: Any) -> JobContext:
    return JobContext(running, queries)


@pytest.fixture
def child() -> Any:

    @job
    def child(n: int) -> None: ...

    return child


def test_progress_is_a_fraction_and_anything_else_an_error(
    running: RunningAttempt, ctx: JobContext
) -> None:
    ctx.progress(0.25, "quarter")
    reported = [running.unsaved_progress]
    for fraction in (sum([0.1] * 3 + [0.7]), -1e-9):
        ctx.progress(fraction)
        reported.append(running.unsaved_progress)
    assert reported == [(0.25, "quarter"), (1.0, None), (0.0, None)]
    for wrong in (50, 1.01, -1, math.nan):
        with pytest.raises(
            ValueError, match=f"{wrong} is not a fraction; give a number from 0 to 1"
        ):
            ctx.progress(wrong)
    assert running.unsaved_progress == (0.0, None)


@pytest.mark.parametrize("stop", [RunningAttempt.request_cancel, RunningAttempt.mark_lease_lost])
def test_check_cancelled_raises_once_the_job_is_cancelled_or_its_lease_is_lost(
    running: RunningAttempt, ctx: JobContext, stop: Callable[..., None]
) -> None:
    ctx.check_cancelled()
    stop(running, now_s=101.0)
    with pytest.raises(JobCancelled):
        ctx.check_cancelled()


def test_results_of_dependencies_are_read_once_and_only_if_asked_for(
    ctx: JobContext, queries: Any
) -> None:
    assert queries.asked == []
    assert [ctx.results, ctx.results] == [{3: {"sum": 6}}] * 2
    assert queries.asked == [7]


def test_children_are_kept_in_order_until_their_parent_ends(
    running: RunningAttempt, ctx: JobContext
) -> None:
    ctx.enqueue("child", {"n": 1}, priority=5, tags=["t"], concurrency_key="k")
    ctx.enqueue("child")
    assert running.children == [
        NewJob("child", "{'n': 1}", priority=5, tags=("t",), ref="child-1", concurrency_key="k"),
        NewJob("child", "{}", ref="child-2"),
    ]


def test_a_child_is_made_by_new_and_depends_on_those_before_it(
    running: RunningAttempt, ctx: JobContext, child: Any
) -> None:
    first = ctx.enqueue(child.new(n=1))
    second = ctx.enqueue(child.new(n=2).with_options(priority=3), depends_on=[first, 12], ref="b")
    ctx.enqueue("child", {"n": 3}, depends_on=["b"])
    assert (first, second) == ("child-1", "b")
    assert [(one.ref, one.depends_on, one.priority) for one in running.children] == [
        ("child-1", (), 0),
        ("b", ("child-1", 12), 3),
        ("child-3", ("b",), 0),
    ]


def test_a_ref_that_is_made_up_is_not_one_that_was_given(
    running: RunningAttempt, ctx: JobContext, child: Any
) -> None:
    refs = [
        ctx.enqueue(child.new(n=1).with_options(ref="child-2")),
        ctx.enqueue(child.new(n=2)),
        ctx.enqueue(child.new(n=3)),
    ]
    assert refs == [one.ref for one in running.children]
    assert len(set(refs)) == 3
    with pytest.raises(PermanentError, match="another job of this attempt is called 'child-2'"):
        ctx.enqueue(child.new(n=4).with_options(ref="child-2"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"depends_on": ["later"]}, "enqueue 'child': depends_on/0: no job submitted before has"),
        ({"ref": "one"}, "enqueue 'child': ref: another job of this attempt is called 'one'"),
        ({"priority": 5_000}, "enqueue child: priority: must be an integer from"),
        ({"queue": "a b"}, "enqueue child: queue: is not a valid name"),
    ],
)
def test_a_child_with_an_option_that_is_not_valid_is_refused(
    running: RunningAttempt, ctx: JobContext, child: Any, options: Any, reason: str
) -> None:
    ctx.enqueue(child.new(n=1), ref="one")
    with pytest.raises(PermanentError) as refused:
        ctx.enqueue(child.new(n=2), **options)
    assert reason in str(refused.value)
    assert len(running.children) == 1


def test_results_are_read_by_id_by_ref_and_by_type(ctx: JobContext, child: Any) -> None:
    assert ctx.results == {3: {"sum": 6}}
    assert ctx.results["first"] == ctx.results[3] == {"sum": 6}
    with pytest.raises(KeyError, match=r"job 4 \(add\) is failed and has no result"):
        ctx.results["second"]
    with pytest.raises(KeyError, match=r"^it depends on no job child$"):
        ctx.results[child]
    assert ("first" in ctx.results, "second" in ctx.results) == (True, False)
    assert ctx.results.get(9) is None


def test_the_error_of_a_failed_dependency_can_be_read(ctx: JobContext) -> None:
    assert ctx.attempt_error(3) is None
    failed = ctx.attempt_error("second")
    assert failed is not None
    assert (failed.type, failed.message) == ("ValueError", "no such file")
    cancelled = ctx.attempt_error(5)
    assert cancelled is not None
    assert cancelled.message == "job 5 was cancelled"
    with pytest.raises(LookupError, match="depends on no job 9"):
        ctx.attempt_error(9)


def test_children_have_no_more_dependencies_and_bytes_in_all_than_a_batch(
    running: RunningAttempt, ctx: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert child_jobs._MOST_PAYLOAD_MIB == 16
    monkeypatch.setattr(child_jobs, "MAX_BATCH_DEPENDENCIES", 3)
    monkeypatch.setattr(child_jobs, "_MOST_PAYLOAD_MIB", 1)
    for _ in range(3):
        ctx.enqueue("child", {"text": "x" * 300_000}, depends_on=[1])
    with pytest.raises(PermanentError, match="3 dependencies in all"):
        ctx.enqueue("child", depends_on=[1])
    with pytest.raises(PermanentError, match="1 MiB of payloads in all"):
        ctx.enqueue("child", {"text": "x" * 150_000})
    ctx.enqueue("child", {"text": "x" * 140_000})
    assert len(running.children) == 4


def test_a_job_has_ten_thousand_children_at_most(running: RunningAttempt, ctx: JobContext) -> None:
    running.children.extend([NewJob("child")] * 9_999)
    ctx.enqueue("child")
    with pytest.raises(PermanentError, match="10,000 others at most"):
        ctx.enqueue("child")


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
