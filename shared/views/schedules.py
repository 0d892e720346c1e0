"""Schedules as the API and the command line list them."""

from collections.abc import Sequence
from itertools import islice

from typing_extensions import TypedDict

from orpheus.shared import storage
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.schedules import OVERDUE_MS, overdue_tick_ms, ticks_after
from orpheus.shared.errors import NotFound
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import JobRun, ScheduledRun, ScheduleRow, Store
from orpheus.shared.views.pauses import Pause, pause_json
from orpheus.shared.views.values import Seconds, Time, optional_time

_NEXT_RUNS = 5


class LastResult(TypedDict):
    """What became of the job that a schedule made last."""

    status: Status
    ran_s: Seconds | None
    """How long its last attempt ran; null: it has not ended."""
    error: str | None
    """The name of its exception, if it failed."""


class PastRun(LastResult):
    """A job that a schedule made, and what became of it."""

    job: int
    at: Time
    """When it was made."""


class Schedule(TypedDict):
    """A schedule of the configuration; either `cron` or `every` is not null."""

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
    pause: Pause | None
    """Who paused it; null: it is not paused, or the audit log does not say."""


class PausedSchedule(Schedule):
    """A schedule that is paused now."""

    already_paused: Pause | None
    """Who had paused it already, and why: without a new `reason`, nothing has changed. null: it was
    not paused."""


def schedules_json(store: Store) -> list[Schedule]:
    """Return every schedule, by name."""
    with store.snapshot():
        return _schedules(store, store.schedules.all())


def schedule_json(store: Store, row: ScheduleRow) -> Schedule:
    """Return a schedule with its next ticks; a paused one has none."""
    (found,) = _schedules(store, [row])
    return found


def _schedules(store: Store, rows: Sequence[ScheduleRow]) -> list[Schedule]:
    runs, pauses = store.schedules.last_runs(rows), store.schedules.pauses()
    names = [row.definition.name for row in rows]
    return [
        _schedule(store, row, runs[name], pauses.get(name))
        for name, row in zip(names, rows, strict=True)
    ]


def _schedule(
    store: Store, row: ScheduleRow, runs: Sequence[ScheduledRun], pause: storage.Pause | None
) -> Schedule:
    definition, now_ms = row.definition, store.clock.wall_ms()
    ticks = () if row.paused else islice(ticks_after(definition, now_ms), _NEXT_RUNS)
    return {
        "name": definition.name,
        "type": definition.type,
        "cron": definition.cron,
        "every": definition.every_s,
        "timezone": definition.timezone,
        "paused": row.paused,
        "last_run": optional_time(row.last_run_ms),
        "last_job": row.last_job_id,
        "next_runs": [rfc3339(tick_ms) for tick_ms in ticks],
        "in_words": definition.in_words,
        "queue": definition.queue,
        "last_result": _last_result(store, row.last_job_id, runs),
        "last_runs": [_past_run(one) for one in runs],
        "tag": definition.tag,
        "missed": _missed(row, now_ms),
        "pause": pause_json(pause),
    }


def _last_result(
    store: Store, job_id: int | None, runs: Sequence[ScheduledRun]
) -> LastResult | None:
    if job_id is None:
        return None
    for one in runs:
        if one.job_id == job_id:
            return _result(one.run)
    try:  # it is not among the last with the tag: an older version made it, for example
        return _result(store.jobs.run_of(job_id))
    except NotFound:
        return None


def _past_run(one: ScheduledRun) -> PastRun:
    return {"job": one.job_id, "at": rfc3339(one.at_ms), **_result(one.run)}


def _result(run: JobRun) -> LastResult:
    ran_s = None
    if run.started_ms is not None and run.ran_until_ms is not None:
        ran_s = max(0, run.ran_until_ms - run.started_ms) / 1000
    error = run.error if run.status is Status.FAILED else None
    return {"status": run.status, "ran_s": ran_s, "error": error}


def _missed(row: ScheduleRow, now_ms: int) -> Time | None:
    """Return the tick that has passed without a job, if it has not fired since."""
    tick_ms = overdue_tick_ms(row.tick_ms, now_ms, OVERDUE_MS, paused=row.paused)
    return optional_time(row.missed_ms if tick_ms is None else tick_ms)
