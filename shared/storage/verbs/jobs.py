"""Jobs: submit, read, cancel, retry, delete; their logs; the answers kept for Idempotency-Keys."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import (
    Attempt,
    Dependency,
    Job,
    LogLine,
    NewJob,
    NewLine,
    RunningJob,
    Status,
)
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.domain.limits import MOST_ATTEMPTS
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.shared.moments import rfc3339
from orpheus.shared.process.last_lines import LastLine
from orpheus.shared.storage.data import (
    IDEMPOTENCY_MS,
    JobCursor,
    JobRun,
    KeptAnswer,
    KeyHolder,
    Submitted,
)
from orpheus.shared.storage.database import Database, Row
from orpheus.shared.storage.verbs.audit import Actor, Audit
from orpheus.shared.storage.verbs.dependencies import Dependencies
from orpheus.shared.storage.verbs.enqueue import Enqueue, keys_of, refuse_clashes
from orpheus.shared.storage.verbs.events import Events
from orpheus.shared.storage.verbs.job_lists import JobLists
from orpheus.shared.storage.verbs.keys import Keys
from orpheus.shared.storage.verbs.rows import attempt_of, job_of, running_job_of
from orpheus.shared.storage.verbs.steps import Steps

_SHORT_LOG = 100
"""At most so many lines are deleted together with their job."""
_LINES_AT_ONCE = 2_000
_LINES_BESIDE_OTHERS = 20_000
"""The same if others may write meanwhile. There each step reads past what those before deleted."""


_EXPIRED_AT_ONCE = 500


class _Expired(NamedTuple):
    """A job that was not started in time, as `expired` reads it."""

    id: int
    status: str
    queue: str
    type: str
    key: str | None
    has_dependents: int
    expires_ms: int


class Jobs:
    """Submits, reads and changes jobs."""

    def __init__(
        self,
        database: Database,
        events: Events,
        dependencies: Dependencies,
        enqueue: Enqueue,
        keys: Keys,
        steps: Steps,
        lists: JobLists,
        audit: Audit,
    ) -> None:
        self.lines_at_once = _LINES_AT_ONCE if database.one_writer else _LINES_BESIDE_OTHERS
        """How many lines of logs `shorten_log` deletes in one transaction."""
        self._database = database
        self._events = events
        self._dependencies = dependencies
        self._enqueue = enqueue
        self._keys = keys
        self._steps = steps
        self._lists = lists
        self._audit = audit
        self._sql = database.sql("jobs.sql")

    def submit(self, new: NewJob) -> Submitted:
        """Insert a new job, or return the job that holds its unique key.

        Raises InvalidJob for a dependency that does not exist, and UniqueKeyHeld if the job that
        holds its unique key has another type.
        """
        return self.submit_each([new])[0]

    def submit_each(self, new_jobs: Sequence[NewJob]) -> list[Submitted]:
        """Do the same with several jobs of several clients, in one transaction.

        Raises what `submit` does if any is refused; then none is inserted.
        """
        with self._database.write(durable=True):
            held = self.key_holders(new_jobs)
            refuse_clashes(new_jobs, held, pointer="")
            free = [new for new in new_jobs if new.unique_key not in held]
            replacing = [new for new in new_jobs if new.replaces and new.unique_key in held]
            for new in sorted(replacing, key=lambda new: held[new.unique_key or ""].id):
                self._enqueue.replace(held[new.unique_key or ""].id, new)
            ids = self._enqueue.keep(free, pointer="") if free else []
            made, rest = self._between(min(ids, default=0), max(ids, default=0)), iter(ids)
            submitted = []
            for new in new_jobs:
                holder = held.get(new.unique_key or "")
                job_id = holder.id if holder else next(rest)
                job = made.pop(job_id, None)  # an id comes twice if two have the same key
                submitted.append(Submitted(job or self.get(job_id), created=job is not None))
            return submitted

    def key_holders(self, new_jobs: Sequence[NewJob]) -> dict[str, KeyHolder]:
        """Return the jobs that hold the unique keys of these, by key.

        In a transaction, no one else can make a job with one of the keys until it ends.
        """
        return self._enqueue.holders_for(new_jobs)

    def key_holders_within(
        self, new_jobs: Sequence[NewJob], limit_ms: int
    ) -> tuple[dict[str, KeyHolder], frozenset[str]]:
        """Return the same, and the keys that open transactions still hold after so long."""
        keys = keys_of(new_jobs)
        contended = self._enqueue.lock_keys_within(keys, limit_ms) if keys else frozenset()
        return self._enqueue.holders_of([key for key in keys if key not in contended]), contended

    def _between(self, first_id: int, last_id: int) -> dict[int, Job]:
        sql = f"{self._sql['select-jobs']} WHERE jobs.id BETWEEN ? AND ?"
        return {row[0]: job_of(row) for row in self._database.all(sql, first_id, last_id)}

    def submit_many(self, new_jobs: Sequence[NewJob]) -> list[int]:
        """Insert all or none; return their ids in order (for a held unique key, the live job's).

        Raises what `submit` does, and UniqueKeyHeld if two of other types have the same key.
        """
        with self._database.write(durable=True):
            return self._enqueue.keep(new_jobs)

    # Reading

    def get(self, job_id: int) -> Job:
        """Return the job. Raises NotFound."""
        return job_of(self._row(f"{self._sql['select-jobs']} WHERE jobs.id = ?", job_id))

    def status(self, job_id: int) -> Status:
        """Return its status without reading the whole job. Raises NotFound."""
        return Status(self._row(self._sql["status-of"], job_id)[0])

    def run_of(self, job_id: int) -> JobRun:
        """Return its status and last run without reading the whole job. Raises NotFound."""
        status, *others = self._row(self._sql["run-of"], job_id)
        return JobRun(Status(status), *others)

    def _row(self, sql: str, job_id: int) -> Row:
        row = self._database.one(sql, job_id)
        if row is None:
            raise NotFound(f"there is no job {job_id}")
        return row

    def attempts(self, job_id: int) -> list[Attempt]:
        """Return its attempts, oldest first; a running one is last and has outcome None.

        Of those that have ended, the newest 1,000: no more are kept.
        """
        rows = self._database.all(self._sql["select-attempts"], job_id, MOST_ATTEMPTS)[::-1]
        rows += self._database.all(self._sql["select-running-attempt"], job_id)
        return [attempt_of(row) for row in rows]

    def running(self) -> dict[str, RunningJob]:
        """Return the job that each worker runs, by incarnation."""
        rows = self._database.all(self._sql["running-jobs"])
        return {job.incarnation: job for job in map(running_job_of, rows)}

    def page(self, wanted: JobFilter, limit: int, before_id: int | None = None) -> list[Job]:
        """Return up to `limit` jobs that match, newest first, with ids below `before_id`."""
        cursor = None if before_id is None else JobCursor(0, before_id)
        return self._lists.page(wanted, limit, cursor=cursor).jobs

    # Actions of operators: each is recorded in the audit log, if an operator (`by`) is given.

    def _to_change(self, job_id: int, *, deletes: bool = False) -> Job:
        """Return a job that no other changes before this transaction ends. Raises NotFound."""
        job = self.get(job_id)
        if job.concurrency_key is not None:
            self._keys.lock()
        is_old = self._database.lock_job(job_id, deletes=deletes)
        return self.get(job_id) if is_old else job

    @contextlib.contextmanager
    def _changing(
        self, action: str, job_id: int, by: Actor | None, detail: str = ""
    ) -> Iterator[Job]:
        """Yield a job to change in one transaction, and record that. Raises NotFound."""
        deletes = action == "delete"
        with self._database.write(durable=True):
            job = self._to_change(job_id, deletes=deletes)
            yield job
            if by is not None:
                before, after = f"{job.status}, of type {job.type}", "deleted"
                if not deletes:
                    before, after = self._in_words(job), self._in_words(self.get(job_id))
                    after += detail
                target, who = f"job {job_id}", (by.name, by.reason)
                self._audit.record(action, target, *who, before=before, after=after)

    def _in_words(self, job: Job) -> str:
        if job.status is Status.IN_PROGRESS and job.cancel_requested:
            return "in progress, asked to stop"
        if job.status is Status.PENDING and job.run_at_ms > self._database.clock.wall_ms():
            return f"pending until {rfc3339(job.run_at_ms)}"
        return job.status.replace("_", " ")

    def cancel(self, job_id: int, by: Actor | None = None) -> tuple[Job, bool]:
        """Cancel a waiting job (True), or request that a running one stops (False).

        Raises NotFound, and TransitionRefused if it has ended.
        """
        with self._changing("cancel", job_id, by) as job:
            if job.status in TERMINAL:
                raise TransitionRefused(f"job {job_id} is {job.status}: it cannot be cancelled")
            if job.status is Status.IN_PROGRESS:
                if self._database.run(self._sql["request-cancel"], job_id):
                    self._events.record_jobs(Kind.JOB_CANCEL_REQUESTED, [job_id])
                return self.get(job_id), False
            self._database.run(self._sql["cancel-waiting"], self._database.clock.wall_ms(), job_id)
            self._database.at_commit.count_job(job.queue, job.status, Status.CANCELLED)
            self._database.at_commit.count_ended(job.queue, job.type, Status.CANCELLED)
            if job.concurrency_key is not None:
                self._keys.look_at([(job.queue, job.concurrency_key)])
            self._events.record_jobs(Kind.JOB_CANCELLED, [job_id])
            self._dependencies.ended([(job_id, Status.CANCELLED)])
            return self.get(job_id), True

    def retry(self, job_id: int, by: Actor | None = None, from_step: str | None = None) -> Job:
        """Make a failed or cancelled job pending with all its retries; its attempts are kept.

        It waits again for its live dependencies. A durable function goes on behind what it has
        kept, and sleeps on if it was cancelled in a sleep. `from_step`: it forgets that step and
        those kept after it. Raises NotFound, also if there is no such step, and
        TransitionRefused if it has not failed, its unique key is held, or a job that must be done
        before it has failed itself.
        """
        detail = "" if from_step is None else f", from the step {from_step!r}"
        with self._changing("retry", job_id, by, detail) as job:
            if job.status not in (Status.FAILED, Status.CANCELLED):
                raise TransitionRefused(
                    f"job {job_id} is {job.status}: only failed and cancelled jobs are retried"
                )
            keys = [] if job.unique_key is None else [job.unique_key]
            for holder in self._enqueue.holders_of(keys).values():
                if not holder.is_live:
                    continue
                raise TransitionRefused(
                    f"job {holder.id} is live with the same unique key {job.unique_key!r}"
                )
            if from_step is not None and not self._steps.forget_from(job_id, from_step):
                raise NotFound(f"job {job_id} has kept no step {from_step!r}")
            self._steps.look_again(job_id)
            waits_for = self._wait_for_dependencies(job_id) if job.depends_on else 0
            now_ms = self._database.clock.wall_ms()
            run_at_ms = max(now_ms, self._steps.sleeps_until_ms(job_id) or 0)
            is_due = int(run_at_ms == now_ms)
            self._database.run(self._sql["retry-job"], waits_for, run_at_ms, job_id, is_due)
            enters = Status.BLOCKED if waits_for else Status.PENDING
            self._database.at_commit.count_job(job.queue, job.status, enters)
            self._dependencies.live_again(job_id)
            self._database.at_commit.ring_workers(job.queue)
            self._events.record_jobs(Kind.JOB_REQUEUED, [job_id])
            return self.get(job_id)

    def _wait_for_dependencies(self, job_id: int) -> int:
        waits_for = self._dependencies.wait_for_live(job_id)
        failed = self._dependencies.failed_dependency(job_id)  # none fails any more: all are locked
        if failed is not None:
            raise TransitionRefused(
                f"job {job_id} depends on job {failed[0]}, which is {failed[1]}: retry that first"
            )
        return waits_for

    def cancel_expired(self) -> bool:
        """Cancel some jobs that were not started in time, in one transaction.

        Return False if there are none (then nothing is written), or if others have locked them all.
        """
        now_ms = self._database.clock.wall_ms()
        if self._database.one(self._sql["any-expired"], now_ms) is None:
            return False
        with self._database.write(durable=False):
            self._keys.lock()
            rows = self._database.all(self._sql["expired"], now_ms, _EXPIRED_AT_ONCE)
            jobs = [_Expired._make(row) for row in rows]
            self._dependencies.lock_dependents([job.id for job in jobs if job.has_dependents])
            self._database.run_many(
                self._sql["expire-job"],
                [
                    (now_ms, f"it was not started by {rfc3339(job.expires_ms)}", job.id)
                    for job in jobs
                ],
            )
            for job in jobs:
                status = Status(job.status)
                self._database.at_commit.count_job(job.queue, status, Status.CANCELLED)
                self._database.at_commit.count_ended(job.queue, job.type, Status.CANCELLED)
            keyed = [(job.queue, job.key) for job in jobs if job.key is not None]
            if keyed:
                self._keys.look_at(keyed)
            self._events.record_jobs(Kind.JOB_CANCELLED, [job.id for job in jobs])
            self._dependencies.ended((job.id, Status.CANCELLED) for job in jobs)
        return bool(jobs)

    def run_now(self, job_id: int, by: Actor | None = None) -> Job:
        """Make a job that waits for its time due now. Raises NotFound and TransitionRefused."""
        with self._changing("run", job_id, by) as job:
            if job.status is not Status.PENDING:
                raise TransitionRefused(
                    f"job {job_id} is {job.status}: only a pending job can be made due now"
                )
            if self._database.run(self._sql["run-now"], self._database.clock.wall_ms(), job_id):
                self._steps.wake(job_id)
                self._database.at_commit.ring_workers(job.queue)
                self._events.record_jobs(Kind.JOB_REQUEUED, [job_id])
            return self.get(job_id)

    def delete(self, job_id: int, by: Actor | None = None) -> None:
        """Delete a job that has ended, with its attempts and log: a long log before, in parts.

        Raises NotFound, and TransitionRefused if it is live, or if a job depends on it that is not
        done: it may read the result, perhaps after a retry.
        """
        if not self._database.in_transaction:
            self.delete_long_log(job_id)
        with self._changing("delete", job_id, by) as job:
            self._check_deletable(job)
            self._events.record_jobs(Kind.JOB_DELETED, [job_id])
            self._database.run(self._sql["delete-job"], job_id)
            self._database.at_commit.count_job(job.queue, job.status, None)

    def with_long_logs(self, job_ids: Sequence[int]) -> list[int]:
        """Return the jobs with long logs, for `shorten_log`."""
        ids = json.dumps(list(job_ids))
        return [row[0] for row in self._database.all(self._sql["long-logs"], ids, _SHORT_LOG)]

    def delete_long_log(self, job_id: int, before_each: Callable[[], None] = lambda: None) -> None:
        """Delete the log of a job that is deleted next, if it is long, in small transactions.

        `before_each` is called before each transaction; what it raises ends this, and leaves the
        rest of the log. A job that cannot be deleted keeps its whole log.
        """
        if self.with_long_logs([job_id]):
            before_each()
            while self.shorten_log(job_id):
                before_each()

    def shorten_log(self, job_id: int, lock_wait_ms: int | None = None) -> bool:
        """Delete some lines of a job that is deleted afterwards; return whether more may be left.

        A transaction that deleted a million lines would keep others from writing for seconds.
        `lock_wait_ms`: how long to wait for another transaction that holds the job, if not as long
        as everybody else.
        """
        with self._database.write(durable=False):
            try:
                if self.get(job_id).concurrency_key is not None:
                    self._keys.lock()  # this may take longer
                if lock_wait_ms is not None:
                    self._database.limit_lock_waits(lock_wait_ms)
                self._check_deletable(self._to_change(job_id, deletes=True))
            except (NotFound, TransitionRefused):
                return False
            sql = self._database.sql("retention.sql")["delete-log-lines"]
            deleted = self._database.run(sql, json.dumps([job_id]), self.lines_at_once)
            return deleted == self.lines_at_once

    def _check_deletable(self, job: Job) -> None:
        if job.status not in TERMINAL:
            raise TransitionRefused(f"job {job.id} is {job.status}: cancel it before deleting it")
        dependent = self._dependencies.needed_by(job.id)
        if dependent is not None:
            raise TransitionRefused(
                f"job {dependent[0]}, which is {dependent[1]}, depends on job {job.id} and may "
                "still read its result: delete that job first"
            )

    def dependencies(self, job_id: int) -> list[Dependency]:
        """Return the jobs that it depends on, as they are now, by id."""
        return self._dependencies.of(job_id)


class Idempotency:
    """Answers by Idempotency-Key, for 24 hours."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("idempotency.sql")

    def find(self, key: str) -> KeptAnswer | None:
        """Return the answer that `key` got within the last 24 h.

        In a transaction, no one else can answer it until it ends.
        """
        self._database.lock("idempotency key", [key])
        oldest_ms = self._database.clock.wall_ms() - IDEMPOTENCY_MS
        row = self._database.one(self._sql["find-key"], key, oldest_ms)
        return None if row is None else KeptAnswer(*row)

    def keep(self, key: str, answer: KeptAnswer) -> None:
        """Store the answer to `key`, inside the transaction of the change that it reports."""
        with self._database.write(durable=True):
            self._database.run(
                self._sql["keep-key"],
                key,
                answer.request_hash,
                answer.status,
                answer.body,
                answer.location,
                self._database.clock.wall_ms(),
            )


class Logs:
    """Log lines of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("logs.sql")

    def append(self, job_id: int, token: int, attempt: int, lines: Sequence[NewLine]) -> bool:
        """Store `lines` with the attempt; False, and nothing stored, if the lease is lost."""
        clock = self._database.clock
        with self._database.write(durable=False):
            lease = (job_id, token, clock.monotonic_ms(), clock.boot_id)
            held = self._database.one(self._sql["lock-leased"], *lease)
            if held is None:
                return False
            self._database.run_many(
                self._sql["append"],
                [(job_id, attempt, new.at_ms, new.level, new.line, new.fields) for new in lines],
            )
            self._database.at_commit.ring_api()
        return True

    def append_last(self, incarnation: str, lines: Sequence[LastLine]) -> None:
        """Store the lines that a dead process had not stored yet. Call it before `Leases.free`."""
        if not lines:
            return
        with self._database.write(durable=False):
            for job_id, token, attempt in self._database.all(self._sql["running"], incarnation):
                stored = self._database.value(self._sql["count"], job_id, attempt)
                self._database.run_many(
                    self._sql["append"],
                    [
                        (job_id, attempt, line.at_ms, line.level, line.line, line.fields)
                        for line in lines
                        if line.token == token and line.number >= stored
                    ],
                )
            self._database.at_commit.ring_api()

    def after(self, job_id: int, after_id: int, limit: int) -> list[LogLine]:
        """Return up to `limit` lines of a job with ids above `after_id`, in order."""
        return [
            LogLine(*row) for row in self._database.all(self._sql["after"], job_id, after_id, limit)
        ]
