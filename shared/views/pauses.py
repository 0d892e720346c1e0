"""Who paused a queue or a schedule, as the API and the command line tell it."""

from typing_extensions import TypedDict

from orpheus.shared import storage
from orpheus.shared.views.values import Time, optional_time


class Pause(TypedDict):
    """Who paused or resumed a queue or a schedule, why, and when."""

    by: str | None
    """As in GET /audit; null: the configuration, or the audit log does not say."""
    reason: str | None
    at: Time | None


def pause_json(pause: storage.Pause | None) -> Pause | None:
    """Return who paused or resumed it; None for None."""
    if pause is None:
        return None
    return {"by": pause.by, "reason": pause.reason, "at": optional_time(pause.at_ms)}
