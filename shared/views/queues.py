"""Queues and schedules as the API and the command line list them."""

from itertools import islice
from typing import Any

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.rates import rate_text
from orpheus.shared.domain.schedules import ticks_after
from orpheus.shared.storage import QueueRow, ScheduleRow, Store
from orpheus.shared.views.jobs import rfc3339

_NEXT_RUNS = 5


def queues_json(store: Store) -> list[dict[str, Any]]:
    """Every queue that has had a job, a pause or a limit, by name."""
    with store.snapshot():
        counts = store.stats.counts_by_queue()
        done_per_minute = store.stats.done_per_minute()
        rules = {row.name: row for row in store.queues.all()}
        oldest_s = {name: store.stats.oldest_pending_s(name) for name in counts}
    items = []
    for name in sorted(counts.keys() | rules.keys()):
        rule = rules.get(name, QueueRow(name, paused=False, max_running=0, rate=None))
        by_status = counts.get(name, {})
        items.append(
            {
                "name": name,
                "paused": rule.paused,
                "max_running": rule.max_running,
                "rate": rate_text(rule.rate),
                "counts": {status.value: by_status.get(status, 0) for status in Status},
                "oldest_pending_s": oldest_s.get(name),
                "done_per_minute": done_per_minute.get(name, 0.0),
            }
        )
    return items


def schedules_json(store: Store) -> list[dict[str, Any]]:
    """Every schedule, by name."""
    now_ms = store.clock.wall_ms()
    return [schedule_json(row, now_ms) for row in store.schedules.all()]


def schedule_json(row: ScheduleRow, now_ms: int) -> dict[str, Any]:
    """A schedule with its next ticks; one that is paused has none."""
    definition = row.definition
    ticks = () if row.paused else islice(ticks_after(definition, now_ms), _NEXT_RUNS)
    return {
        "name": definition.name,
        "type": definition.type,
        "cron": definition.cron,
        "every": definition.every_s,
        "timezone": definition.timezone,
        "paused": row.paused,
        "last_run": None if row.last_run_ms is None else rfc3339(row.last_run_ms),
        "last_job": row.last_job_id,
        "next_runs": [rfc3339(tick_ms) for tick_ms in ticks],
    }
