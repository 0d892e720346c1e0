"""Rules of alerts, and what their jobs are told, for the tests of several files."""

import json
from typing import Any

from orpheus.shared.domain.alerts import AlertRule
from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.operations.alerts import fire_alerts
from orpheus.shared.storage import Store, TypeRow

MINUTE_MS = 60_000
RULE = AlertRule("ops", ("job.failed",), "notify", '{"alert": "{alert}"}')
LATE = AlertRule("late", ("queue.late",), "notify", '{"text": "{text}"}', after=2, within_s=60)
NOTIFY = TypeRow("notify", '{"type": "object"}', None, None, None, "")
SETTINGS = StoredSettings({}, (), JobDefaults(3, 900.0))


def alerts(store: Store) -> list[dict[str, Any]]:
    """What the jobs of alerts are told, the newest first."""
    jobs = store.jobs.page(JobFilter(queue="alerts"), 100)
    return [json.loads(store.jobs.get(one.id).payload) for one in jobs]


def look(store: Store) -> float:
    """Evaluate the rules."""
    return fire_alerts(store, SETTINGS)
