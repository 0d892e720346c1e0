"""The lease verbs of the store: lease, finish, renew, give back, reclaim.

A lease is three things in the job's row: token, expiry (monotonic clock, with boot id) and
incarnation. Every change of a leased job names the token. If no row changes, the lease is lost,
and nothing else is written: no attempt, no event, no count.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orpheus.shared.domain.backoff import BackoffRules, backoff_delay_ms
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Holder, JobError, Lease, Outcome, Status
from orpheus.shared.domain.lifecycle import (
    ENDINGS,
    TERMINAL,
    Ending,
    Finished,
    Next,
    Spent,
    Wait,
    after,
)
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage.data import Limit
from orpheus.shared.storage.sqlite.connection import Database
from orpheus.shared.storage.sqlite.dependencies import Dependencies
from orpheus.shared.storage.sqlite.enqueue import Enqueue
from orpheus.shared.storage.sqlite.events import Events
from orpheus.shared.storage.sqlite.queues import Queues
from orpheus.shared.storage.sqlite.rows import lease_of
from orpheus.shared.storage.sqlite.sql import sql_file


@dataclass(frozen=True, slots=True)
class _Ended:
    """A lease that ends: by its worker, by the supervisor or by expiry."""

    job_id: int
    token: int
    ending: Ending
    error: JobError | None = None
    snooze_ms: int = 0


class Leases:
    """Leases, and what becomes of a job when its lease ends."""

    def __init__(
        self,
        database: Database,
        events: Events,
        dependencies: Dependencies,
        enqueue: Enqueue,
        queues: Queues,
        backoff: BackoffRules,
        uniform: random.Random | None = None,
    ) -> None:
        self._database = database
        self._events = events
        self._dependencies = dependencies
        self._enqueue = enqueue
        self._queues = queues
        self._backoff = backoff
        self._random = uniform or random.Random()
        self._sql = sql_file("leases.sql")

    # Taking

    def lease(self, holder: Holder, queues: Sequence[str], limit: int, ttl_ms: int) -> list[Lease]:
        """Lease up to `limit` due jobs of `queues` (`*`: all), in the order in which to run them.

        The order among the due jobs: highest priority, then earliest run_at, then lowest id.
        """
        clock = self._database.clock
        row = self._database.one(self._sql["something-leasable"], clock.wall_ms())
        if limit < 1 or row is None or not row[0]:
            return []
        with self._database.write(durable=False):
            self._database.run(self._sql["promote-due"], clock.wall_ms())
            limits = self._queues.limits()
            ids = self._next_ids(queues, limit, limits)
            if not ids:
                return []
            tokens = self._database.one(self._sql["take-tokens"], len(ids))
            first_token = (tokens[0] if tokens else 0) - len(ids) + 1
            now_ms, expires = clock.wall_ms(), clock.monotonic_ms() + ttl_ms
            rows = self._database.run_many(
                self._sql["lease-job"],
                [
                    (
                        holder.slot,
                        holder.pid,
                        now_ms,
                        first_token + position,
                        holder.incarnation,
                        expires,
                        clock.boot_id,
                        job_id,
                    )
                    for position, job_id in enumerate(ids)
                ],
            )
            leases = [lease_of(row) for row in rows]
            if limits:
                self._queues.spend(limits, (lease.queue for lease in leases))
            for lease in leases:
                self._database.at_commit.count_job(lease.queue, Status.PENDING, Status.IN_PROGRESS)
            self._events.record_jobs(Kind.JOB_STARTED, ids)
            return leases

    def _next_ids(
        self, queues: Sequence[str], limit: int, limits: Mapping[str, Limit]
    ) -> list[int]:
        active = [row[0] for row in self._database.all(self._sql["queues-with-due-jobs"])]
        served = active if "*" in queues else [queue for queue in active if queue in queues]
        rows: list[tuple[int, int, int]] = []
        for queue in served:
            room = min(limit, limits[queue].room) if queue in limits else limit
            if room:
                rows += self._database.all(self._sql["due-jobs"], queue, room)
        if len(served) > 1:
            rows.sort(key=lambda row: (-row[0], row[1], row[2]))
        return [row[2] for row in rows[:limit]]

    def next_due_ms(self) -> int | None:
        """Return when a sleeping worker should look again, on the wall clock; None: when rung.

        That is when the earliest delayed job is due, or when the rate of a queue allows a job.
        """
        row = self._database.one(self._sql["next-due"])
        token_ms = self._queues.next_token_ms()
        times = [] if row is None else [int(row[0])]
        if token_ms is not None:
            times.append(self._database.clock.wall_ms() + token_ms)
        return min(times, default=None)

    # By the holder

    def finish(self, finished: Sequence[Finished]) -> set[int]:
        """Record how jobs ended; return the tokens of lost leases, whose jobs are not changed."""
        succeeded = [one for one in finished if one.ending is Ending.SUCCEEDED]
        lost: set[int] = set()
        with self._database.write(durable=True):
            if succeeded:
                lost |= self._complete(succeeded)
            for one in finished:
                if one.ending is not Ending.SUCCEEDED and not self._finish_otherwise(one):
                    lost.add(one.lease.token)
        return lost

    def _complete(self, succeeded: Sequence[Finished]) -> set[int]:
        clock = self._database.clock
        now_ms, mono_ms = clock.wall_ms(), clock.monotonic_ms()
        kept = self._database.run_many(
            self._sql["record-success"],
            [
                (now_ms, one.lease.job_id, one.lease.token, mono_ms, clock.boot_id)
                for one in succeeded
            ],
        )
        kept_ids = {row[0] for row in kept}
        done = [one for one in succeeded if one.lease.job_id in kept_ids]
        completed = self._database.run_many(
            self._sql["complete-job"],
            [(one.result, now_ms, one.lease.job_id, one.lease.token) for one in done],
        )
        for one in done:
            self._database.at_commit.count_job(one.lease.queue, Status.IN_PROGRESS, Status.DONE)
        for _, _, due_ms, started_ms in completed:
            self._database.at_commit.count_attempt(Outcome.SUCCEEDED, due_ms, started_ms, now_ms)
        self._events.record_jobs(Kind.JOB_DONE, [one.lease.job_id for one in done])
        children = [child for one in done for child in one.children]
        if children:
            self._enqueue.keep(children)
        self._dependencies.ended((row[0], Status.DONE) for row in completed if row[1])
        return {one.lease.token for one in succeeded if one.lease.job_id not in kept_ids}

    def _finish_otherwise(self, one: Finished) -> bool:
        clock = self._database.clock
        row = self._database.one(
            self._sql["held-lease"],
            one.lease.job_id,
            one.lease.token,
            clock.monotonic_ms(),
            clock.boot_id,
        )
        if row is None:
            return False
        self._end(
            _Ended(one.lease.job_id, one.lease.token, one.ending, one.error, one.snooze_ms), row
        )
        return True

    def renew(self, tokens: Mapping[int, int], ttl_ms: int) -> set[int]:
        """Extend the leases (job id -> token) that are still held; return the lost tokens."""
        clock = self._database.clock
        now = clock.monotonic_ms()
        with self._database.write(durable=False):
            kept = self._database.run_many(
                self._sql["renew-lease"],
                [
                    (now + ttl_ms, job_id, token, now, clock.boot_id)
                    for job_id, token in tokens.items()
                ],
            )
        return set(tokens.values()) - {row[0] for row in kept}

    def release(self, leases: Sequence[Lease]) -> None:
        """Release prefetched jobs that were never entered: they get no attempt and no number.

        Those whose cancel was requested end cancelled; those whose lease is lost are left alone.
        """
        with self._database.write(durable=False):
            for lease in leases:
                self._end_if_leased(_Ended(lease.job_id, lease.token, Ending.UNENTERED))

    def cancel_requests(self, tokens: Mapping[int, int]) -> set[int]:
        """Return the ids of those running jobs (job id -> token) whose cancel was requested."""
        sql = self._sql["cancel-requested"]
        return {
            job_id for job_id, token in tokens.items() if self._database.one(sql, job_id, token)
        }

    def progress(self, job_id: int, token: int, fraction: float, message: str | None) -> bool:
        """Store the progress (0…1) of a running job; False if the lease is lost."""
        clock = self._database.clock
        with self._database.write(durable=False):
            changed = self._database.run(
                self._sql["save-progress"],
                fraction,
                message,
                job_id,
                token,
                clock.monotonic_ms(),
                clock.boot_id,
            )
            self._database.at_commit.ring_api()
        return changed == 1

    # By others

    def free(
        self,
        incarnation: str,
        cell: CellState | None,
        *,
        killed_at_deadline: bool = False,
        evidence: str | None = None,
    ) -> list[int]:
        """End every lease of a process that is certainly dead; return the ids of its jobs.

        `cell` tells which job was running, which had run, and which were not entered; without it
        every lease counts as expired. `evidence` is added to the running job's error.
        """
        with self._database.write(durable=True):
            rows = self._database.all(self._sql["leases-of"], incarnation)
            for job_id, token in rows:
                ending = _ending_by_death(token, cell, killed_at_deadline=killed_at_deadline)
                self._end_if_leased(_Ended(job_id, token, ending, _error_of(ending, evidence)))
        return [row[0] for row in rows]

    def reclaim_expired(self) -> list[int]:
        """Reclaim every expired lease; return the ids of the jobs."""
        clock = self._database.clock
        sql, values = self._sql["expired-leases"], (clock.boot_id, clock.monotonic_ms())
        if not self._database.all(sql, *values):
            return []
        return self._reclaim(sql, values, "its lease expired without a renewal")

    def void_other_boots(self) -> list[int]:
        """Reclaim every lease of an earlier boot; only the holder of the supervisor lock may."""
        return self._reclaim(
            self._sql["leases-of-other-boots"],
            (self._database.clock.boot_id,),
            "the machine was rebooted while it ran",
        )

    def _reclaim(self, sql: str, values: tuple[Any, ...], why: str) -> list[int]:
        with self._database.write(durable=True):
            rows = self._database.all(sql, *values)
            for job_id, token in rows:
                error = _error_of(Ending.EXPIRED, why)
                self._end_if_leased(_Ended(job_id, token, Ending.EXPIRED, error))
        return [row[0] for row in rows]

    # The end of a lease

    def _end_if_leased(self, ended: _Ended) -> None:
        row = self._database.one(self._sql["spent"], ended.job_id, ended.token)
        if row is not None:
            self._end(ended, row)

    def _end(self, ended: _Ended, spent_row: tuple[Any, ...]) -> None:
        (
            queue,
            failures,
            crashes,
            max_retries,
            cancel_requested,
            has_dependents,
            due_ms,
            started_ms,
        ) = spent_row
        follows = after(ended.ending, Spent(failures, crashes, max_retries, bool(cancel_requested)))
        now_ms = self._database.clock.wall_ms()
        error = ended.error
        error_values = (
            (None, None, None) if error is None else (error.type, error.message, error.traceback)
        )
        if follows.outcome is not None:
            self._database.at_commit.count_attempt(follows.outcome, due_ms, started_ms, now_ms)
            self._database.run(
                self._sql["record-attempt"],
                follows.outcome.value,
                now_ms,
                *error_values,
                ended.job_id,
                ended.token,
            )
        run_at_ms = self._due_again_ms(ended, follows, now_ms)
        self._database.run(
            self._sql["end-lease"],
            follows.status.value,
            int(follows.status is Status.PENDING and (run_at_ms is None or run_at_ms <= now_ms)),
            run_at_ms,
            None if follows.status is Status.PENDING else now_ms,
            follows.failures,
            follows.crashes,
            *error_values,
            ended.job_id,
            ended.token,
        )
        if follows.outcome is None:
            self._database.run(self._sql["forget-attempt"], ended.job_id, ended.token)
        self._database.at_commit.count_job(queue, Status.IN_PROGRESS, follows.status)
        if follows.status is Status.PENDING:
            self._database.at_commit.ring_workers(queue)
        self._events.record_jobs(follows.event, [ended.job_id])
        if has_dependents and follows.status in TERMINAL:
            self._dependencies.ended([(ended.job_id, follows.status)])

    def _due_again_ms(self, ended: _Ended, follows: Next, now_ms: int) -> int | None:
        """Return when a job that becomes pending is due; None: as before, so it keeps its place."""
        if follows.status is not Status.PENDING:
            return None
        if ENDINGS[ended.ending].wait is Wait.AS_ASKED:
            return now_ms + ended.snooze_ms
        if follows.backoff_failures:
            delay_ms = backoff_delay_ms(
                follows.backoff_failures, self._backoff, self._random.random()
            )
            return now_ms + delay_ms
        return None


def _ending_by_death(token: int, cell: CellState | None, *, killed_at_deadline: bool) -> Ending:
    """Return why a lease of a dead worker ended, by its cell (shared/process/crash_cell.py)."""
    if cell is None:
        return Ending.EXPIRED
    if token == cell.token and cell.running:
        return Ending.KILLED_AT_DEADLINE if killed_at_deadline else Ending.CRASHED
    return Ending.RESULT_LOST if token <= cell.token else Ending.UNENTERED


_ERRORS = {
    Ending.CRASHED: ("WorkerCrashed", "the worker process died while it ran this job"),
    Ending.KILLED_AT_DEADLINE: (
        "HardTimeout",
        "the job did not stop at its timeout or its cancel; its worker was killed",
    ),
    Ending.EXPIRED: ("LeaseExpired", "the lease on this job ended unseen"),
    Ending.RESULT_LOST: (
        "ResultLost",
        "the job had run, but its worker died before the result was committed",
    ),
}


def _error_of(ending: Ending, evidence: str | None) -> JobError | None:
    if ending not in _ERRORS:
        return None
    kind, message = _ERRORS[ending]
    return JobError(kind, message if evidence is None else f"{message}: {evidence}")
