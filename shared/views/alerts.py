"""Rules of `[[alerts]]` as the API and the command line list them."""

from typing_extensions import TypedDict

from orpheus.shared.storage import AlertRow, Store
from orpheus.shared.views.values import Time, optional_time


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
    type: str
    """The job type of its jobs."""
    last_fired: Time | None
    last_job: int | None
    held_back: int
    """How many alerts wait until the rule may fire again."""
    holding: list[str]
    """The conditions that hold: it fires again for one of them once it has ended and begun anew."""


def alerts_json(store: Store) -> list[Alert]:
    """Return every rule, by name."""
    return [_alert_json(row) for row in store.alerts.all()]


def _alert_json(row: AlertRow) -> Alert:
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
        "type": rule.type,
        "last_fired": optional_time(state.fired_ms),
        "last_job": row.last_job_id,
        "held_back": state.held_back,
        "holding": [*state.holding],
    }
