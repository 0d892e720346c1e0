"""Schedules: the tick that each waits for, and firing it exactly once.

One transaction enqueues the job of a tick and moves the schedule to its next tick. It has read the
schedule under the lock that everyone takes who changes one. So however many processes try, and
whenever they are killed, a tick fires once.

Each schedule belongs to the configuration file or to a program, which puts and removes it while
Orpheus runs. If both name one, it is the file's.
"""

import json
import random
from collections.abc import Callable, Sequence
from itertools import islice

import msgspec

from orpheus.shared.domain.alerts import AlertCondition
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.domain.schedules import (
    Overlap,
    ScheduleDefinition,
    Source,
    due_ticks,
    next_tick_ms,
    tick_to_wait_for,
    ticks_in,
)
from orpheus.shared.errors import InvalidJob, NotFound, TransitionRefused
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage.data import (
    MOST_BACKFILLED,
    Backfill,
    JobRun,
    MakeJob,
    Pause,
    ScheduleRow,
)
from orpheus.shared.storage.database import Database, Row, read_back
from orpheus.shared.storage.verbs.enqueue import Enqueue
from orpheus.shared.storage.verbs.events import Events


class ScheduledRun(msgspec.Struct, frozen=True):
    """A job that a schedule made at `at_ms`, and how it stands."""

    job_id: int
    at_ms: int
    run: JobRun


class Schedules:
    """Stores, fires, pauses, resumes and backfills schedules."""

    def __init__(self, database: Database, events: Events, enqueue: Enqueue) -> None:
        self._database = database
        self._events = events
        self._enqueue = enqueue
        self._sql = database.sql("schedules.sql")
        self._random = random.Random()
        self._looked_at_ms = 0
        self._looked_at: dict[str, int | None] = {}
        """Schedule -> the tick that was found in order at that time."""

    def configure(self, definitions: Sequence[ScheduleDefinition]) -> list[str]:
        """Store the schedules of the configuration. One with the same timing keeps its tick.

        Return the names of those that a program had put: now they are the file's.
        """
        with self._database.write(durable=False):
            self._lock()
            known = {row.definition.name: row for row in self.all()}
            names = {definition.name for definition in definitions}
            for name, row in known.items():
                if row.source is Source.FILE and name not in names:
                    self._database.run(self._sql["remove-schedule"], name, Source.FILE)
            for definition in definitions:
                self._put(definition, known.get(definition.name), Source.FILE)
        taken = [name for name in names & known.keys() if known[name].source is Source.PROGRAM]
        return sorted(taken)

    def put(self, definition: ScheduleDefinition) -> ScheduleRow | None:
        """Store a schedule of a program, and return it as it was before; None: it is new.

        If it has the same timing as before, it keeps its tick; if it is paused, it stays so. Raises
        TransitionRefused if the configuration file has one of this name.
        """
        with self._database.write(durable=True):
            self._lock()
            before = self.find(definition.name)
            if before is not None:
                _refuse_of_file(before)
            self._put(definition, before, Source.PROGRAM)
            self._database.at_commit.ring_api()
        return before

    def _put(
        self, definition: ScheduleDefinition, before: ScheduleRow | None, source: Source
    ) -> None:
        if before is not None and (before.definition, before.source) == (definition, source):
            return
        if before is not None and before.definition.timing == definition.timing:
            tick_ms = before.tick_ms
        else:
            tick_ms = next_tick_ms(definition, self._database.clock.wall_ms())
        text = json.dumps(msgspec.to_builtins(definition))
        self._database.run(self._sql["put-schedule"], definition.name, text, tick_ms, source)

    def remove(self, name: str) -> None:
        """Delete a schedule of a program; its jobs stay.

        Raises NotFound, and TransitionRefused for a schedule of the configuration file.
        """
        with self._database.write(durable=True):
            _refuse_of_file(self.to_change(name))
            self._database.run(self._sql["remove-schedule"], name, Source.PROGRAM)
            self._database.at_commit.ring_api()

    def all(self) -> list[ScheduleRow]:
        """Return every schedule, by name."""
        return [_schedule_of(row) for row in self._database.all(self._sql["all-schedules"])]

    def get(self, name: str) -> ScheduleRow:
        """Return one schedule. Raises NotFound."""
        row = self.find(name)
        if row is None:
            known = [row.definition.name for row in self.all()]
            raise NotFound(f"there is no schedule {name!r}{did_you_mean(name, known)}")
        return row

    def find(self, name: str) -> ScheduleRow | None:
        """Return one schedule; None if there is none."""
        row = self._database.one(self._sql["one-schedule"], name)
        return None if row is None else _schedule_of(row)

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
        """Return a schedule that no one else changes or fires in this transaction.

        Raises NotFound.
        """
        self._lock()
        return self.get(name)

    def _lock(self) -> None:
        self._database.lock("schedules", [""])

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
            self._lock()
            now = self.find(name)
            if now is None or now.paused or now.definition != row.definition:
                return []  # it was changed
            if not self._database.run(self._sql["move-tick"], due.next_ms, name, row.tick_ms):
                return []  # another process was first
            if job is None:
                self._database.run(self._sql["note-missed"], row.tick_ms, name)
                missed = {"name": name, "tick_ms": row.tick_ms}
                self._events.timeline.note(AlertCondition.SCHEDULE_MISSED, missed)
                return []
            fire_ms = self._without_overlap(now, due.fire_ms)
            jobs = [self._made_for(tick_ms, job, row.definition) for tick_ms in fire_ms]
            ids = self._enqueue.keep(jobs)
            for tick_ms, job_id in zip(fire_ms, ids, strict=True):
                self._note_run(name, tick_ms, job_id)
            if len(fire_ms) < len(due.fire_ms):
                held_by = ids[0] if ids else now.last_job_id
                self._database.run(self._sql["note-skipped"], due.fire_ms[-1], held_by, name)
        return ids

    def _without_overlap(self, row: ScheduleRow, fire_ms: Sequence[int]) -> Sequence[int]:
        """Return the ticks that make a job: where jobs must not overlap, at most the first."""
        if row.definition.overlap is Overlap.ALLOW:
            return fire_ms
        is_live = self._database.one(self._sql["has-not-ended"], row.last_job_id) is not None
        return () if is_live else fire_ms[:1]

    def _made_for(self, tick_ms: int, job: NewJob, definition: ScheduleDefinition) -> NewJob:
        delay_ms = round(1000 * definition.jitter_s * self._random.random())
        return _of_tick(tick_ms, job, definition)._replace(delay_ms=delay_ms)

    def run_now(self, name: str, make_job: MakeJob) -> int:
        """Enqueue a schedule's job now; return its id. Raises NotFound, InvalidJob."""
        with self._database.write(durable=True):
            row, now_ms = self.to_change(name), self._database.clock.wall_ms()
            job = _of_tick(now_ms, make_job(row.definition), row.definition)
            (job_id,) = self._enqueue.keep([job])
            self._note_run(name, now_ms, job_id)
        return job_id

    def _note_run(self, name: str, tick_ms: int, job_id: int) -> None:
        self._database.run(self._sql["note-run"], self._database.clock.wall_ms(), job_id, name)
        self._events.record(
            Kind.SCHEDULE_FIRED, {"name": name, "tick_ms": tick_ms, "job_id": job_id}
        )

    def backfill(
        self, name: str, since_ms: int, until_ms: int, make_job: MakeJob, *, dry_run: bool
    ) -> Backfill:
        """Enqueue the jobs of ticks that have none, from `since_ms` on, before `until_ms`.

        Ticks are left out that the schedule fires itself: the next that it waits for, and later
        ones. What it says of its last run stays. Raises NotFound, InvalidJob, also for a span of
        more than 10,000 ticks.
        """
        with self._database.write(durable=True):
            row = self.to_change(name)
            end_ms = min(until_ms, self._database.clock.wall_ms() + 1)
            if row.tick_ms is not None and not row.paused:
                end_ms = min(end_ms, row.tick_ms)
            ticks_ms = list(islice(ticks_in(row.definition, since_ms, end_ms), MOST_BACKFILLED + 1))
            if len(ticks_ms) > MOST_BACKFILLED:
                raise InvalidJob(f"more than {MOST_BACKFILLED:,} ticks: choose a shorter span")
            job = make_job(row.definition)
            made = self._database.all(
                self._sql["ticks-with-job"], since_ms, end_ms, row.definition.tag
            )
            missing = sorted(set(ticks_ms) - {tick_ms for (tick_ms,) in made})
            jobs = [_of_tick(tick_ms, job, row.definition) for tick_ms in missing]
            return Backfill(ticks_ms, missing, [] if dry_run else self._enqueue.keep(jobs))

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


def _refuse_of_file(row: ScheduleRow) -> None:
    if row.source is Source.FILE:
        raise TransitionRefused(
            f"schedule {row.definition.name!r} stands in the configuration file: change it there"
        )


def _of_tick(tick_ms: int, job: NewJob, definition: ScheduleDefinition) -> NewJob:
    """Return the job of a tick, with the tag by which `last_runs` finds it."""
    return job._replace(tags=(*job.tags, definition.tag), scheduled_ms=tick_ms)


def _schedule_of(row: Row) -> ScheduleRow:
    _, definition, tick_ms, paused, last_run_ms, last_job_id, missed_ms, source, *skipped = row
    return ScheduleRow(
        read_back(_definition_of, definition),
        tick_ms,
        bool(paused),
        last_run_ms,
        last_job_id,
        missed_ms,
        Source(source),
        *skipped,
    )


def _definition_of(text: str) -> ScheduleDefinition:
    return msgspec.json.decode(text, type=ScheduleDefinition)
