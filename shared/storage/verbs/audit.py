"""The audit log: every action of an operator."""

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Job
from orpheus.shared.domain.processes import SlotRecord
from orpheus.shared.domain.requests import Request, RequestAction, slot_target
from orpheus.shared.domain.words import by_whom
from orpheus.shared.errors import StorageError
from orpheus.shared.storage.data import AuditPage, AuditRow, BulkAction, Pause
from orpheus.shared.storage.database import Database

T = TypeVar("T")
_BEFORE_ALL = 2**63 - 1


class Actor(msgspec.Struct, frozen=True):
    """Who acts (`api:127.0.0.1`, `cli:ada`, `client:ada`), and the reason, if one was given."""

    name: str
    reason: str | None = None


def local_actor(program: str, reason: str | None) -> Actor:
    """Return the user who runs this process, as `PROGRAM:NAME`."""
    import getpass  # noqa: PLC0415 - commands that only read import this module, too

    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # containers run as users that have no name
        name = str(os.getuid())
    return Actor(f"{program}:{name}", reason)


class Audit:
    """Writes and reads the audit log. An entry is written in the transaction of its action."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("audit.sql")

    def record(
        self,
        action: str,
        target: str,
        by: str,
        reason: str | None = None,
        *,
        count: int = 1,
        before: str | None = None,
        after: str | None = None,
    ) -> int:
        """Record one action, and how its target stood before and after; return its id."""
        with self._database.write(durable=True):
            now_ms = self._database.clock.wall_ms()
            row = (now_ms, action, target, by, reason, count, before, after)
            return self._database.insert(self._sql["record"], [row])[0]

    def audited(
        self,
        actor: Actor,
        action: str,
        target: str,
        verb: Callable[[], T],
        *,
        before: Callable[[], str | None] = lambda: None,
        after: Callable[[], str | None] = lambda: None,
    ) -> T:
        """Call `verb` and record `action` on `target`, both in one transaction; return the result.

        `before` and `after` say how the target stands; they are called before and after `verb`.
        """
        with self._database.write(durable=True):
            state_before = before()
            result = verb()
            by, reason = actor.name, actor.reason
            self.record(action, target, by=by, reason=reason, before=state_before, after=after())
        return result

    def add(self, audit_id: int, job_ids: Sequence[int], *, kept: bool = True) -> None:
        """Add the jobs that a further transaction of the same action changed.

        `kept`: they are still there, so each can tell later what was done to it.
        """
        with self._database.write(durable=True):
            self._database.run(self._sql["add-count"], len(job_ids), audit_id)
            if kept:
                self._database.run(self._sql["add-jobs"], audit_id, json.dumps(job_ids))

    def of_request(self, request: Request) -> AuditRow | None:
        """Return the entry of a request for a slot, which was written right after it.

        None: there is none.
        """
        targets = (slot_target(request.target), slot_target(request.target, request.host))
        wanted = [(target, request.action.value, request.at_ms) for target in targets]
        rows = [AuditRow(*row) for row in self._database.run_many(self._sql["to-target"], wanted)]
        return min(rows, key=lambda row: row.id, default=None)

    def with_asker(self, request: Request) -> Request:
        """Return a request to restart or stop with who asked for it, if the log can be read."""
        if request.action in (RequestAction.RESTART, RequestAction.STOP):
            # The request is taken already: it is carried out all the same.
            with contextlib.suppress(StorageError):
                if (entry := self.of_request(request)) is not None:
                    return replace(request, by=by_whom(entry.by, entry.reason))
        return request

    def who_cancelled(self, job: Job) -> Pause | None:
        """Return who cancelled a job and why; None: no entry in the audit log says so."""
        newest = self.find(1, job_id=job.id).rows if job.was_cancelled else ()
        if not newest or newest[0].action != BulkAction.CANCEL:
            return None
        return Pause(newest[0].by, newest[0].reason, newest[0].at_ms)

    def drained_by(self, slot: SlotRecord) -> str:
        """Return who drained a slot last, and why, in words; empty if no entry says so."""
        targets = (slot_target(slot.slot), slot_target(slot.slot, slot.host))
        wanted = [(target, RequestAction.DRAIN.value, 0) for target in targets]
        rows = [AuditRow(*row) for row in self._database.run_many(self._sql["to-target"], wanted)]
        newest = max(rows, key=lambda row: row.id, default=None)
        return by_whom(newest.by, newest.reason) if newest else ""

    def find(
        self, limit: int, before_id: int | None = None, job_id: int | None = None
    ) -> AuditPage:
        """Return up to `limit` actions, newest first, with ids below `before_id`.

        `job_id`: only what was done to that job, alone or with others.
        """
        before = _BEFORE_ALL if before_id is None else before_id
        if job_id is None:
            rows = self._database.all(self._sql["entries"], before, limit + 1)
        else:
            values = (f"job {job_id}", before, job_id, before, limit + 1)
            rows = self._database.all(self._sql["entries-of-job"], *values)
        entries = [AuditRow(*row) for row in rows[:limit]]
        return AuditPage(entries, entries[-1].id if len(rows) > limit else None)
