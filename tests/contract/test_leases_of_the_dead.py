"""What a death or a reboot leaves of a worker's leases, by what its cell tells."""

import pytest

from orpheus.shared.domain.jobs import Holder, JobError, Outcome, Status
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import LeaseHolder, Store
from tests.contract.conftest import TTL_MS, End, LeaseSome, Submit


def test_a_reboot_voids_every_lease(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock
) -> None:
    job_id = submit()
    (held,) = lease()
    clock.boot = "boot-2"
    clock.monotonic = 10
    assert not end(held)
    assert store.leases.reclaim_expired() == []
    assert store.leases.void_other_boots() == [job_id]
    assert store.jobs.get(job_id).status is Status.PENDING


def ended(store: Store, jobs: list[int]) -> list[tuple[Status, list[str | None]]]:
    return [
        (
            store.jobs.get(job).status,
            [a.error.type if a.error else None for a in store.jobs.attempts(job)],
        )
        for job in jobs
    ]


NOT_RUN: tuple[Status, list[str | None]] = (Status.PENDING, [])


def test_after_a_reboot_only_what_was_certainly_entered_pays(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    jobs = [submit(max_retries=0) for _ in range(3)]
    held = lease(3)
    clock.boot = "boot-2"
    cell = CellState(held[1].token, running=True)
    assert store.leases.void_other_boots(lambda _: LeaseHolder(cell)) == jobs
    assert ended(store, jobs) == [
        (Status.FAILED, ["ResultLost"]),
        (Status.FAILED, ["WorkerCrashed"]),
        NOT_RUN,
    ]


@pytest.mark.parametrize("cell", [None, CellState(0, running=False), CellState(1, running=True)])
def test_after_a_reboot_a_cell_older_than_the_leases_tells_nothing(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock, cell: CellState | None
) -> None:
    submit()
    end(lease()[0])  # with token 1
    jobs = [submit(max_retries=0) for _ in range(2)]
    for _ in range(2):
        assert ended(store, jobs) in ([NOT_RUN] * 2, [(Status.PENDING, ["Rebooted"])] * 2)
        lease(2)
        clock.boot = f"{clock.boot} and another"
        store.leases.void_other_boots(lambda _: LeaseHolder(cell))
    assert ended(store, jobs) == [(Status.FAILED, ["Rebooted"] * 2)] * 2, "two in a row"


def test_a_process_that_may_be_alive_is_spared_by_those_without_the_lock(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    clock.boot = "kernel-1/time-1"
    job_id = submit()
    lease()
    clock.boot = "kernel-1/time-2"
    assert store.leases.void_other_boots(only_reboots=True) == []
    clock.boot = "kernel-2/time-1"
    assert store.leases.void_other_boots(only_reboots=True) == [job_id]


@pytest.mark.parametrize("is_dead", [True, False])
def test_an_expired_lease_of_a_job_that_was_not_entered_pays_nothing(
    store: Store, submit: Submit, lease: LeaseSome, clock, is_dead: bool
) -> None:
    jobs = [submit(max_retries=0) for _ in range(3)]
    held = lease(3)
    clock.advance(TTL_MS)
    holder = LeaseHolder(CellState(held[1].token, running=True), is_dead)
    assert store.leases.reclaim_expired(lambda _: holder) == jobs
    errors = ["ResultLost", "WorkerCrashed"] if is_dead else ["LeaseExpired"] * 2
    assert ended(store, jobs) == [*((Status.FAILED, [error]) for error in errors), NOT_RUN]


def test_a_death_spends_an_attempt_of_the_running_job_only(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    jobs = [submit(max_retries=2) for _ in range(4)]
    held = lease(4)
    dead = CellState(token=held[1].token, running=True)
    assert store.leases.free("life-1", dead, evidence="killed by SIGKILL") == jobs
    outcomes = [[a.outcome for a in store.jobs.attempts(job)] for job in jobs]
    assert outcomes == [[Outcome.LOST], [Outcome.CRASHED], [], []]
    error = store.jobs.attempts(jobs[1])[0].error
    assert error is not None and "killed by SIGKILL" in error.message
    assert [store.jobs.get(job).status for job in jobs] == [Status.PENDING] * 4
    assert [one.failures for one in lease(4)] == [0, 1, 0, 0]


def test_a_death_between_two_jobs_crashes_neither(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    jobs = [submit() for _ in range(2)]
    held = lease(2)
    store.leases.free("life-1", CellState(token=held[0].token, running=False))
    assert [[a.outcome for a in store.jobs.attempts(job)] for job in jobs] == [[Outcome.LOST], []]


def test_a_job_whose_worker_dies_at_each_commit_is_lost_for_free_once_then_fails(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    job_id = submit(max_retries=1)
    waits = []
    while store.jobs.get(job_id).status is not Status.FAILED:
        (held,) = lease()
        store.leases.free("life-1", CellState(held.token, running=False))
        job = store.jobs.get(job_id)
        waits.append(max(0, job.run_at_ms - clock.wall))
        clock.advance(waits[-1])
    assert waits == [0, 1_000, 0]
    assert [one.outcome for one in store.jobs.attempts(job_id)] == [Outcome.LOST] * 3
    store.jobs.retry(job_id)
    (held,) = lease()
    store.leases.free("life-1", CellState(held.token, running=False))
    assert store.jobs.get(job_id).status is Status.PENDING, "the first of a new count"


def test_a_job_that_keeps_crashing_reruns_at_once_then_backs_off_then_fails(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    job_id = submit(max_retries=2)
    waits = []
    while store.jobs.get(job_id).status is not Status.FAILED:
        (held,) = lease()
        store.leases.free("life-1", CellState(held.token, running=True), evidence="SIGSEGV")
        job = store.jobs.get(job_id)
        waits.append(max(0, job.run_at_ms - clock.wall))
        clock.advance(waits[-1])
    assert waits == [0, 2_000, 0]
    assert job.error is not None and "SIGSEGV" in job.error.message


def test_a_job_killed_at_its_hard_deadline_has_timed_out(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit()
    (held,) = lease()
    cell = CellState(held.token, running=True)
    store.leases.free("life-1", cell, killed_at_deadline=True)
    assert store.jobs.attempts(job_id)[0].outcome is Outcome.TIMED_OUT


def test_a_job_killed_as_it_did_not_heed_its_cancel_is_cancelled(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit()
    (held,) = lease()
    store.jobs.cancel(job_id)
    cell = CellState(held.token, running=True)
    store.leases.free("life-1", cell, killed_at_deadline=True, evidence="past it", stacks="Stack")
    (attempt,) = store.jobs.attempts(job_id)
    assert (store.jobs.get(job_id).status, attempt.outcome) == (Status.CANCELLED, "cancelled")
    assert attempt.error == JobError(
        "CancelIgnored",
        "the job did not stop when it was cancelled; its worker was killed: past it",
        "Stack",
    )


def test_a_crash_of_a_job_with_cancel_requested_ends_it_cancelled(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit()
    (held,) = lease()
    assert store.leases.cancel_requests({job_id: held.token}) == set()
    assert store.jobs.cancel(job_id)[1] is False
    assert store.leases.cancel_requests({job_id: held.token}) == {job_id}
    store.leases.free("life-1", CellState(held.token, running=True))
    assert store.jobs.get(job_id).status is Status.CANCELLED


def test_only_the_incarnation_that_died_loses_its_leases(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    mine, theirs = submit(), submit()
    lease(1)
    store.leases.lease(Holder("default-2", "life-2", 102), ("*",), 1, 30_000)
    assert store.leases.free("life-1", None) == [mine]
    assert store.jobs.get(theirs).status is Status.IN_PROGRESS


def together(*tokens: int, last: int, overdue: int | None = None) -> CellState:
    """The cell of a worker that ran these jobs at once."""
    marks = frozenset(() if overdue is None else (overdue,))
    return CellState(last, running=True, together=frozenset(tokens), overdue=marks)


def outcomes(store: Store, jobs: list[int]) -> list[list[Outcome | None]]:
    return [[one.outcome for one in store.jobs.attempts(job)] for job in jobs]


def test_jobs_that_ran_together_share_a_crash_once(
    store: Store, submit: Submit, lease: LeaseSome, holder: Holder
) -> None:
    jobs = [submit(max_retries=1) for _ in range(4)]
    first, second, third, _ = lease(4)
    cell = together(second.token, third.token, last=third.token)
    store.leases.free(holder.incarnation, cell)
    assert outcomes(store, jobs) == [[Outcome.LOST], [Outcome.CRASHED], [Outcome.CRASHED], []]
    again = {one.job_id: one for one in lease(4)}
    assert [again[job].crashes for job in jobs] == [0, 1, 1, 0]
    assert [again[job].failures for job in jobs] == [0] * 4
    assert [one.crashes for one in store.jobs.running().values()] == [0], "that of the first"
    alone = again[jobs[1]]
    store.leases.free(holder.incarnation, together(alone.token, last=alone.token))
    assert store.jobs.get(jobs[1]).status is Status.PENDING
    assert outcomes(store, jobs)[1] == [Outcome.CRASHED] * 2
    assert first.token < alone.token


def test_jobs_that_always_crash_together_fail_and_only_the_attempts_that_spent_a_retry_are_counted(
    store: Store, submit: Submit, lease: LeaseSome, holder: Holder, clock
) -> None:
    jobs = [submit(max_retries=3) for _ in range(2)]
    for _ in range(5):
        first, second = lease(2)
        cell = together(first.token, second.token, last=second.token)
        store.leases.free(holder.incarnation, cell)
        clock.advance(600_000)
    assert ended(store, jobs) == [(Status.FAILED, ["WorkerCrashed"] * 5)] * 2
    assert store.maintenance.verify() == []


def test_of_jobs_that_ran_together_the_overdue_one_pays_and_the_others_are_released(
    store: Store, submit: Submit, lease: LeaseSome, holder: Holder
) -> None:
    jobs = [submit(max_retries=0) for _ in range(3)]
    tokens = [one.token for one in lease(3)]
    store.jobs.cancel(jobs[1])
    cell = together(*tokens, last=tokens[2], overdue=tokens[1])
    store.leases.free(holder.incarnation, cell, killed_at_deadline=True)
    assert outcomes(store, jobs) == [[Outcome.RELEASED], [Outcome.CANCELLED], [Outcome.RELEASED]]


def test_without_a_mark_nobody_knows_which_job_was_overdue(
    store: Store, submit: Submit, lease: LeaseSome, holder: Holder
) -> None:
    jobs = [submit() for _ in range(2)]
    tokens = [one.token for one in lease(2)]
    cell = together(*tokens, last=tokens[1])
    store.leases.free(holder.incarnation, cell, killed_at_deadline=True)
    assert outcomes(store, jobs) == [[Outcome.CRASHED]] * 2


def test_after_a_reboot_a_cell_of_many_says_nothing_of_newer_leases(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    jobs = [submit(max_retries=0) for _ in range(3)]
    tokens = [one.token for one in lease(3)]
    clock.boot = "boot-2"
    cell = together(tokens[0], last=tokens[1])
    store.leases.void_other_boots(lambda _: LeaseHolder(cell))
    assert ended(store, jobs) == [
        (Status.FAILED, ["WorkerCrashed"]),
        (Status.FAILED, ["ResultLost"]),
        (Status.PENDING, ["Rebooted"]),
    ]


def test_an_expired_lease_pays_only_where_its_job_runs(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    jobs = [submit() for _ in range(2)]
    tokens = [one.token for one in lease(2)]
    clock.monotonic += TTL_MS
    cell = together(tokens[0], last=tokens[0])
    store.leases.reclaim_expired(lambda _: LeaseHolder(cell))
    assert ended(store, jobs) == [(Status.PENDING, ["LeaseExpired"]), NOT_RUN]


def test_what_is_not_eligible_is_left_to_others(
    store: Store, submit: Submit, holder: Holder
) -> None:
    jobs = [submit() for _ in range(3)]

    def first_and_last(crashes) -> list[int]:
        assert list(crashes) == [0, 0, 0]
        return [0, 2]

    leases = store.leases.lease(holder, ["*"], 3, TTL_MS, eligible=first_and_last)
    assert [one.job_id for one in leases] == [jobs[0], jobs[2]]
    assert store.jobs.get(jobs[1]).status is Status.PENDING
