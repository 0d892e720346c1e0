"""What durable functions keep and wait for: fenced, once, and nothing missed."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import Job, JobError, Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.steps import NewSignal, NewStep, StepKind, StepState, Suspension
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.shared.operations.upkeep import retain
from orpheus.shared.storage import Store
from orpheus.shared.storage.verbs import dependencies
from tests.contract.conftest import TTL_MS, FakeClock, LeaseSome, Opener, Submit

APPROVAL = NewStep("approval", 1, StepKind.SIGNAL, signal="approved", key="42")
SLEEP = Suspension(NewStep("cool down", 1, StepKind.SLEEP), delay_ms=60_000)
Suspend = Callable[..., int]


def step(name: str, result: str = "1", position: int = 1) -> NewStep:
    return NewStep(name, position, StepKind.STEP, result, 5)


def gather(*children: NewJob) -> Suspension:
    return Suspension(NewStep("mails", 1, StepKind.GATHER), children=children)


def end(store: Store, lease: Lease, ending: Ending = Ending.SUCCEEDED) -> None:
    error = None if ending is Ending.SUCCEEDED else JobError("ValueError", "no")
    result = "7" if ending is Ending.SUCCEEDED else None
    assert store.leases.finish([Finished(lease, ending, result, error)]) == set()


def state_of(store: Store, job_id: int) -> tuple[StepState, str | None]:
    (row,) = store.steps.of(job_id)
    return row.state, row.result


@pytest.fixture
def suspend(store: Store, submit: Submit, lease: LeaseSome) -> Suspend:
    """Submits a function that suspends itself at once, and returns its id."""

    def suspend_one(wait: Suspension) -> int:
        job_id = submit()
        (held,) = lease()
        assert store.leases.finish([Finished(held, Ending.SNOOZED, wait=wait)]) == set()
        return job_id

    return suspend_one


def job(store: Store, job_id: int) -> Job:
    return store.jobs.get(job_id)


# Steps


def test_a_step_is_kept_once_and_only_under_its_lease(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    submit()
    (held,) = lease()
    assert store.steps.keep(held, step("charge", '"first"'))
    assert store.steps.keep(held, step("charge", '"second"'))
    clock.advance(TTL_MS + 1)
    assert not store.steps.keep(held, step("ship"))
    assert [(row.name, row.result) for row in store.steps.of(held.job_id)] == [
        ("charge", '"first"')
    ]


def test_retries_count_from_the_last_kept_step(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    job_id = submit(max_retries=1)
    for n in range(4):
        (held,) = lease()
        assert store.steps.keep(held, step(f"step {n}", position=n))
        end(store, held, Ending.FAILED)
        clock.advance(10_000)
        assert job(store, job_id).status is Status.PENDING
    (held,) = lease()
    end(store, held, Ending.FAILED)
    assert job(store, job_id).status is Status.FAILED
    assert store.maintenance.verify() == []


def test_a_cursor_moves_on_and_deletes_the_steps_of_its_items(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    submit()
    (held,) = lease()
    for n in range(3):
        store.steps.keep(held, step(f"import[{n}] load"))
        cursor = NewStep("import", 1, StepKind.CURSOR, f'{{"done":{n + 1}}}')
        store.steps.keep(held, cursor, (f"import[{n}] ", f"import[{n}]!"))
    assert state_of(store, held.job_id) == (StepState.KEPT, '{"done":3}')


def test_long_results_are_cut_to_be_shown_and_more_so_if_there_are_many(
    store: Store, submit: Submit, lease: LeaseSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit()
    (held,) = lease()
    for n in range(4):
        store.steps.keep(held, step(f"step {n}", '"ü' + "x" * n + '"', n))
    for of_all, chars in ((100, 5), (16, 4)):
        monkeypatch.setattr("orpheus.shared.storage.verbs.steps._SHOWN_CHARS", 5)
        monkeypatch.setattr("orpheus.shared.storage.verbs.steps._SHOWN_CHARS_OF_ALL", of_all)
        rows, most_chars = store.steps.shown(held.job_id)
        shown = [len(row.result or "") for row in rows]
        assert (most_chars, shown) == (chars, [min(3 + n, chars + 1) for n in range(4)])


# Sleeps


def test_a_function_sleeps_as_a_delayed_job_and_is_run_once_afterwards(
    store: Store, suspend: Suspend, lease: LeaseSome, clock: FakeClock
) -> None:
    job_id = suspend(SLEEP)
    assert job(store, job_id).status is Status.PENDING
    assert lease() == []
    clock.advance(60_000)
    assert [held.job_id for held in lease()] == [job_id]
    assert state_of(store, job_id)[0] is StepState.KEPT


def test_a_function_that_was_cancelled_in_its_sleep_sleeps_on_after_a_retry_unless_it_is_woken(
    store: Store, suspend: Suspend, lease: LeaseSome
) -> None:
    job_id = suspend(SLEEP)
    store.jobs.cancel(job_id)
    store.jobs.retry(job_id)
    assert lease() == []
    store.jobs.run_now(job_id)
    (held,) = lease()
    end(store, held, Ending.FAILED_PERMANENTLY)
    store.jobs.retry(job_id)
    assert [held.job_id for held in lease()] == [job_id]


# Signals


def test_a_signal_wakes_who_waits_and_the_first_payload_stays(
    store: Store, suspend: Suspend, lease: LeaseSome
) -> None:
    job_id = suspend(Suspension(APPROVAL))
    assert job(store, job_id).status is Status.BLOCKED
    _, is_new = store.signals.send(NewSignal("approved", "42", '"ada"'))
    sent, is_new_again = store.signals.send(NewSignal("approved", "42", '"bob"'))
    assert (is_new, is_new_again, sent.payload) == (True, False, '"ada"')
    assert state_of(store, job_id) == (StepState.KEPT, '"ada"')
    assert [held.job_id for held in lease()] == [job_id]
    assert store.maintenance.verify() == []


def test_a_wrong_signal_is_replaced_for_a_function_that_runs_again_from_its_wait(
    store: Store, suspend: Suspend, lease: LeaseSome
) -> None:
    job_id = suspend(Suspension(APPROVAL))
    store.signals.send(NewSignal("approved", "42", '"adda"'))
    (held,) = lease()
    end(store, held, Ending.FAILED_PERMANENTLY)
    sent, is_new = store.signals.send(NewSignal("approved", "42", '"ada"', replaces=True))
    assert (sent.payload, is_new) == ('"ada"', False)
    assert state_of(store, job_id) == (StepState.KEPT, '"adda"')
    store.jobs.retry(job_id, from_step="approval")
    (held,) = lease()
    store.leases.finish([Finished(held, Ending.SNOOZED, wait=Suspension(APPROVAL))])
    assert state_of(store, job_id) == (StepState.KEPT, '"ada"')


def test_a_signal_that_comes_before_its_waiter_is_not_missed(
    store: Store, suspend: Suspend
) -> None:
    store.signals.send(NewSignal("approved", "42", '"ada"'))
    job_id = suspend(Suspension(APPROVAL))
    assert job(store, job_id).status is Status.PENDING
    assert state_of(store, job_id) == (StepState.KEPT, '"ada"')


def test_a_timeout_stays_the_outcome_although_the_signal_comes_later(
    store: Store, suspend: Suspend, clock: FakeClock, lease: LeaseSome
) -> None:
    job_id = suspend(Suspension(APPROVAL, delay_ms=60_000))
    assert not store.signals.expire_waits()
    clock.advance(60_001)
    assert store.signals.expire_waits()
    assert not store.signals.expire_waits()
    store.signals.send(NewSignal("approved", "42", '"late"'))
    assert state_of(store, job_id) == (StepState.TIMED_OUT, None)
    (held,) = lease()
    assert held.job_id == job_id
    # An attempt that had not seen it waits no longer.
    retention = RetentionRules(signals_s=0)
    clock.advance(1_000)
    retain(store, retention)
    store.leases.finish([Finished(held, Ending.SNOOZED, wait=Suspension(APPROVAL))])
    assert [held.job_id for held in lease()] == [job_id]


def test_thousands_who_wait_are_woken_in_bounded_transactions(
    monkeypatch: pytest.MonkeyPatch, another: Opener, submit: Submit, lease: LeaseSome
) -> None:
    monkeypatch.setattr(dependencies, "_MOST_AT_ONCE", 5)
    store = another()
    for _ in range(12):
        submit()
    ends = [Finished(held, Ending.SNOOZED, wait=Suspension(APPROVAL)) for held in lease(12)]
    store.leases.finish(ends)
    store.signals.send(NewSignal("approved", "42"))
    assert store.stats.counts()[Status.BLOCKED] == 7
    assert store.maintenance.verify() == []
    assert store.signals.continue_wakes()
    assert store.signals.continue_wakes()
    assert not store.signals.continue_wakes()
    assert len(lease(20)) == 12


def test_the_job_that_waits_longest_is_found_unless_it_is_cancelled(
    store: Store, suspend: Suspend, clock: FakeClock
) -> None:
    first, before_ms = suspend(Suspension(APPROVAL)), store.clock.wall_ms() + 1
    clock.advance(10)
    second = suspend(Suspension(APPROVAL))
    assert store.signals.long_waits(before_ms - 1) is None
    found = store.signals.long_waits(before_ms)
    assert found is not None
    assert (found.job_id, found.signal, found.key, found.jobs) == (first, "approved", "42", 1)
    store.jobs.cancel(first)
    found = store.signals.long_waits(store.clock.wall_ms() + 1)
    assert found is not None
    assert (found.job_id, found.jobs) == (second, 1)


def test_a_success_sends_its_signals_and_a_lost_lease_sends_none(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    submit()
    (held,) = lease()
    clock.advance(TTL_MS + 1)
    late = Finished(held, Ending.SUCCEEDED, "1", signals=(NewSignal("paid", "7", "1"),))
    assert store.leases.finish([late]) == {held.token}
    assert store.signals.find("paid", "7") is None
    store.leases.reclaim_expired()
    (held,) = lease()
    store.leases.finish([late._replace(lease=held)])
    sent = store.signals.find("paid", "7")
    assert sent is not None
    assert sent.payload == "1"


def test_old_signals_are_deleted_and_what_they_told_stays(
    store: Store, suspend: Suspend, clock: FakeClock
) -> None:
    job_id = suspend(Suspension(APPROVAL))
    store.signals.send(NewSignal("approved", "42", '"ada"'))
    clock.advance(100_000)
    retain(store, RetentionRules(signals_s=99))
    assert store.signals.find("approved", "42") is None
    assert state_of(store, job_id) == (StepState.KEPT, '"ada"')


def test_a_signal_does_not_free_a_retried_function_that_waits_for_another_job(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    first = submit()
    waits = submit(depends_on=(first,), on_dependency_failure="run")
    end(store, lease()[0], Ending.FAILED_PERMANENTLY)
    (held,) = lease()
    store.leases.finish([Finished(held, Ending.SNOOZED, wait=Suspension(APPROVAL))])
    store.jobs.cancel(waits)
    store.jobs.retry(first)
    store.jobs.retry(waits)
    store.signals.send(NewSignal("approved", "42"))
    assert job(store, waits).status is Status.BLOCKED
    assert store.maintenance.verify() == []
    end(store, lease()[0])
    assert [held.job_id for held in lease()] == [waits]


# Children


def test_children_are_made_once_and_the_parent_is_free_when_all_have_ended(
    store: Store, suspend: Suspend, lease: LeaseSome
) -> None:
    parent = suspend(gather(NewJob("noop"), NewJob("noop", max_retries=0)))
    assert job(store, parent).status is Status.BLOCKED
    assert state_of(store, parent)[0] is StepState.WAITING
    first, second = lease(2)
    end(store, first)
    assert job(store, parent).status is Status.BLOCKED
    end(store, second, Ending.FAILED)
    assert job(store, parent).status is Status.PENDING
    assert state_of(store, parent)[0] is StepState.KEPT
    (held,) = lease()
    (row,) = store.steps.kept(parent).steps
    assert row.children == (first.job_id, second.job_id)
    children = {child.id: child.status for child in store.steps.children(row.children)}
    assert children == {first.job_id: Status.DONE, second.job_id: Status.FAILED}
    # A worker that had not seen that they ended asks again: none is made twice.
    store.leases.finish([Finished(held, Ending.SNOOZED, wait=gather(NewJob("noop")))])
    assert job(store, parent).status is Status.PENDING
    assert store.stats.counts()[Status.PENDING] == 1


def test_a_parent_is_due_when_its_children_have_ended_although_the_clock_was_set_back(
    store: Store, suspend: Suspend, lease: LeaseSome, clock: FakeClock
) -> None:
    parent = suspend(gather(NewJob("noop")))
    (child,) = lease()
    clock.wall -= 3_600_000
    end(store, child)
    assert [held.job_id for held in lease()] == [parent]


def test_a_lost_lease_makes_no_children(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    job_id = submit()
    (held,) = lease()
    clock.advance(TTL_MS + 1)
    late = Finished(held, Ending.SNOOZED, wait=gather(NewJob("noop")))
    assert store.leases.finish([late]) == {held.token}
    assert store.steps.of(job_id) == []


@pytest.mark.parametrize(
    "child", [NewJob("noop", unique_key="me"), NewJob("noop", depends_on=(1,))]
)
def test_a_child_that_waits_for_the_parent_or_is_the_parent_fails_it(
    store: Store, submit: Submit, lease: LeaseSome, child: NewJob
) -> None:
    job_id = submit(unique_key="me")
    (held,) = lease()
    store.leases.finish([Finished(held, Ending.SNOOZED, wait=gather(child))])
    failed = job(store, job_id)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert "wait for itself" in failed.error.message


def test_cancelling_the_parent_cancels_its_children_in_bounded_transactions(
    monkeypatch: pytest.MonkeyPatch, another: Opener, submit: Submit, lease: LeaseSome
) -> None:
    monkeypatch.setattr(dependencies, "_MOST_AT_ONCE", 5)
    store = another()
    other = submit(unique_key="live")
    parent = submit(priority=9)
    (held,) = lease()
    children = [NewJob("noop", priority=5)] * 8 + [NewJob("noop", unique_key="live")]
    store.leases.finish([Finished(held, Ending.SNOOZED, wait=gather(*children))])
    (running,) = lease()
    store.jobs.cancel(parent)
    while store.dependencies.continue_cascades():
        pass
    assert store.stats.counts()[Status.CANCELLED] == 8
    assert job(store, running.job_id).cancel_requested
    assert job(store, other).status is Status.PENDING
    assert store.maintenance.verify() == []


def test_a_retry_looks_again_at_children_and_may_forget_from_a_step_on(
    store: Store, suspend: Suspend, lease: LeaseSome
) -> None:
    parent = suspend(gather(NewJob("noop", max_retries=0)))
    (child,) = lease()
    end(store, child, Ending.FAILED)
    (held,) = lease()
    frozen = NewStep("mails", 1, StepKind.GATHER, '{"failed":{}}')
    assert store.steps.keep(held, frozen)
    assert store.steps.keep(held, step("after", position=2))
    end(store, held, Ending.FAILED_PERMANENTLY)
    with pytest.raises(NotFound):
        store.jobs.retry(parent, from_step="mail")
    store.jobs.retry(parent)
    kept = {row.name: row.state for row in store.steps.kept(parent).steps}
    assert kept["mails"] is StepState.WAITING
    (held,) = lease()
    end(store, held, Ending.FAILED_PERMANENTLY)
    store.jobs.retry(parent, from_step="mails")
    assert store.steps.of(parent) == []
    (held,) = lease()
    store.leases.finish([Finished(held, Ending.SNOOZED, wait=gather(NewJob("noop")))])
    assert [made.job_id for made in lease()] != [child.job_id]
    assert store.maintenance.verify() == []


def test_a_child_is_kept_until_its_parent_is_done(
    store: Store, suspend: Suspend, lease: LeaseSome
) -> None:
    parent = suspend(gather(NewJob("noop")))
    (child,) = lease()
    end(store, child)
    with pytest.raises(TransitionRefused):
        store.jobs.delete(child.job_id)
    (held,) = lease()
    end(store, held)
    store.jobs.delete(child.job_id)
    store.jobs.delete(parent)
    assert store.maintenance.verify() == []
