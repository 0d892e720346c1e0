"""Schedules as the API and the command line list them."""

from itertools import islice

from typing_extensions import TypedDict

from orpheus.shared.domain.schedules import ticks_after
from orpheus.shared.storage import ScheduleRow, Store
from orpheus.shared.views.values import Time, optional_time, rfc3339

_NEXT_RUNS = 5


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


def schedules_json(store: Store) -> list[Schedule]:
    """Return every schedule, by name."""
    now_ms = store.clock.wall_ms()
    return [schedule_json(row, now_ms) for row in store.schedules.all()]


def schedule_json(row: ScheduleRow, now_ms: int) -> Schedule:
    """Return a schedule with its next ticks; a paused one has none."""
    definition = row.definition
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
    }
