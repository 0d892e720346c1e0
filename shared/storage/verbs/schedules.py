"""Schedules: the tick that each waits for, and firing it exactly once.

One transaction enqueues the job of a tick and moves the schedule to its next tick, if the tick is
still the one that was read. So however many processes try, and whenever they are killed, a tick
fires once.
"""

import json
from collections.abc import Callable, Sequence

import msgspec

from orpheus.shared.domain.alerts import AlertCondition
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.domain.schedules import (
    CatchUp,
    ScheduleDefinition,
    due_ticks,
    next_tick_ms,
    tick_to_wait_for,
)
from orpheus.shared.errors import NotFound
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage.data import JobRun, MakeJob, Pause, ScheduleRow
from orpheus.shared.storage.database import Database, Row, read_back
from orpheus.shared.storage.verbs.enqueue import Enqueue
from orpheus.shared.storage.verbs.events import Events


class ScheduledRun(msgspec.Struct, frozen=True):
    """A job that a schedule made at `at_ms`, and how it stands."""

    job_id: int
    at_ms: int
    run: JobRun


class Schedules:
    """Stores, fires, pauses and resumes schedules."""

    def __init__(self, database: Database, events: Events, enqueue: Enqueue) -> None:
        self._database = database
        self._events = events
        self._enqueue = enqueue
        self._sql = database.sql("schedules.sql")
        self._looked_at_ms = 0
        self._looked_at: dict[str, int | None] = {}
        """Schedule -> the tick that was found in order at that time."""

    def configure(self, definitions: Sequence[ScheduleDefinition]) -> None:
        """Store the schedules of the configuration. One with the same timing keeps its tick."""
        now_ms = self._database.clock.wall_ms()
        with self._database.write(durable=False):
            known = {row.definition.name: row for row in self.all()}
            for name in known.keys() - {definition.name for definition in definitions}:
                self._database.run(self._sql["remove-schedule"], name)
            for definition in definitions:
                before = known.get(definition.name)
                if before is not None and before.definition == definition:
                    continue
                if before is not None and before.definition.timing == definition.timing:
                    tick_ms = before.tick_ms
                else:
                    tick_ms = next_tick_ms(definition, now_ms)
                text = json.dumps(msgspec.to_builtins(definition))
                self._database.run(self._sql["put-schedule"], definition.name, text, tick_ms)

    def all(self) -> list[ScheduleRow]:
        """Return every schedule, by name."""
        return [_schedule_of(row) for row in self._database.all(self._sql["all-schedules"])]

    def get(self, name: str) -> ScheduleRow:
        """Return one schedule. Raises NotFound."""
        known = {row.definition.name: row for row in self.all()}
        if name not in known:
            raise NotFound(f"there is no schedule {name!r}{did_you_mean(name, known)}")
        return known[name]

    def last_runs(self, schedules: Sequence[ScheduleRow]) -> dict[str, list[ScheduledRun]]:
        """Return the last five jobs of each that are still there, newest first, by its name."""
        names = {row.definition.tag: row.definition.name for row in schedules}
        found: dict[str, list[ScheduledRun]] = {row.definition.name: [] for row in schedules}
        rows = self._database.run_many(self._sql["last-runs"], [(tag,) for tag in names])
        for tag, job_id, at_ms, status, *rest in rows:
            run = JobRun(Status(status), *rest)
            found[names[tag]].append(ScheduledRun(job_id, at_ms, run))
        return found

    def pauses(self) -> dict[str, Pause]:
        """Return who paused each paused schedule, why, and when, as far as the audit log says."""
        rows = self._database.all(self._sql["pauses"])
        return {name: Pause(*pause) for name, *pause in rows}

    def to_change(self, name: str) -> ScheduleRow:
        """Return a schedule that no other operator changes in this transaction. Raises NotFound."""
        self._database.lock("schedule", [name])
        return self.get(name)

    def correct_ticks(self) -> list[str]:
        """Let schedules whose tick was chosen while the clock was ahead wait for their next tick.

        Return their names. Otherwise a moment a year ahead would silence them for a year.
        """
        now_ms = self._database.clock.wall_ms()
        if now_ms < self._looked_at_ms:
            self._looked_at.clear()
        self._looked_at_ms = now_ms
        corrected = []
        for row in self.all():
            name, tick_ms = row.definition.name, row.tick_ms
            is_known = name in self._looked_at and self._looked_at[name] == tick_ms
            if row.paused or is_known:
                continue
            next_ms = self._looked_at[name] = tick_to_wait_for(row.definition, tick_ms, now_ms)
            if next_ms != tick_ms:
                with self._database.write(durable=True):
                    if self._database.run(self._sql["move-tick"], next_ms, name, tick_ms):
                        corrected.append(name)
        return corrected

    def fire_due(self, make_job: Callable[[ScheduleDefinition], NewJob | None]) -> list[int]:
        """Enqueue the jobs of every due tick; return their ids.

        `make_job` may return None: then the tick passes without a job.
        """
        now_ms = self._database.clock.wall_ms()
        return [job_id for row in self.all() for job_id in self._fire(row, now_ms, make_job)]

    def _fire(
        self,
        row: ScheduleRow,
        now_ms: int,
        make_job: Callable[[ScheduleDefinition], NewJob | None],
    ) -> list[int]:
        if row.paused or row.tick_ms is None or row.tick_ms > now_ms:
            return []
        due, name = due_ticks(row.definition, row.tick_ms, now_ms), row.definition.name
        job = make_job(row.definition) if due.fire_ms else None
        with self._database.write(durable=True):
            if not self._database.run(self._sql["move-tick"], due.next_ms, name, row.tick_ms):
                return []  # another process was first
            if job is None:
                self._database.run(self._sql["note-missed"], row.tick_ms, name)
                missed = {"name": name, "tick_ms": row.tick_ms}
                self._events.timeline.note(AlertCondition.SCHEDULE_MISSED, missed)
                return []
            jobs = [_made_for(tick_ms, job, row.definition) for tick_ms in due.fire_ms]
            ids = self._enqueue.keep(jobs)
            for tick_ms, job_id in zip(due.fire_ms, ids, strict=True):
                self._note_run(name, tick_ms, job_id)
        return ids

    def run_now(self, name: str, make_job: MakeJob) -> int:
        """Enqueue a schedule's job now; return its id. Raises NotFound, InvalidJob."""
        with self._database.write(durable=True):
            row, now_ms = self.get(name), self._database.clock.wall_ms()
            job = _made_for(now_ms, make_job(row.definition), row.definition)
            (job_id,) = self._enqueue.keep([job])
            self._note_run(name, now_ms, job_id)
        return job_id

    def _note_run(self, name: str, tick_ms: int, job_id: int) -> None:
        self._database.run(self._sql["note-run"], self._database.clock.wall_ms(), job_id, name)
        self._events.record(
            Kind.SCHEDULE_FIRED, {"name": name, "tick_ms": tick_ms, "job_id": job_id}
        )

    def pause(self, name: str) -> None:
        """Fire no tick until resumed, even after restarts. Raises NotFound."""
        self._set_paused(name, paused=True)

    def resume(self, name: str) -> None:
        """Fire again, from the next tick on. Raises NotFound."""
        self._set_paused(name, paused=False)

    def _set_paused(self, name: str, *, paused: bool) -> None:
        with self._database.write(durable=True):
            row = self.to_change(name)
            if row.paused == paused:
                return
            tick_ms = next_tick_ms(row.definition, self._database.clock.wall_ms())
            self._database.run(self._sql["set-paused"], int(paused), tick_ms, name)
            self._database.at_commit.ring_api()


def _made_for(tick_ms: int, job: NewJob, definition: ScheduleDefinition) -> NewJob:
    """Return the job of a tick, with the tag by which `last_runs` finds it."""
    return job._replace(tags=(*job.tags, definition.tag), scheduled_ms=tick_ms)


def _schedule_of(row: Row) -> ScheduleRow:
    definition = read_back(_definition_of, row[1])
    return ScheduleRow(definition, row[2], bool(row[3]), *row[4:])


def _definition_of(text: str) -> ScheduleDefinition:
    fields = json.loads(text)
    return ScheduleDefinition(**{**fields, "catch_up": CatchUp(fields["catch_up"])})
