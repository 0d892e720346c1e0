"""Ends leases other than by success, and decides how the leases of a dead or silent worker end.

The rules of what follows are in shared/domain/lifecycle.py; this stores the attempt, the job's next
status, an event and the counts.

The crash cell (shared/process/crash_cell.py) names the job that a worker entered last, and the jobs
that were running. Tokens grow in the order in which a worker enters its jobs, so the cell tells of
each lease whether its job was running, had run, or was not entered yet.
"""

import random
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.backoff import BackoffOfType, BackoffRules, backoff_delay_ms
from orpheus.shared.domain.error_location import MOST_CHARS, location_of
from orpheus.shared.domain.jobs import JobError, Outcome, Status, waits_since_ms
from orpheus.shared.domain.lifecycle import (
    ENDINGS,
    TERMINAL,
    Ending,
    Finished,
    Next,
    RunTimes,
    Spent,
    Wait,
    after,
)
from orpheus.shared.domain.limits import MOST_ATTEMPTS
from orpheus.shared.domain.steps import Suspension
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage.data import LeaseHolder
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.dependencies import Dependencies
from orpheus.shared.storage.verbs.events import Events
from orpheus.shared.storage.verbs.job_types import Versions
from orpheus.shared.storage.verbs.keys import Keys
from orpheus.shared.storage.verbs.quarantines import Quarantines
from orpheus.shared.storage.verbs.queues import Queues
from orpheus.shared.storage.verbs.steps import Steps

_OLD_AT_ONCE = 100
_RETRIED = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED, Outcome.LOST})
"""At most so many old attempts are deleted when one ends: an earlier version kept them all."""
_LINES_AT_ONCE = 1_000


class LeasedJob(NamedTuple):
    """A leased job as `held-lease` and `spent` read it: what its end depends on.

    A tuple, as Lease is one.
    """

    id: int
    queue: str
    concurrency_key: str | None
    failures: int
    crashes: int
    losses: int
    max_retries: int
    attempt: int
    cancel_requested: int
    has_dependents: int
    run_at_ms: int
    freed_at_ms: int | None
    started_at_ms: int
    type: str
    lease_token: int

    @property
    def waits_since_ms(self) -> int:
        """Since when it waited for a worker."""
        return waits_since_ms(self.run_at_ms, self.freed_at_ms)


class Ended(msgspec.Struct, frozen=True):
    """A lease that ends: by its worker, by the supervisor or by expiry."""

    job_id: int
    token: int
    ending: Ending
    error: JobError | None = None
    snooze_ms: int = 0
    cpu_s: float | None = None
    max_rss_bytes: int | None = None
    run: RunTimes | None = None
    """None: from the lease until now, for all that is known."""
    crash: str | None = None
    """How its worker died, if that counts against the type of the job."""
    seen_ms: int | None = None
    """When a worker that died unseen was heard last: the run ended then, the job ends now."""
    versions: str | None = None
    """Its worker could not read the job: these versions of its type can."""
    wait: Suspension | None = None
    """What a durable function waits for."""
    retry_ms: int | None = None
    """How long a retry waits; None: for the backoff of the type."""

    @classmethod
    def of(cls, report: Finished) -> "Ended":
        """Return the end of a lease whose job its worker has run."""
        fields = (
            report.ending,
            report.error,
            report.snooze_ms,
            report.cpu_s,
            report.max_rss_bytes,
            report.run,
        )
        job_id, token = report.lease.job_id, report.lease.token
        return cls(
            job_id,
            token,
            *fields,
            versions=report.versions,
            wait=report.wait,
            retry_ms=report.retry_ms,
        )


class EndedLeases:
    """Ends leases one by one, inside a transaction."""

    def __init__(
        self,
        database: Database,
        events: Events,
        dependencies: Dependencies,
        queues: Queues,
        keys: Keys,
        quarantines: Quarantines,
        versions: Versions,
        steps: Steps,
        backoff: BackoffRules,
    ) -> None:
        self._database = database
        self._events = events
        self._dependencies = dependencies
        self._queues = queues
        self._keys = keys
        self._quarantines = quarantines
        self._versions = versions
        self._steps = steps
        self._backoff = backoff
        self._random = random.Random()
        self._sql = database.sql("leases.sql")

    def held(
        self,
        leases: Iterable[tuple[int, int]],
        now: tuple[int, str],
        *,
        skips_locked: bool = False,
    ) -> dict[int, LeasedJob]:
        """Return the jobs of those leases (job id, token) that are still held, by token.

        `skips_locked`: but for those that other transactions have locked.
        """
        sql = self._sql["held-lease-unlocked" if skips_locked else "held-lease"]
        rows = self._database.run_many(sql, [(*lease, *now) for lease in leases])
        return {job.lease_token: job for job in map(LeasedJob._make, rows)}

    def still_leased(self, leases: Iterable[tuple[int, int]], now: tuple[int, str]) -> set[int]:
        """Return the tokens of those leases (job id, token) that are still held, and lock none."""
        rows = self._database.run_many(self._sql["is-leased"], [(*lease, *now) for lease in leases])
        return {row[0] for row in rows}

    def end_if_leased(self, ended: Ended) -> None:
        """End the lease, whether or not it has expired; leave the job alone if it is not leased."""
        row = self._database.one(self._sql["spent"], ended.job_id, ended.token)
        if row is not None:
            self.end(ended, LeasedJob._make(row))

    def reclaim(
        self,
        job_id: int,
        token: int,
        ending: Ending,
        why: str | None,
        stacks: str | None = None,
        *,
        counts: bool = False,
        seen_ms: int | None = None,
    ) -> None:
        """End the lease of a worker that cannot. `counts`: a crash counts against the job's type.

        `seen_ms`: see Ended.
        """
        crash = (why or "it died") if counts and ending is Ending.CRASHED else None
        error = error_of(ending, why, stacks)
        self.end_if_leased(Ended(job_id, token, ending, error, crash=crash, seen_ms=seen_ms))

    def end(self, ended: Ended, job: LeasedJob, told_at_ms: int | None = None) -> None:
        """End the lease of a job that is leased. `told_at_ms`: when its worker told; None: now."""
        queue, key = job.queue, job.concurrency_key
        now_ms = self._database.clock.wall_ms()
        follows, run_at_ms, waits_for = self._what_follows(ended, job, now_ms)
        status = follows.status
        told_ms = now_ms if told_at_ms is None else told_at_ms
        started_ms, ended_ms = times_of(ended.run, job.started_at_ms, told_ms)
        job_ended_ms = ended_ms
        if ended.seen_ms is not None:
            ended_ms = self.heard_until_ms(ended.job_id, started_ms, ended.seen_ms)
        if follows.outcome is not None:
            times_ms = (job.waits_since_ms, started_ms, ended_ms)
            self._database.at_commit.count_attempt(
                queue, job.type, follows.outcome, times_ms, ended.cpu_s, ended.max_rss_bytes
            )
            spent_retry = follows.failures > job.failures
            self._record_attempt(
                ended, job.attempt, follows.outcome, started_ms, ended_ms, spent_retry=spent_retry
            )
        if ended.crash is not None:
            self._quarantines.note_crash(job.type, ended.job_id, ended.token, ended.crash)
        # A blocked function waits for no time: whatever the clock says, it is due once unblocked.
        is_due = status is Status.BLOCKED or (
            status is Status.PENDING and (run_at_ms is None or run_at_ms <= now_ms)
        )
        self._database.run(
            self._sql["end-lease"],
            status.value,
            int(is_due),
            run_at_ms,
            job_ended_ms if status in TERMINAL else None,
            follows.failures,
            follows.crashes,
            follows.losses,
            *_values_of(ended.error),
            ended.job_id,
            ended.token,
            "" if ended.error is None else location_of(ended.error.traceback),
            started_ms,
            now_ms if status is Status.PENDING and follows.outcome is not None else None,
            waits_for,
        )
        if ended.versions is not None:
            self._versions.label(ended.job_id, ended.versions)
        if follows.outcome is None:
            self._database.run(self._sql["forget-attempt"], ended.job_id, ended.token)
            self._queues.refund(queue)
            if key is not None:
                self._keys.refund(queue, key)
        if key is not None:
            self._keys.look_at([(queue, key)])
        self._database.at_commit.count_job(queue, Status.IN_PROGRESS, status)
        if status in TERMINAL:
            self._database.at_commit.count_ended(queue, job.type, status)
        if status is Status.PENDING and follows.outcome in _RETRIED:
            self._database.at_commit.count_retried(queue, job.type)
        if status is Status.PENDING:
            self._database.at_commit.ring_workers(queue)
        self._events.record_jobs(follows.event, [ended.job_id])
        if status in TERMINAL and (job.has_dependents or status is Status.CANCELLED):
            self._dependencies.ended([(ended.job_id, status)])

    def _what_follows(
        self, ended: Ended, job: LeasedJob, now_ms: int
    ) -> tuple[Next, int | None, int]:
        """Return what follows, when a pending job is due (None: as before), and its `waits_for`.

        Store what a durable function waits for: it has got on, so its retries count anew.
        """
        is_cancelled = bool(job.cancel_requested)
        spent = Spent(job.failures, job.crashes, job.max_retries, is_cancelled, job.losses)
        follows = after(ended.ending, spent)
        if ended.wait is None or follows.status is not Status.PENDING:
            return follows, self._due_again_ms(ended, follows, now_ms), 0
        waits_for, run_at_ms = self._steps.suspend(ended.job_id, job.attempt, ended.wait, now_ms)
        status = Status.BLOCKED if waits_for else Status.PENDING
        anew = msgspec.structs.replace(follows, status=status, failures=0, crashes=0, losses=0)
        return anew, run_at_ms, waits_for

    def heard_until_ms(self, job_id: int, started_ms: int, seen_ms: int) -> int:
        """Return when a run ended: at the last sign of its worker (`seen_ms`), or its last line."""
        # The last line may be of an earlier attempt: then it is before this one.
        line_ms: tuple[int, ...] = self._database.one(self._sql["last-line"], job_id) or ()
        now_ms = self._database.clock.wall_ms()
        return min(max(started_ms, seen_ms, *line_ms), max(started_ms, now_ms))

    def _record_attempt(
        self,
        ended: Ended,
        number: int,
        outcome: Outcome,
        started_ms: int,
        ended_ms: int,
        *,
        spent_retry: bool,
    ) -> None:
        self._database.run(
            self._sql["record-attempt"],
            outcome.value,
            started_ms,
            ended_ms,
            *_values_of(ended.error),
            ended.cpu_s,
            ended.max_rss_bytes,
            int(spent_retry),
            ended.job_id,
            ended.token,
        )
        if number > MOST_ATTEMPTS:
            old = (ended.job_id, number - MOST_ATTEMPTS)
            self._database.run(self._sql["forget-old-attempts"], *old, _OLD_AT_ONCE)
            self._database.run(self._sql["forget-old-lines"], *old, _LINES_AT_ONCE)

    def _due_again_ms(self, ended: Ended, follows: Next, now_ms: int) -> int | None:
        """Return when a job that becomes pending is due; None: as before, so it keeps its turn."""
        if follows.status is not Status.PENDING:
            return None
        if ENDINGS[ended.ending].wait is Wait.AS_ASKED:
            return now_ms + ended.snooze_ms
        if follows.backoff_failures and ended.retry_ms is not None:
            return now_ms + ended.retry_ms
        if follows.backoff_failures:
            rules = self._backoff_of(ended.job_id)
            return now_ms + backoff_delay_ms(follows.backoff_failures, rules, self._random.random())
        return None

    def _backoff_of(self, job_id: int) -> BackoffRules:
        """Return the backoff of a job's type, the same whichever process ends the attempt."""
        row = self._database.one(self._database.sql("job_types.sql")["backoff-of-job"], job_id)
        return self._backoff if row is None else BackoffOfType(*row).over(self._backoff)


def times_of(run: RunTimes | None, leased_ms: int, now_ms: int) -> tuple[int, int]:
    """Return when an attempt started and ended.

    An end may be earlier than one that was committed before: `finished_at_ms` does not grow from
    commit to commit, but ids and seqs of events do. Whoever follows the ends of jobs reads events.
    """
    return (leased_ms, now_ms) if run is None else run.times_ms(leased_ms, now_ms)


def _values_of(error: JobError | None) -> tuple[str | None, str | None, str | None]:
    return (
        (None, None, None)
        if error is None
        else (error.type[:MOST_CHARS], error.message, error.traceback)
    )


def ending_by_death(
    token: int, cell: CellState | None, *, killed_at_deadline: bool, cancel_requested: bool
) -> Ending:
    """Return why a lease of a dead worker ended; without a cell it counts as expired."""
    if cell is None:
        return Ending.EXPIRED
    running = cell.running_tokens
    if token not in running:
        return Ending.RESULT_LOST if token <= cell.token else Ending.UNENTERED
    if killed_at_deadline and (cell.overdue or len(running) == 1):
        if cell.overdue and token not in cell.overdue:
            return Ending.RELEASED  # it only ran beside the job that was the reason
        return Ending.KILLED_AT_CANCEL if cancel_requested else Ending.KILLED_AT_DEADLINE
    return Ending.CRASHED if len(running) == 1 else Ending.CRASHED_TOGETHER


def ending_by_expiry(token: int, holder: LeaseHolder) -> Ending:
    """Return why a lease ended that was not renewed in time.

    A job that its worker had not entered pays nothing for it, whatever happened to the worker.
    """
    cell = holder.cell
    if holder.is_dead:
        return ending_by_death(token, cell, killed_at_deadline=False, cancel_requested=False)
    was_entered = cell is None or token <= cell.token or token in cell.running_tokens
    return Ending.EXPIRED if was_entered else Ending.UNENTERED


def ending_by_reboot(token: int, lowest_token: int, cell: CellState | None) -> Ending:
    """Return why a lease of an earlier boot ended; `lowest_token`: of the leases of its worker.

    After power loss a cell may be older than the leases. A worker enters the first job as soon as
    it has the leases, so a cell that does not name one of them, or a later one, is too old to tell.
    Where jobs run beside each other, a job that runs for long has an old lease that says nothing
    about newer ones.
    """
    if cell is None or cell.token < lowest_token:
        return Ending.REBOOTED
    if cell.together is not None and token > cell.token:
        return Ending.REBOOTED
    return ending_by_death(token, cell, killed_at_deadline=False, cancel_requested=False)


_ERRORS = {
    Ending.CRASHED: ("WorkerCrashed", "the worker process died while it ran this job"),
    Ending.CRASHED_TOGETHER: (
        "WorkerCrashed",
        "the worker process died while it ran this job and others; it runs alone from now on",
    ),
    Ending.KILLED_AT_DEADLINE: (
        "HardTimeout",
        "the job did not stop at its timeout; its worker was killed",
    ),
    Ending.KILLED_AT_CANCEL: (
        "CancelIgnored",
        "the job did not stop when it was cancelled; its worker was killed",
    ),
    Ending.EXPIRED: ("LeaseExpired", "the lease on this job ended unseen"),
    Ending.REBOOTED: ("Rebooted", "whether the job had been entered is not known"),
    Ending.RESULT_LOST: (
        "ResultLost",
        "the job had run, but its worker died before the result was committed",
    ),
}


def error_of(ending: Ending, why: str | None, stacks: str | None = None) -> JobError | None:
    """Return the error of a job whose lease ended; `stacks`: what its worker was doing."""
    if ending not in _ERRORS:
        return None
    kind, message = _ERRORS[ending]
    return JobError(kind, message if why is None else f"{message}: {why}", stacks)
