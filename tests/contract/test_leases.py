"""Leasing: order, fencing, expiry, and what follows each ending."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.jobs import Holder, Lease, NewJob, Outcome, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store
from tests.contract.conftest import TTL_MS, End, LeaseSome, Submit, ids


def test_jobs_are_leased_by_priority_then_time_then_id(
    submit: Submit, lease: LeaseSome, clock
) -> None:
    low = submit(priority=-5)
    first = submit()
    second = submit()
    earlier = submit(run_at_ms=clock.wall - 1000)
    urgent = submit(priority=10)
    assert ids(lease(10)) == [urgent, earlier, first, second, low]


def test_order_holds_across_queues(submit: Submit, lease: LeaseSome) -> None:
    a1 = submit(queue="a", priority=1)
    b2 = submit(queue="b", priority=2)
    a3 = submit(queue="a", priority=3)
    b1 = submit(queue="b", priority=1)
    assert ids(lease(3)) == [a3, b2, a1]
    assert ids(lease(3)) == [b1]


def test_only_served_queues_are_leased(submit: Submit, lease: LeaseSome) -> None:
    submit(queue="mail")
    other = submit(queue="other")
    assert ids(lease(10, queues=("other", "nothing"))) == [other]


def test_tokens_grow_in_the_order_of_leasing(submit: Submit, lease: LeaseSome, end: End) -> None:
    for _ in range(4):
        submit()
    first = lease(2)
    second = lease(2)
    tokens = [one.token for one in first + second]
    assert tokens == sorted(set(tokens))
    end(first[0], Ending.RELEASED)
    (again,) = lease(1)
    assert again.job_id == first[0].job_id
    assert again.token > max(tokens)


def test_a_delayed_job_is_leased_when_its_time_has_come_and_not_before(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    job_id = submit(delay_ms=5_000)
    assert store.leases.next_due_ms() == clock.wall + 5_000
    clock.advance(4_999)
    assert lease() == []
    clock.advance(1)
    assert ids(lease()) == [job_id]
    assert store.leases.next_due_ms() is None


def test_a_job_without_delay_is_due_at_once_whatever_the_wall_clock_says(
    submit: Submit, lease: LeaseSome, clock
) -> None:
    job_id = submit()
    clock.wall -= 3_600_000
    assert ids(lease()) == [job_id]


def test_an_idle_lease_writes_nothing(store: Store, lease: LeaseSome, another) -> None:
    watcher = another()
    watcher.data_changed()
    assert lease() == []
    assert not watcher.data_changed()


def test_success_keeps_the_result_and_the_attempt(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit()
    (held,) = lease()
    running = store.jobs.attempts(job_id)
    assert [(a.number, a.outcome, a.worker, a.pid) for a in running] == [
        (1, None, "default-1", 101)
    ]
    assert end(held, result='{"n": 18446744073709551617}')
    job = store.jobs.get(job_id)
    assert (job.status, job.result, job.error) == (
        Status.DONE,
        '{"n": 18446744073709551617}',
        None,
    )
    (attempt,) = store.jobs.attempts(job_id)
    assert (attempt.number, attempt.outcome) == (1, Outcome.SUCCEEDED)


def test_failures_wait_with_exponential_backoff_and_then_fail(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    job_id = submit(max_retries=3)
    waits = []
    for _ in range(3):
        (held,) = lease()
        assert end(held, Ending.FAILED)
        job = store.jobs.get(job_id)
        assert job.status is Status.PENDING
        assert job.error is not None and job.error.message == "it broke"
        waits.append(job.run_at_ms - clock.wall)
        assert lease() == []
        clock.advance(waits[-1])
    (held,) = lease()
    assert end(held, Ending.FAILED)
    job = store.jobs.get(job_id)
    assert job.status is Status.FAILED
    assert waits == [1_000, 2_000, 4_000]
    assert [a.outcome for a in store.jobs.attempts(job_id)] == [Outcome.FAILED] * 4


def test_a_permanent_failure_is_not_retried(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit(max_retries=9)
    assert end(lease()[0], Ending.FAILED_PERMANENTLY)
    assert store.jobs.get(job_id).status is Status.FAILED


def test_a_snoozed_or_released_job_spends_no_retry(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    job_id = submit(max_retries=0)
    assert end(lease()[0], Ending.SNOOZED, snooze_ms=60_000)
    assert lease() == []
    clock.advance(60_000)
    assert end(lease()[0], Ending.RELEASED)
    (third,) = lease()
    assert third.attempt == 3
    assert end(third)
    assert [a.outcome for a in store.jobs.attempts(job_id)] == [
        Outcome.SNOOZED,
        Outcome.RELEASED,
        Outcome.SUCCEEDED,
    ]


def test_an_older_token_changes_nothing(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit()
    (old,) = lease()
    assert end(old, Ending.RELEASED)
    (new,) = lease()
    before = store.jobs.get(job_id), store.events.last_seq()
    assert not end(old)
    assert not end(old, Ending.FAILED)
    assert store.leases.renew({job_id: old.token}, 30_000) == {old.token}
    assert not store.leases.progress(job_id, old.token, 0.5, None)
    store.leases.release([old])
    assert (store.jobs.get(job_id), store.events.last_seq()) == before
    assert end(new)


def test_an_expired_lease_cannot_be_finished_or_renewed_and_is_taken_back(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    job_id = submit(max_retries=1)
    (held,) = lease()
    clock.advance(29_999)
    assert store.leases.renew({job_id: held.token}, 30_000) == set()
    assert store.leases.reclaim_expired() == []
    clock.advance(30_000)
    assert not end(held)
    assert store.leases.renew({job_id: held.token}, 30_000) == {held.token}
    assert store.leases.reclaim_expired() == [job_id]
    (attempt,) = store.jobs.attempts(job_id)
    assert attempt.outcome is Outcome.LOST
    assert ids(lease()) == [job_id]


def test_an_expired_lease_that_nobody_reclaimed_can_be_renewed_late(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    submit()
    submit()
    kept, taken = lease(2)
    tokens = {kept.job_id: kept.token, taken.job_id: taken.token}
    clock.advance(TTL_MS)
    assert not end(kept), "not without a renewal"
    assert store.leases.renew(tokens, TTL_MS) == {kept.token, taken.token}
    assert store.leases.renew({kept.job_id: kept.token}, TTL_MS, late=True) == set()
    assert store.leases.reclaim_expired() == [taken.job_id]
    assert store.leases.renew(tokens, TTL_MS, late=True) == {taken.token}
    assert end(kept)


def test_a_wall_clock_jump_moves_no_lease(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    submit()
    (held,) = lease()
    clock.wall += 86_400_000
    assert store.leases.reclaim_expired() == []
    clock.wall -= 2 * 86_400_000
    assert store.leases.reclaim_expired() == []
    assert end(held)


def test_a_lease_released_unentered_leaves_no_attempt_and_no_number(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit()
    assert end(lease()[0], Ending.RELEASED)
    (ahead,) = lease()
    assert ahead.attempt == 2
    store.leases.release([ahead])
    job = store.jobs.get(job_id)
    assert (job.status, job.attempt) == (Status.PENDING, 1)
    (again,) = lease()
    assert again.attempt == 2
    assert again.token > ahead.token


def test_a_lease_released_unentered_leaves_the_job_as_its_attempt_before_left_it(
    store: Store, submit: Submit
) -> None:
    def lease_as(number: int) -> list[Lease]:
        holder = Holder(slot=f"default-{number}", incarnation=f"life-{number}", pid=100 + number)
        return store.leases.lease(holder, ("*",), 2, TTL_MS)

    jobs = [submit(), submit()]
    for number in (1, 2):
        for held in lease_as(number):
            store.leases.finish([Finished(held, Ending.SNOOZED)])
    before = [store.jobs.get(job) for job in jobs]
    store.leases.release(lease_as(3))
    assert [store.jobs.get(job) for job in jobs] == before
    pids = store._database.all("SELECT worker, worker_pid FROM jobs ORDER BY id")
    assert pids == [("default-2", 102)] * 2


def test_leases_that_their_holder_does_not_know_are_released_unentered(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    _, unknown_id, cancelled_id = submit(), submit(concurrency_key="a"), submit()
    known, unknown, _ = lease(3)
    store.jobs.cancel(cancelled_id)
    submit()
    (of_another,) = store.leases.lease(Holder("default-2", "life-2", 102), ("*",), 1, TTL_MS)
    released = store.leases.release_unknown("life-1", {known.token})
    assert released == [unknown_id, cancelled_id]
    assert store.leases.release_unknown("life-1", {known.token}) == []
    assert not end(unknown)
    assert (store.jobs.get(unknown_id).status, store.jobs.get(unknown_id).attempt) == (
        Status.PENDING,
        0,
    )
    assert store.jobs.get(cancelled_id).status is Status.CANCELLED
    assert store.jobs.attempts(unknown_id) == store.jobs.attempts(cancelled_id) == []
    assert end(known) and end(of_another)
    assert store.maintenance.verify() == []


def test_an_expired_lease_that_its_holder_does_not_know_is_left_to_who_reclaims_it(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    """Its holder may have run the job: then the result was refused, and is forgotten."""
    job_id = submit()
    (held,) = lease()
    clock.advance(TTL_MS)
    assert not end(held)
    assert store.leases.release_unknown("life-1", ()) == []
    assert store.leases.reclaim_expired() == [job_id]
    assert [one.outcome for one in store.jobs.attempts(job_id)] == [Outcome.LOST]


def test_a_cancelled_job_that_was_leased_ahead_ends_without_an_attempt(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit()
    (held,) = lease()
    store.jobs.cancel(job_id)
    store.leases.release([held])
    assert store.jobs.get(job_id).status is Status.CANCELLED
    assert store.jobs.attempts(job_id) == []


def test_done_wins_over_a_cancel_that_came_too_late(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit()
    (held,) = lease()
    store.jobs.cancel(job_id)
    assert end(held)
    assert store.jobs.get(job_id).status is Status.DONE


def test_finish_and_lease_share_one_transaction(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    submit()
    second = submit()
    (held,) = lease(1)
    with store.write(durable=True):
        assert end(held)
        (following,) = lease(1)
    assert following.job_id == second


def end_and_raise(store: Store, change: Callable[[], object]) -> None:
    with store.write(durable=True):
        change()
        raise RuntimeError("on purpose")


def test_an_exception_undoes_the_whole_transaction(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit()
    (held,) = lease(1)
    seq = store.events.last_seq()
    with pytest.raises(RuntimeError, match="on purpose"):
        end_and_raise(store, lambda: end(held))
    assert store.jobs.get(job_id).status is Status.IN_PROGRESS
    assert store.events.last_seq() == seq
    assert store.stats.counts()[Status.IN_PROGRESS] == 1


def test_progress_is_kept_with_the_job_until_its_next_attempt(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit()
    (held,) = lease()
    assert store.leases.progress(job_id, held.token, 0.5, "half way")
    job = store.jobs.get(job_id)
    assert (job.progress, job.message) == (0.5, "half way")
    end(held, Ending.RELEASED)
    lease()
    assert store.jobs.get(job_id).progress is None


def test_a_batch_reports_only_the_lost_ones_as_lost(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    for _ in range(3):
        submit()
    held = lease(3)
    store.leases.release([held[1]])
    lost = store.leases.finish([Finished(one, Ending.SUCCEEDED, "null") for one in held])
    assert lost == {held[1].token}
    assert store.stats.counts()[Status.DONE] == 2


def test_submitting_many_keeps_all_or_none(store: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)check"):
        store.jobs.submit_many([NewJob("noop"), NewJob("noop", priority=5_000)])
    assert sum(store.stats.counts().values()) == 0
    assert store.events.last_seq() == 0


def test_each_worker_runs_the_first_of_the_jobs_it_has_leased(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    first, _, third = submit(), submit(), submit()
    lease(2)
    store.leases.lease(Holder("default-2", "life-2", 102), ("*",), 1, 30_000)
    running = store.jobs.running()
    assert {one.incarnation: one.id for one in running.values()} == {
        "life-1": first,
        "life-2": third,
    }
    assert running["life-1"].worker == "default-1"


@pytest.mark.parametrize("ending", [Ending.SUCCEEDED, Ending.FAILED, Ending.SNOOZED])
def test_a_result_that_is_stored_already_is_told_from_one_that_is_lost(
    store: Store, submit: Submit, lease: LeaseSome, ending: Ending
) -> None:
    """The answer to a commit may be lost, and its worker reports the same again."""
    job_id = submit()
    (held,) = lease()
    finished = Finished(held, ending, "1", snooze_ms=60_000)
    assert store.leases.stored([finished]) == set()
    assert store.leases.finish([finished]) == set()
    before = (store.jobs.get(job_id), store.jobs.attempts(job_id), store.events.last_seq())
    assert store.leases.finish([finished]) == {held.token}
    assert store.leases.stored([finished]) == {held.token}
    assert store.leases.stored([Finished(held, Ending.TIMED_OUT)]) == set()
    assert (store.jobs.get(job_id), store.jobs.attempts(job_id), store.events.last_seq()) == before
