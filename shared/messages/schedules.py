"""Schedules, their next times and what became of their last jobs."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from msgspec import Struct

from orpheus.shared.domain.hidden import Hidden, masked
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.schedules import (
    OVERDUE_MS,
    CatchUp,
    Overlap,
    Source,
    overdue_tick_ms,
    ticks_after,
)
from orpheus.shared.errors import NotFound
from orpheus.shared.messages.audit import By, pause_of
from orpheus.shared.messages.encoding import (
    Seconds,
    Time,
    finished_json,
    optional_time,
    time_of,
)
from orpheus.shared.storage import Backfill, JobRun, Pause, ScheduledRun, ScheduleRow, Store

_NEXT_RUNS = 5


class LastResult(Struct, frozen=True):
    """What became of the job that a schedule made last."""

    status: Status
    ran_s: Seconds | None
    """How long its last attempt ran; null: it has not ended."""
    error: str | None
    """The name of its exception, if it failed."""


class PastRun(Struct, frozen=True):
    """A job that a schedule made, and what became of it."""

    status: Status
    ran_s: Seconds | None
    """How long its last attempt ran; null: it has not ended."""
    error: str | None
    """The name of its exception, if it failed."""
    job: int
    at: Time
    """When it was made."""


class SkippedRun(Struct, frozen=True):
    """A time at which a schedule made no job, as its last job had not ended."""

    at: Time
    job: int
    """That job."""


class Schedule(Struct, frozen=True):
    """A schedule; either `cron` or `every` is not null."""

    name: str
    type: str
    cron: str | None
    every: float | None
    """Seconds."""
    timezone: str
    paused: bool
    last_run: Time | None
    last_job: int | None
    next_runs: list[Time]
    """The next five; none while it is paused."""
    in_words: str
    """Its times in plain English: `At 03:00 on Monday through Friday`."""
    queue: str | None
    """null: that of its type."""
    last_result: LastResult | None
    """null: it has not run since it was added, or its last job has been deleted."""
    last_runs: list[PastRun]
    """The last five that have not been deleted, newest first: the last jobs with the tag `tag`."""
    tag: str
    """The tag of its jobs: `schedule-NAME`; that of a long name ends in a digest."""
    missed: Time | None
    """A time that has passed and at which it made no job; null: there is none."""
    pause: By | None
    """Who paused it; null: it is not paused, or the audit log does not say."""
    payload: Any
    """Of its jobs."""
    source: Source
    """`file`: it stands in the configuration file; `program`: a program has put it."""
    priority: int
    catch_up: CatchUp
    overlap: Overlap
    """`skip`: it makes no job while its last one has not ended."""
    jitter: Seconds
    """Each job waits for a random time up to this."""
    skipped: SkippedRun | None
    """The last time that was skipped as its job would have overlapped; null: it has run since."""


class Schedules(Struct, frozen=True):
    """Every schedule, by name."""

    items: list[Schedule]


class Backfilled(Struct, frozen=True):
    """What a backfill did, or would do."""

    ticks: int
    """How many times the schedule has in the span."""
    missing: list[Time]
    """Those of them for which there was no job."""
    jobs: list[int]
    """The jobs that were made for them; empty in a dry run."""


def backfilled_of(backfill: Backfill) -> Backfilled:
    """Return a backfill as it is answered."""
    missing = [time_of(tick_ms) for tick_ms in backfill.missing_ms]
    return Backfilled(len(backfill.ticks_ms), missing, backfill.job_ids)


def schedules_of(store: Store) -> Schedules:
    """Return every schedule, by name."""
    with store.snapshot():
        return Schedules(_schedules_of(store, store.schedules.all()))


def schedule_of(store: Store, row: ScheduleRow) -> Schedule:
    """Return a schedule with its next ticks; a paused one has none."""
    (found,) = _schedules_of(store, [row])
    return found


def _schedules_of(store: Store, rows: Sequence[ScheduleRow]) -> list[Schedule]:
    runs, pauses = store.schedules.last_runs(rows), store.schedules.pauses()
    hidden = store.hidden.rules()
    names = [row.definition.name for row in rows]
    return [
        _schedule_of(store, row, runs[name], pauses.get(name), hidden)
        for name, row in zip(names, rows, strict=True)
    ]


def _schedule_of(
    store: Store,
    row: ScheduleRow,
    runs: Sequence[ScheduledRun],
    pause: Pause | None,
    hidden: Hidden,
) -> Schedule:
    definition, now_ms = row.definition, store.clock.wall_ms()
    ticks = () if row.paused else islice(ticks_after(definition, now_ms), _NEXT_RUNS)
    return Schedule(
        name=definition.name,
        type=definition.type,
        cron=definition.cron,
        every=definition.every_s,
        timezone=definition.timezone,
        paused=row.paused,
        last_run=optional_time(row.last_run_ms),
        last_job=row.last_job_id,
        next_runs=[time_of(tick_ms) for tick_ms in ticks],
        in_words=definition.in_words,
        queue=definition.queue,
        last_result=_last_result_of(store, row.last_job_id, runs),
        last_runs=[PastRun(*_result_of(run.run), run.job_id, time_of(run.at_ms)) for run in runs],
        tag=definition.tag,
        missed=_missed(row, now_ms),
        pause=pause_of(pause),
        payload=finished_json(masked(definition.payload, hidden.of(definition.type).payload)),
        source=row.source,
        priority=definition.priority,
        catch_up=definition.catch_up,
        overlap=definition.overlap,
        jitter=definition.jitter_s,
        skipped=_skipped(row),
    )


def _skipped(row: ScheduleRow) -> SkippedRun | None:
    if row.skipped_ms is None or row.skipped_for is None:
        return None
    return SkippedRun(time_of(row.skipped_ms), row.skipped_for)


def _last_result_of(
    store: Store, job_id: int | None, runs: Sequence[ScheduledRun]
) -> LastResult | None:
    if job_id is None:
        return None
    run = next((run.run for run in runs if run.job_id == job_id), None)
    try:  # without the tag, an older version made it
        return LastResult(*_result_of(run or store.jobs.run_of(job_id)))
    except NotFound:
        return None


def _result_of(run: JobRun) -> tuple[Status, float | None, str | None]:
    ran_s = None
    if run.started_ms is not None and run.ran_until_ms is not None:
        ran_s = max(0, run.ran_until_ms - run.started_ms) / 1000
    return run.status, ran_s, run.error if run.status is Status.FAILED else None


def _missed(row: ScheduleRow, now_ms: int) -> Time | None:
    """Return the tick that has passed without a job, if it has not fired since."""
    tick_ms = overdue_tick_ms(row.tick_ms, now_ms, OVERDUE_MS, paused=row.paused)
    return optional_time(row.missed_ms if tick_ms is None else tick_ms)
