"""The audit log: every action of an operator."""

import json
from collections.abc import Sequence

from orpheus.shared.storage.data import AuditRow
from orpheus.shared.storage.database import Database

_BEFORE_ALL = 2**63 - 1


class Audit:
    """Entries are written in the transaction of their action."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("audit.sql")

    def record(
        self, action: str, target: str, *, by: str, reason: str | None = None, count: int = 1
    ) -> int:
        """Record one action; return its id."""
        with self._database.write(durable=True):
            now_ms = self._database.clock.wall_ms()
            row = (now_ms, action, target, by, reason, count)
            return self._database.insert(self._sql["record"], [row])[0]

    def add(self, audit_id: int, job_ids: Sequence[int], *, kept: bool = True) -> None:
        """Add the jobs that a further transaction of the same action changed.

        `kept`: they are still there, so each can tell later what was done to it.
        """
        with self._database.write(durable=True):
            self._database.run(self._sql["add-count"], len(job_ids), audit_id)
            if kept:
                self._database.run(self._sql["add-jobs"], audit_id, json.dumps(job_ids))

    def left_of(self, audit_id: int, job_ids: Sequence[int]) -> list[int]:
        """Return those of the jobs that the action has not changed yet, in their order.

        Nobody else adds jobs to the entry before this transaction ends.
        """
        self._database.lock("audit entry", [str(audit_id)])
        rows = self._database.all(self._sql["jobs-of"], json.dumps(job_ids), audit_id)
        changed = {row[0] for row in rows}
        return [job_id for job_id in job_ids if job_id not in changed]

    def has(self, audit_id: int, action: str, target: str, by: str) -> bool:
        """Return whether there is such an entry."""
        return self._database.one(self._sql["has"], audit_id, action, target, by) is not None

    def count_of(self, audit_id: int) -> int:
        """Return how many jobs an action has changed."""
        row = self._database.one(self._sql["count-of"], audit_id)
        return int(row[0]) if row else 0

    def page(
        self, limit: int, before_id: int | None = None, job_id: int | None = None
    ) -> list[AuditRow]:
        """Return up to `limit` actions, newest first, with ids below `before_id`.

        `job_id`: only what was done to that job, alone or with others.
        """
        before = _BEFORE_ALL if before_id is None else before_id
        if job_id is None:
            rows = self._database.all(self._sql["page"], before, limit)
        else:
            query = self._sql["page-of-job"]
            rows = self._database.all(query, f"job {job_id}", before, job_id, before, limit)
        return [AuditRow(*row) for row in rows]
