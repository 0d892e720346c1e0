"""Rules of `[[alerts]]`, when they fired last, and the alerts that are not delivered."""

from msgspec import Struct

from orpheus.shared.domain import deliveries
from orpheus.shared.domain.alerts import ErrorDetail
from orpheus.shared.domain.deliveries import undelivered, unsent
from orpheus.shared.domain.jobs import Status
from orpheus.shared.errors import NotFound
from orpheus.shared.messages.encoding import Seconds, Time, optional_time
from orpheus.shared.storage import AlertRow, Store


class Undelivered(Struct, frozen=True):
    """Alerts of a rule that were not delivered, since the last one that was."""

    alerts: int
    job: int | None
    """That of the newest; null: none could be made, and the log says why."""
    failed: bool
    """One of their jobs has failed for good; else all are still tried."""
    reason: str
    """What the newest failed with."""


class Alert(Struct, frozen=True):
    """A rule of the configuration, and when it fired last."""

    name: str
    on: tuple[str, ...]
    types: tuple[str, ...]
    queues: tuple[str, ...]
    after: int
    within: Seconds | None
    every: Seconds
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
    """The alerts that are not delivered; null also if they failed only just now."""
    held_back: int
    """How many alerts wait until the rule may fire again."""
    holding: tuple[str, ...]
    """The conditions that hold: it fires again for one of them once it has ended and begun anew."""


class Alerts(Struct, frozen=True):
    """Every rule of alerts, by name."""

    items: list[Alert]


def alerts_of(store: Store) -> Alerts:
    """Return every rule, by name."""
    with store.snapshot():
        found = undelivered_alerts(store, store.clock.wall_ms())
        # In reverse: an alert whose job was tried says more than an alert without a job.
        vain = {alert.name: alert for alert in reversed(found) if alert.needs_person}
        return Alerts(
            [
                _alert_of(row, _status_of(store, row.last_job_id), vain.get(row.rule.name))
                for row in store.alerts.all()
            ]
        )


def undelivered_alerts(store: Store, now_ms: int) -> list[deliveries.Undelivered]:
    """Return the alerts of each rule that were not delivered, if there are any."""
    rows = store.alerts.all()
    last_jobs = {row.rule.name: row.last_job_id for row in rows if row.last_job_id is not None}
    jobs = store.alerts.deliveries(last_jobs) if last_jobs else []
    without_job = (unsent(row.rule, row.state, now_ms) for row in rows)
    return [*undelivered(jobs, now_ms), *(alert for alert in without_job if alert is not None)]


def _status_of(store: Store, job_id: int | None) -> Status | None:
    if job_id is None:
        return None
    try:
        return store.jobs.status(job_id)
    except NotFound:
        return None


def _alert_of(row: AlertRow, status: Status | None, vain: deliveries.Undelivered | None) -> Alert:
    rule, state = row.rule, row.state
    return Alert(
        name=rule.name,
        on=tuple(rule.on),
        types=tuple(rule.types),
        queues=tuple(rule.queues),
        after=rule.after,
        within=rule.within_s,
        every=rule.every_s,
        resolved=rule.resolved,
        error=rule.error,
        type=rule.type,
        last_fired=optional_time(state.fired_ms),
        last_job=row.last_job_id,
        last_job_status=status,
        undelivered=None
        if vain is None
        else Undelivered(vain.alerts, vain.job_id, vain.has_failed, vain.reason),
        held_back=state.held_back,
        holding=tuple(state.holding),
    )
