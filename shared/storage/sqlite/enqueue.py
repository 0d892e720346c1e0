"""Inserts new jobs: of a client, of a running job (its children) or of a schedule."""

import json
from collections.abc import Sequence

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage.sqlite.connection import Database
from orpheus.shared.storage.sqlite.dependencies import Dependencies
from orpheus.shared.storage.sqlite.events import Events
from orpheus.shared.storage.sqlite.sql import sql_file


class Enqueue:
    """Inserts jobs. There is no other way into the database."""

    def __init__(self, database: Database, events: Events, dependencies: Dependencies) -> None:
        self._database = database
        self._events = events
        self._dependencies = dependencies
        self._sql = sql_file("jobs.sql")

    def holder_of(self, unique_key: str) -> int | None:
        """Return the live job that holds a unique key."""
        row = self._database.one(self._sql["live-by-unique-key"], unique_key)
        return None if row is None else int(row[0])

    def keep(self, new_jobs: Sequence[NewJob]) -> list[int]:
        """Insert jobs, inside a transaction; return their ids in order.

        For a unique key that a live job holds, that job's id. Jobs may name each other by `ref`.
        """
        ids, refs, made = [], dict[str, int](), list[tuple[NewJob, int]]()
        now_ms = self._database.clock.wall_ms()
        for new in new_jobs:
            holder = self.holder_of(new.unique_key) if new.unique_key is not None else None
            job_id = self._insert(new, now_ms) if holder is None else holder
            if holder is None:
                made.append((new, job_id))
            if new.ref is not None:
                refs[new.ref] = job_id
            ids.append(job_id)
        tags = [(tag, job_id) for new, job_id in made for tag in new.tags]
        if tags:
            self._database.run_many(self._sql["insert-tag"], tags)
        if refs or any(new.depends_on for new, _ in made):
            self._record_waiting(made, refs)
        else:
            self._events.record_jobs(Kind.JOB_ENQUEUED, [job_id for _, job_id in made])
        return ids

    def _insert(self, new: NewJob, now_ms: int) -> int:
        run_at_ms = now_ms + new.delay_ms if new.run_at_ms is None else new.run_at_ms
        waits_for = len(set(new.depends_on))
        self._database.run(
            self._sql["insert-job"],
            new.type,
            new.payload,
            new.queue,
            new.priority,
            int(run_at_ms <= now_ms),
            new.max_retries,
            new.timeout_s,
            now_ms,
            run_at_ms,
            new.unique_key,
            json.dumps(new.tags) if new.tags else "[]",
            "[]",
            waits_for,
            new.on_dependency_failure,
        )
        self._database.at_commit.count_job(
            new.queue, None, Status.BLOCKED if waits_for else Status.PENDING
        )
        if not waits_for:
            self._database.at_commit.ring_workers(new.queue)
        return self._database.last_insert_id()

    def _record_waiting(self, made: Sequence[tuple[NewJob, int]], refs: dict[str, int]) -> None:
        """Record events before links: `job.enqueued` precedes what an ended dependency causes."""
        links = []
        for new, job_id in made:
            dependencies = list(
                dict.fromkeys(refs[one] if isinstance(one, str) else one for one in new.depends_on)
            )
            if dependencies:
                links.append((job_id, dependencies))
        self._database.run_many(
            self._sql["set-dependencies"],
            [
                (json.dumps(dependencies), len(dependencies), job_id)
                for job_id, dependencies in links
            ],
        )
        self._events.record_jobs(Kind.JOB_ENQUEUED, [job_id for _, job_id in made])
        for job_id, dependencies in links:
            self._dependencies.link(job_id, dependencies)
