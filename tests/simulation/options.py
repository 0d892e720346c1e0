"""What jobs were asked for beside their payload: expiry, unique keys, replacing, retention.

It follows the events and reads the rows that they are about, which no event shows whole.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.lifecycle import LIVE
from orpheus.shared.storage import Submitted
from tests.simulation.histories import WHOLE_PAYLOAD, ClientLog, Fold, check
from tests.simulation.world import World

NOTHING_BUT_OWN = RetentionRules(done_s=1e9, failed_s=1e9, cancelled_s=1e9, signals_s=1e9)
"""Only jobs with a retention of their own are deleted."""
OVERDUE = (
    "SELECT id FROM jobs WHERE attempt = 0 AND expires_ms <= ? AND status IN ('blocked', 'pending')"
)
_ROWS = (
    f"SELECT jobs.id, {WHOLE_PAYLOAD}, expires_ms, unique_until_ms, retention_ms "
    "FROM jobs WHERE jobs.id IN ({ids})"
)


class _Row(NamedTuple):
    id: int
    payload: str
    expires_ms: int | None
    unique_until_ms: int | None
    retention_ms: int | None


@dataclass(slots=True)
class OptionsLog:
    """The jobs as they were last seen."""

    rows: dict[int, _Row] = field(default_factory=dict)
    started: set[int] = field(default_factory=set)
    """Jobs with an attempt that has a number."""
    keys: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By unique key, the jobs that were submitted with it, oldest first."""

    def look(self, world: World, fold: Fold, clients: ClientLog, events: Iterable[Any]) -> None:
        """Check new events, which `fold` has taken, and the jobs that they are about."""
        about: defaultdict[int, list[tuple[int, str, dict[str, Any]]]] = defaultdict(list)
        ordered = [event for event in events if event[3] is not None]
        for _, at_ms, kind, job_id, body in ordered:
            about[job_id].append((at_ms, kind, json.loads(body)))
        found = {}
        if about:
            sql = _ROWS.replace("{ids}", ", ".join(map(str, about)))
            found = {row[0]: _Row(*row) for row in world.look(sql)}
        for _, at_ms, kind, job_id, _ in ordered:
            if kind == "job.enqueued":
                self._key_was_free(job_id, at_ms, about[job_id][0][2]["unique_key"])
                if job_id in found:
                    self.rows[job_id] = found[job_id]
        for job_id, changes in about.items():
            self._check_job(found.get(job_id), changes, clients)
            if job_id not in fold.jobs:
                self._forget(job_id)
        self._notice_deleted(world, fold)

    def _key_was_free(self, job_id: int, at_ms: int, key: str | None) -> None:
        if key is None:
            return
        before = self.keys[key][-1:]
        until_ms = [self.rows[other].unique_until_ms or 0 for other in before if other in self.rows]
        taken = [one for one in until_ms if one > at_ms]
        check(not taken, "I29 a second job of a key within unique_for", key, before, job_id)
        self.keys[key].append(job_id)

    def _check_job(
        self, row: _Row | None, changes: Iterable[tuple[int, str, dict[str, Any]]], log: ClientLog
    ) -> None:
        may_be_replaced = False
        for at_ms, kind, body in changes:
            job_id, had_started = body["id"], body["id"] in self.started
            if body["attempt"] > 0:
                self.started.add(job_id)
            else:
                self.started.discard(job_id)
            if kind == "job.requeued" and body["status"] in ("blocked", "pending"):
                may_be_replaced |= not had_started
            elif kind == "job.started":
                is_first = row is not None and body["attempt"] == 1 and row.expires_ms is not None
                in_time = not is_first or row is None or (row.expires_ms or 0) > at_ms
                check(in_time, "I30 an expired job started", job_id, at_ms, row)
            elif kind == "job.cancelled" and (body["error"] or {}).get("type") == "Expired":
                check(not had_started, "I30 a job that has started expired", body)
                expires_ms = at_ms if row is None else row.expires_ms or at_ms
                check(expires_ms <= at_ms, "I30 expired too early", body, expires_ms)
        before = None if row is None else self.rows.get(row.id)
        if row is not None and before is not None and before.payload != row.payload:
            check(may_be_replaced, "I31 the payload of a started job changed", before, row)
            asked = json.loads(row.payload)
            new = log.requests[asked["request"]].jobs[asked["index"]]
            check(new.replaces and new.unique_key, "I31 replaced without being asked", row)
        if row is not None:
            self.rows[row.id] = row

    def _forget(self, job_id: int) -> None:
        self.rows.pop(job_id, None)
        for ids in self.keys.values():
            if job_id in ids:
                ids.remove(job_id)

    def _notice_deleted(self, world: World, fold: Fold) -> None:
        """No event tells of a job that retention has deleted."""
        if world.look("SELECT count(*) FROM jobs") == [(len(fold.jobs),)]:
            return
        gone = fold.jobs.keys() - {job_id for (job_id,) in world.look("SELECT id FROM jobs")}
        for job_id in sorted(gone):
            why = self.kept_because(job_id, fold)
            check(why is None, "I32 deleted too early", job_id, why, fold.jobs[job_id].body)
        for job_id in gone:
            del fold.jobs[job_id]
            fold.outlived.add(job_id)
            self._forget(job_id)

    def kept_because(self, job_id: int, fold: Fold) -> str | None:
        """Return why retention may not delete a job now; None: it must."""
        row, body, now_ms = self.rows[job_id], fold.jobs[job_id].body, fold.clock.wall_ms()
        if body["status"] != "done" or row.retention_ms is None:
            return "it has no retention, or is not done"
        if body["finished_at_ms"] + row.retention_ms >= now_ms:
            return "its time is not over"
        if (row.unique_until_ms or 0) > now_ms:
            return "its key is taken"
        needed = any(
            job_id in other.body["depends_on"] and other.status != "done"
            for other in fold.jobs.values()
        )
        return "another job needs it" if needed else None

    def nothing_is_left(self, fold: Fold) -> None:
        """Directly after retention found nothing more."""
        left = [job_id for job_id in fold.jobs if self.kept_because(job_id, fold) is None]
        check(not left, "I32 a job outlived its retention", left)


def was_answered_rightly(new: NewJob, submitted: Submitted, now_ms: int) -> None:
    """In the transaction of a submission: a new job, the one replaced, or the one as it is."""
    job = submitted.job
    if submitted.created:
        check(job.payload == new.payload, "I31 not the payload that was given", job, new)
        return
    is_taken = job.status in LIVE or (job.unique_until_ms or 0) > now_ms
    check(is_taken and job.unique_key == new.unique_key, "I29 a free key was refused", job, new)
    waits = job.status in ("blocked", "pending") and job.attempt == 0
    took = job.payload == new.payload
    check(took == (new.replaces and waits), "I31 replaced, or not", job, new)
    if took:
        expires_ms = None if new.expires_ms is None else job.run_at_ms + new.expires_ms
        times_ms = (now_ms + new.delay_ms, expires_ms)
        check((job.run_at_ms, job.expires_ms) == times_ms, "I31 the time of a replaced job", job)
