"""Jobs that wait for jobs, and jobs that running jobs make."""

import json

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import InvalidJob, TransitionRefused
from orpheus.shared.storage import Store
from tests.contract.conftest import End, LeaseSome, Submit


def test_a_job_waits_until_all_it_depends_on_are_done(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    first, second = submit(), submit()
    waiting = submit(depends_on=(first, second), priority=100)
    job = store.jobs.get(waiting)
    assert (job.status, job.depends_on) == (Status.BLOCKED, (first, second))
    held = lease(10)
    assert [one.job_id for one in held] == [first, second]
    end(held[0], result='{"a":1}')
    assert store.jobs.get(waiting).status is Status.BLOCKED
    end(held[1], result="2")
    assert store.jobs.get(waiting).status is Status.PENDING
    assert [one.job_id for one in lease()] == [waiting]
    assert {one.id: one.result for one in store.jobs.dependencies(waiting)} == {
        first: '{"a":1}',
        second: "2",
    }
    kinds = [event.kind for event in store.events.of_job(waiting, 10)]
    assert kinds == [Kind.JOB_ENQUEUED, Kind.JOB_UNBLOCKED, Kind.JOB_STARTED]


def test_an_unblocked_job_still_waits_for_its_time(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    first = submit()
    waiting = submit(depends_on=(first,), delay_ms=10_000)
    end(lease()[0])
    assert store.jobs.get(waiting).status is Status.PENDING
    assert lease() == []
    clock.advance(10_000)
    assert [one.job_id for one in lease()] == [waiting]


@pytest.mark.parametrize(
    ("policy", "status"),
    [("cancel", Status.CANCELLED), ("fail", Status.FAILED), ("run", Status.PENDING)],
)
@pytest.mark.parametrize("already_ended", [False, True])
def test_a_dependency_that_fails_is_answered_as_asked(
    store: Store,
    submit: Submit,
    lease: LeaseSome,
    end: End,
    policy: str,
    status: Status,
    already_ended: bool,
) -> None:
    first = submit(max_retries=0)
    if already_ended:
        end(lease()[0], Ending.FAILED)
    waiting = submit(depends_on=(first,), on_dependency_failure=policy)
    after = submit(depends_on=(waiting,))
    if not already_ended:
        end(lease()[0], Ending.FAILED)
    job = store.jobs.get(waiting)
    assert job.status is status
    if status is not Status.PENDING:
        assert job.error is not None and f"job {first} is failed" in job.error.message
        assert store.jobs.get(after).status is Status.CANCELLED
    else:
        assert store.jobs.get(after).status is Status.BLOCKED


def test_a_dependency_that_does_not_exist_is_refused_and_nothing_kept(
    store: Store, submit: Submit
) -> None:
    first = submit()
    with pytest.raises(InvalidJob, match="no job 99") as refused:
        submit(depends_on=(first, 99))
    assert [problem.pointer for problem in refused.value.problems] == ["/depends_on/1"]
    assert store.stats.counts()[Status.BLOCKED] == 0
    assert store.events.last_seq() == 1


def test_a_job_cannot_depend_on_itself_by_guessing_its_id(store: Store, submit: Submit) -> None:
    first = submit()
    with pytest.raises(InvalidJob, match="no job 2"):
        submit(depends_on=(first + 1,))
    with pytest.raises(InvalidJob) as refused:  # nor on itself by way of another
        store.jobs.submit_many(
            [NewJob("noop", ref="a", depends_on=(first + 2,)), NewJob("noop", depends_on=("a",))]
        )
    assert [problem.pointer for problem in refused.value.problems] == ["/jobs/0/depends_on/0"]
    assert store.stats.counts()[Status.BLOCKED] == 0


@pytest.mark.parametrize("status", [Status.PENDING, Status.IN_PROGRESS, Status.FAILED])
def test_a_result_is_kept_while_a_job_may_still_read_it(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock, status: Status
) -> None:
    first = submit()
    waiting = submit(depends_on=(first,), max_retries=0)
    end(lease()[0], result="7")
    if status is not Status.PENDING:
        (held,) = lease()
    if status is Status.FAILED:
        end(held, Ending.FAILED)
    with pytest.raises(TransitionRefused, match=f"job {waiting}, which is {status}, depends"):
        store.jobs.delete(first)
    clock.advance(5_000)
    rules = RetentionRules(done_s=1, failed_s=1_000, cancelled_s=1, events=10**6)
    while store.retention.step(rules):
        pass
    if status is Status.FAILED:
        store.jobs.retry(waiting)
    assert {one.id: one.result for one in store.jobs.dependencies(waiting)} == {first: "7"}
    if status is not Status.IN_PROGRESS:
        (held,) = lease()
    end(held)
    clock.advance(60_000)
    while store.retention.step(rules):
        pass
    assert sum(store.stats.counts().values()) == 0


def test_a_blocked_job_can_be_cancelled(store: Store, submit: Submit, lease, end) -> None:
    first = submit()
    waiting = submit(depends_on=(first,))
    store.jobs.cancel(waiting)
    end(lease()[0])
    assert store.jobs.get(waiting).status is Status.CANCELLED


def test_a_retried_job_waits_again_for_what_is_live(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    first = submit(max_retries=0)
    waiting = submit(depends_on=(first,))
    end(lease()[0], Ending.FAILED)
    assert store.jobs.get(waiting).status is Status.CANCELLED
    store.jobs.retry(first)
    assert store.jobs.retry(waiting).status is Status.BLOCKED
    end(lease()[0])
    assert store.jobs.get(waiting).status is Status.PENDING


def test_a_batch_names_its_own_items(store: Store, lease: LeaseSome, end: End) -> None:
    last, left, right, top = store.jobs.submit_many(
        [
            NewJob("noop", depends_on=("left", "right"), ref="last"),
            NewJob("noop", depends_on=("top",), ref="left"),
            NewJob("noop", depends_on=("top",), ref="right"),
            NewJob("noop", ref="top"),
        ]
    )
    assert store.jobs.get(last).depends_on == (left, right)
    order = []
    while held := lease():
        order.append(held[0].job_id)
        end(held[0])
    assert order == [top, left, right, last]
    assert store.stats.counts()[Status.DONE] == 4


def test_children_are_enqueued_with_the_success_or_not_at_all(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    submit()
    (held,) = lease()
    done = Finished(held, Ending.SUCCEEDED, "null", children=(NewJob("child", queue="q2"),))
    clock.advance(30_000)
    assert store.leases.finish([done]) == {held.token}
    assert store.stats.counts()[Status.PENDING] == 0
    store.leases.reclaim_expired()
    (again,) = lease()
    done = Finished(again, Ending.SUCCEEDED, "null", children=(NewJob("child", queue="q2"),))
    assert store.leases.finish([done]) == set()
    (child,) = lease()
    assert (child.type, child.queue) == ("child", "q2")


def test_only_an_ended_job_that_nobody_waits_for_is_deleted(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    first = submit(tags=("t",), max_retries=0)
    waiting = submit(depends_on=(first, submit(queue="slow")))
    with pytest.raises(TransitionRefused, match="cancel it before"):
        store.jobs.delete(first)
    end(lease()[0])
    for status in ("blocked", "cancelled"):
        with pytest.raises(TransitionRefused, match=f"job {waiting}, which is {status}, depends"):
            store.jobs.delete(first)
        if status == "blocked":
            store.jobs.cancel(waiting)
    store.jobs.delete(waiting)
    store.jobs.delete(first)
    assert store.stats.counts()[Status.DONE] == 0
    event = store.events.after(store.events.last_seq() - 1, 1)[0]
    assert (event.kind, json.loads(event.body)["id"]) == (Kind.JOB_DELETED, first)


def test_what_waits_for_a_job_that_a_failed_one_ends_at_submission_ends_too(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    failed = submit(max_retries=0)
    end(lease()[0], Ending.FAILED)
    last, middle = store.jobs.submit_many(
        [
            NewJob("noop", depends_on=("middle",)),  # stands before what it waits for
            NewJob("noop", depends_on=(failed,), ref="middle"),
        ]
    )
    assert store.jobs.get(middle).status is Status.CANCELLED
    assert store.jobs.get(last).status is Status.CANCELLED


def test_a_retried_job_is_waited_for_again_and_counts_once(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    first, second = submit(max_retries=0, priority=1), submit()
    waiting = submit(depends_on=(first, second), on_dependency_failure="run")
    end(lease()[0], Ending.FAILED)
    store.jobs.retry(first)
    end(lease()[0])
    assert store.jobs.get(waiting).status is Status.BLOCKED  # the second has not ended
    end(lease()[0])
    assert store.jobs.get(waiting).status is Status.PENDING


def test_a_blocked_job_without_delay_is_due_once_unblocked_whatever_the_wall_clock_says(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    first = submit()
    waiting = submit(depends_on=(first,))
    clock.wall -= 3_600_000
    end(lease()[0])
    assert [one.job_id for one in lease()] == [waiting]


def test_a_job_retried_into_waiting_is_due_once_unblocked(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    first = submit(max_retries=0)
    waiting = submit(depends_on=(first,), delay_ms=60_000)
    end(lease()[0], Ending.FAILED)
    store.jobs.retry(first)
    assert store.jobs.retry(waiting).status is Status.BLOCKED
    clock.wall -= 3_600_000
    end(lease()[0])
    assert [one.job_id for one in lease()] == [waiting]


def test_run_now_does_not_cost_a_job_its_turn(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    first = submit(delay_ms=1_000)
    second = submit(delay_ms=2_000)
    clock.advance(5_000)
    store.jobs.run_now(first)
    assert [one.job_id for one in lease(2)] == [first, second]


def test_a_batch_takes_as_many_statements_however_many_dependencies_it_has(
    store: Store, submit: Submit, statements: list[str]
) -> None:
    others = [submit() for _ in range(300)]
    counts = []
    for width in (1, 300):
        statements.clear()
        store.jobs.submit_many([NewJob("noop", depends_on=tuple(others[:width]))] * 10)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_what_a_job_calls_its_dependencies_is_kept(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    earlier = submit()
    *_, last = store.jobs.submit_many(
        [
            NewJob("fetch", ref="page"),
            NewJob("fetch", ref="image", max_retries=0),
            NewJob("join", depends_on=("page", "image", earlier), on_dependency_failure="run"),
        ]
    )
    for held in lease(3):
        ending = Ending.FAILED if held.job_id == last - 1 else Ending.SUCCEEDED
        end(held, ending, **({} if ending is Ending.FAILED else {"result": "7"}))
    assert [
        (one.ref, one.type, one.status, one.result, one.error and one.error.message)
        for one in store.jobs.dependencies(last)
    ] == [
        (None, "noop", Status.DONE, "7", None),
        ("page", "fetch", Status.DONE, "7", None),
        ("image", "fetch", Status.FAILED, None, "it broke"),
    ]


def test_children_may_depend_on_each_other_and_on_their_parent(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    parents = [submit(), submit()]
    children = [
        (
            NewJob("child", ref="child-1"),
            NewJob("child", ref="child-2", depends_on=("child-1", parent)),
        )
        for parent in parents
    ]
    done = [
        Finished(held, Ending.SUCCEEDED, "null", children=some)
        for held, some in zip(lease(2), children, strict=True)
    ]
    assert store.leases.finish(done) == set()
    first = [one.job_id for one in lease(10)]
    assert first == [3, 5], "the same ref means another job to each parent"
    assert store.jobs.get(4).depends_on == (3, parents[0])
    assert store.jobs.get(6).depends_on == (5, parents[1])


def test_a_child_that_depends_on_a_deleted_job_fails_its_parent_only(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    submit(), submit()
    first, second = lease(2)
    done = [
        Finished(first, Ending.SUCCEEDED, "1", children=(NewJob("child", depends_on=(99,)),)),
        Finished(second, Ending.SUCCEEDED, "2"),
    ]
    assert store.leases.finish(done) == set()
    failed = store.jobs.get(first.job_id)
    assert (failed.status, failed.result) == (Status.FAILED, None)
    assert failed.error is not None
    assert failed.error.message == "enqueue: children.0.depends_on.0: there is no job 99"
    assert store.jobs.get(second.job_id).status is Status.DONE
    assert sum(store.stats.counts().values()) == 2
