"""Rules of `[[alerts]]`, and when they fired last."""

from msgspec import Struct

from orpheus.shared.domain.alerts import ErrorDetail, is_throttled
from orpheus.shared.domain.jobs import Status
from orpheus.shared.errors import NotFound
from orpheus.shared.messages.encoding import Seconds, Time, optional_time
from orpheus.shared.storage import AlertRow, Store


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
    held_back: int
    """How many alerts wait until the rule may fire again."""
    holding: tuple[str, ...]
    """The conditions that hold: it fires again for one of them once it has ended and begun anew."""
    firing: bool
    """A condition holds, or it fired within `every`, or alerts wait, or its last job failed."""


class Alerts(Struct, frozen=True):
    """Every rule of alerts, by name."""

    items: list[Alert]


def alerts_of(store: Store) -> Alerts:
    """Return every rule, by name."""
    with store.snapshot():
        now_ms, rows = store.clock.wall_ms(), store.alerts.all()
        return Alerts([_alert_of(row, _status_of(store, row.last_job_id), now_ms) for row in rows])


def _status_of(store: Store, job_id: int | None) -> Status | None:
    if job_id is None:
        return None
    try:
        return store.jobs.status(job_id)
    except NotFound:
        return None


def _alert_of(row: AlertRow, status: Status | None, now_ms: int) -> Alert:
    rule, state = row.rule, row.state
    is_recent = is_throttled(rule, state, now_ms)
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
        held_back=state.held_back,
        holding=tuple(state.holding),
        firing=bool(state.holding or is_recent or state.held_back or status is Status.FAILED),
    )
