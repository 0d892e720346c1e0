"""The job verbs of the store: submit, read, list, cancel, retry."""

import json
from collections.abc import Iterable, Sequence

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Attempt, Job, NewJob, RunningJob, Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.shared.storage.data import JobFilter, Submitted, Total
from orpheus.shared.storage.sqlite.connection import Database, Value
from orpheus.shared.storage.sqlite.dependencies import Dependencies
from orpheus.shared.storage.sqlite.enqueue import Enqueue
from orpheus.shared.storage.sqlite.events import Events
from orpheus.shared.storage.sqlite.rows import attempt_of, job_of, running_job_of
from orpheus.shared.storage.sqlite.sql import sql_file

_SEARCH_WINDOW_JOBS = 10_000
"""Text search reads only this many of the newest jobs, and inexact totals stop here."""


class Jobs:
    """Submits, reads and changes jobs."""

    def __init__(
        self, database: Database, events: Events, dependencies: Dependencies, enqueue: Enqueue
    ) -> None:
        self._database = database
        self._events = events
        self._dependencies = dependencies
        self._enqueue = enqueue
        self._sql = sql_file("jobs.sql")

    def submit(self, new: NewJob) -> Submitted:
        """Insert a new job, or return the live one that holds its unique key.

        Raises InvalidJob for a dependency that does not exist.
        """
        with self._database.write(durable=True):
            holder = self._enqueue.holder_of(new.unique_key) if new.unique_key else None
            if holder is not None:
                return Submitted(self.get(holder), created=False)
            (job_id,) = self._enqueue.keep([new])
            return Submitted(self.get(job_id), created=True)

    def submit_many(self, new_jobs: Sequence[NewJob]) -> list[int]:
        """Insert all or none; return their ids in order (for a held unique key, the live job's).

        Raises InvalidJob for a dependency that does not exist.
        """
        with self._database.write(durable=True):
            return self._enqueue.keep(new_jobs)

    # Reading

    def get(self, job_id: int) -> Job:
        """Return the job. Raises NotFound."""
        row = self._database.one(f"{self._sql['select-jobs']} WHERE jobs.id = ?", job_id)
        if row is None:
            raise NotFound(f"there is no job {job_id}")
        return job_of(row)

    def unknown_ids(self, ids: Iterable[int]) -> set[int]:
        """Return those of `ids` that no job has."""
        rows = self._database.all(self._sql["unknown-ids"], json.dumps(list(ids)))
        return {row[0] for row in rows}

    def attempts(self, job_id: int) -> list[Attempt]:
        """Return its attempts, oldest first; a running one is last and has outcome None."""
        rows = self._database.all(self._sql["select-attempts"], job_id)
        rows += self._database.all(self._sql["select-running-attempt"], job_id)
        return [attempt_of(row) for row in rows]

    def running(self) -> dict[str, RunningJob]:
        """Return the job that each worker runs, by incarnation."""
        rows = self._database.all(self._sql["running-jobs"])
        return {job.incarnation: job for job in map(running_job_of, rows)}

    def page(self, wanted: JobFilter, limit: int, before_id: int | None = None) -> list[Job]:
        """Return up to `limit` jobs that match, newest first, with ids below `before_id`."""
        join, conditions, values = self._where(wanted)
        if before_id is not None:
            conditions.append("jobs.id < ?")
            values.append(before_id)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"{self._sql['select-jobs']}{join}{where} ORDER BY jobs.id DESC LIMIT ?"
        return [job_of(row) for row in self._database.all(sql, *values, limit)]

    def matching_ids(self, wanted: JobFilter, max_id: int | None = None) -> list[int]:
        """Return the ids of all jobs that match, none above `max_id`."""
        join, conditions, values = self._where(wanted)
        if max_id is not None:
            conditions.append("jobs.id <= ?")
            values.append(max_id)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"{self._sql['select-ids']}{join}{where}"
        rows = self._database.all(sql, *values)
        return [row[0] for row in rows]

    def total(self, wanted: JobFilter) -> Total:
        """Return how many jobs match: exact from the kept counts, else counted up to 10,000."""
        if wanted.type is None and wanted.tag is None and wanted.q is None:
            return Total(self._kept_total(wanted), exact=True)
        join, conditions, values = self._where(wanted)
        ids = f"{self._sql['select-ids']}{join} WHERE {' AND '.join(conditions)} LIMIT ?"
        counted = f"SELECT count(*) FROM ({ids})"  # noqa: S608 - made of our own constants
        row = self._database.one(counted, *values, _SEARCH_WINDOW_JOBS)
        value = int(row[0]) if row else 0
        return Total(value, exact=wanted.q is None and value < _SEARCH_WINDOW_JOBS)

    def _kept_total(self, wanted: JobFilter) -> int:
        return sum(
            n
            for queue, status, n in self._database.all(sql_file("counts.sql")["counts"])
            if wanted.queue in (None, queue) and wanted.status in (None, status)
        )

    def _is_rare(self, wanted: JobFilter) -> bool:
        """Return whether few enough jobs have the status to look it up before type or queue.

        SQLite does not know the counts: finding the failed jobs of a type with a million took
        160 ms.
        """
        if wanted.status is None or (wanted.type is None and wanted.queue is None):
            return False
        return self._kept_total(JobFilter(status=wanted.status)) <= _SEARCH_WINDOW_JOBS

    def _where(self, wanted: JobFilter) -> tuple[str, list[str], list[Value]]:
        join, conditions, values = "", [], list[Value]()
        if self._is_rare(wanted):
            join = " INDEXED BY jobs_by_status"
        if wanted.tag is not None:
            join += " JOIN job_tags ON job_tags.job_id = jobs.id"
            conditions.append("job_tags.tag = ?")
            values.append(wanted.tag)
        for column, value in (
            ("status", wanted.status),
            ("type", wanted.type),
            ("queue", wanted.queue),
        ):
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(str(value))
        if wanted.q is not None:
            oldest = self._database.one(self._sql["newest-ids"], _SEARCH_WINDOW_JOBS)
            conditions.append("jobs.id > ?")
            values.append(oldest[0] if oldest else 0)
            pattern = "%" + wanted.q.translate({ord(c): f"\\{c}" for c in "\\%_"}) + "%"
            fields = ("type", "payload", "coalesce(error_message, '')", "tags")
            conditions.append(
                "(" + " OR ".join(f"{field} LIKE ? ESCAPE '\\'" for field in fields) + ")"
            )
            values += [pattern] * len(fields)
        return join, conditions, values

    # Actions of operators

    def cancel(self, job_id: int) -> tuple[Job, bool]:
        """Cancel a waiting job (True), or request that a running one stops (False).

        Raises NotFound, and TransitionRefused if it has ended.
        """
        with self._database.write(durable=True):
            job = self.get(job_id)
            if job.status in TERMINAL:
                raise TransitionRefused(f"job {job_id} is {job.status}: it cannot be cancelled")
            if job.status is Status.IN_PROGRESS:
                if self._database.run(self._sql["request-cancel"], job_id):
                    self._events.record_jobs(Kind.JOB_CANCEL_REQUESTED, [job_id])
                return self.get(job_id), False
            self._database.run(self._sql["cancel-waiting"], self._database.clock.wall_ms(), job_id)
            self._database.at_commit.count_job(job.queue, job.status, Status.CANCELLED)
            self._events.record_jobs(Kind.JOB_CANCELLED, [job_id])
            self._dependencies.ended([(job_id, Status.CANCELLED)])
            return self.get(job_id), True

    def retry(self, job_id: int) -> Job:
        """Make a failed or cancelled job pending with all its retries; its attempts are kept.

        It waits again for those of its dependencies that are live; the others are ignored.
        Raises NotFound, and TransitionRefused if it has not failed or its unique key is held.
        """
        with self._database.write(durable=True):
            job = self.get(job_id)
            if job.status not in (Status.FAILED, Status.CANCELLED):
                raise TransitionRefused(
                    f"job {job_id} is {job.status}: only failed and cancelled jobs are retried"
                )
            holder = self._enqueue.holder_of(job.unique_key) if job.unique_key else None
            if holder is not None:
                raise TransitionRefused(
                    f"job {holder} is live with the same unique key {job.unique_key!r}"
                )
            waits_for = self._dependencies.still_waits_for(job_id) if job.depends_on else 0
            now_ms = self._database.clock.wall_ms()
            self._database.run(self._sql["retry-job"], waits_for, now_ms, job_id)
            enters = Status.BLOCKED if waits_for else Status.PENDING
            self._database.at_commit.count_job(job.queue, job.status, enters)
            self._dependencies.live_again(job_id)
            self._database.at_commit.ring_workers(job.queue)
            self._events.record_jobs(Kind.JOB_REQUEUED, [job_id])
            return self.get(job_id)

    def run_now(self, job_id: int) -> Job:
        """Make a job that waits for its time due now. Raises NotFound and TransitionRefused."""
        with self._database.write(durable=True):
            job = self.get(job_id)
            if job.status is not Status.PENDING:
                raise TransitionRefused(
                    f"job {job_id} is {job.status}: only a pending job can be made due now"
                )
            if self._database.run(self._sql["run-now"], self._database.clock.wall_ms(), job_id):
                self._database.at_commit.ring_workers(job.queue)
                self._events.record_jobs(Kind.JOB_REQUEUED, [job_id])
            return self.get(job_id)

    def delete(self, job_id: int) -> None:
        """Delete a job that has ended, with its attempts and log.

        Raises NotFound, and TransitionRefused if it is live or a live job depends on it.
        """
        with self._database.write(durable=True):
            job = self.get(job_id)
            if job.status not in TERMINAL:
                raise TransitionRefused(
                    f"job {job_id} is {job.status}: cancel it before deleting it"
                )
            dependent = self._dependencies.live_dependent(job_id)
            if dependent is not None:
                raise TransitionRefused(f"job {dependent} still depends on job {job_id}")
            self._events.record_jobs(Kind.JOB_DELETED, [job_id])
            self._database.run(self._sql["delete-job"], job_id)
            self._database.at_commit.count_job(job.queue, job.status, None)

    def dependency_results(self, job_id: int) -> dict[int, str]:
        """Return the results (JSON text) of the jobs it depends on that are done, by job id."""
        return self._dependencies.results(job_id)
