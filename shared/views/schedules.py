"""Schedules as the API and the command line list them."""

from itertools import islice

from typing_extensions import TypedDict

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.schedules import is_overdue, ticks_after
from orpheus.shared.errors import NotFound
from orpheus.shared.storage import ScheduleRow, Store
from orpheus.shared.views.values import Seconds, Time, optional_time, rfc3339

_NEXT_RUNS = 5


class LastResult(TypedDict):
    """What became of the job that a schedule made last."""

    status: Status
    ran_s: Seconds | None
    """How long its last attempt ran; null: it has not ended."""
    error: str | None
    """The name of its exception, if it failed."""


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
    """null: it has not run, or its last job has been deleted."""
    missed: Time | None
    """A time that has passed and at which it made no job; null: there is none."""


def schedules_json(store: Store) -> list[Schedule]:
    """Return every schedule, by name."""
    return [schedule_json(store, row) for row in store.schedules.all()]


def schedule_json(store: Store, row: ScheduleRow) -> Schedule:
    """Return a schedule with its next ticks; a paused one has none."""
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
        "last_result": None if row.last_job_id is None else _result(store, row.last_job_id),
        "missed": _missed(row, now_ms),
    }


def _result(store: Store, job_id: int) -> LastResult | None:
    try:
        run = store.jobs.run_of(job_id)
    except NotFound:
        return None
    ran_s = None
    if run.started_ms is not None and run.finished_ms is not None:
        ran_s = max(0, run.finished_ms - run.started_ms) / 1000
    error = run.error if run.status is Status.FAILED else None
    return {"status": run.status, "ran_s": ran_s, "error": error}


def _missed(row: ScheduleRow, now_ms: int) -> Time | None:
    """Return the tick that has passed without a job, if it has not fired since."""
    if row.paused:
        return None
    if row.tick_ms is not None and is_overdue(row.tick_ms, now_ms):
        return rfc3339(row.tick_ms)
    return optional_time(row.missed_ms)
