"""Rules of `[[alerts]]` as the API and the command line list them."""

from typing_extensions import TypedDict

from orpheus.shared.domain.alerts import ErrorDetail
from orpheus.shared.domain.deliveries import Undelivered as UndeliveredAlerts
from orpheus.shared.domain.deliveries import undelivered, unsent
from orpheus.shared.domain.jobs import Status
from orpheus.shared.errors import NotFound
from orpheus.shared.storage import AlertRow, Store
from orpheus.shared.views.values import Time, optional_time


class Undelivered(TypedDict):
    """Alerts of a rule that have reached nobody since the last one that did."""

    alerts: int
    job: int | None
    """That of the newest; null: none could be made, and the log says why."""
    failed: bool
    """One of their jobs has failed for good; else all are still tried."""
    reason: str
    """What the newest failed with."""


class Alert(TypedDict):
    """A rule of the configuration, and when it fired last."""

    name: str
    on: list[str]
    types: list[str]
    queues: list[str]
    after: int
    within: float | None
    """Seconds."""
    every: float
    """Seconds."""
    resolved: bool
    """Whether it also tells that a condition has ended."""
    error: ErrorDetail
    """How much of an exception its jobs are told."""
    type: str
    """The job type of its jobs."""
    last_fired: Time | None
    last_job: int | None
    last_job_status: Status | None
    """Null: there is no such job any more."""
    undelivered: Undelivered | None
    """The alerts that reach nobody; null also if they were only just tried in vain."""
    held_back: int
    """How many alerts wait until the rule may fire again."""
    holding: list[str]
    """The conditions that hold: it fires again for one of them once it has ended and begun anew."""


def alerts_json(store: Store) -> list[Alert]:
    """Return every rule, by name."""
    with store.snapshot():
        found = undelivered_alerts(store, store.clock.wall_ms())
        # In reverse: one whose job was tried says more than one that has none.
        vain = {one.name: one for one in reversed(found) if one.needs_person}
        return [
            _alert_json(row, _status(store, row.last_job_id), vain.get(row.rule.name))
            for row in store.alerts.all()
        ]


def undelivered_alerts(store: Store, now_ms: int) -> list[UndeliveredAlerts]:
    """Return for each rule the alerts that have reached nobody, if there are any."""
    rows = store.alerts.all()
    last_jobs = {row.rule.name: row.last_job_id for row in rows if row.last_job_id is not None}
    jobs = store.alerts.deliveries(last_jobs) if last_jobs else []
    without_job = (unsent(row.rule, row.state, now_ms) for row in rows)
    return [*undelivered(jobs, now_ms), *(one for one in without_job if one is not None)]


def _status(store: Store, job_id: int | None) -> Status | None:
    if job_id is None:
        return None
    try:
        return store.jobs.status(job_id)
    except NotFound:
        return None


def _alert_json(row: AlertRow, status: Status | None, vain: UndeliveredAlerts | None) -> Alert:
    rule, state = row.rule, row.state
    return {
        "name": rule.name,
        "on": [*rule.on],
        "types": [*rule.types],
        "queues": [*rule.queues],
        "after": rule.after,
        "within": rule.within_s,
        "every": rule.every_s,
        "resolved": rule.resolved,
        "error": rule.error,
        "type": rule.type,
        "last_fired": optional_time(state.fired_ms),
        "last_job": row.last_job_id,
        "last_job_status": status,
        "undelivered": None if vain is None else _undelivered_json(vain),
        "held_back": state.held_back,
        "holding": [*state.holding],
    }


def _undelivered_json(vain: UndeliveredAlerts) -> Undelivered:
    return {
        "alerts": vain.alerts,
        "job": vain.job_id,
        "failed": vain.has_failed,
        "reason": vain.reason,
    }
