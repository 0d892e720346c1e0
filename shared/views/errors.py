"""Groups of failed jobs as the API and the command line list them."""

from typing_extensions import TypedDict

from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import ErrorGroup
from orpheus.shared.views.values import Time


class ErrorGroupEntry(TypedDict):
    """Failed jobs of one type with the same error, raised at the same location."""

    type: str
    error: str
    """The name of the exception."""
    where: str | None
    """The last frame of the application, outside libraries, as `jobs.py:12 in resize`; null: there
    is none."""
    count: int
    """How many there are. At most 10,000 are counted, those that failed last; then there may be
    more."""
    last_hour: int
    """How many of them failed in the last hour."""
    hour_before: int
    """How many of them failed in the hour before that one."""
    first_seen: Time
    """When the first of the jobs counted here failed; those that were retried or deleted since are
    not counted, so the error may be older."""
    last_seen: Time
    newest: int
    """The id of the job that failed last."""
    message: str
    """The message of its error, at most the first 500 characters."""
    messages: int
    """How many different messages the five jobs that failed first and the five that failed last
    have. In a group of more than ten jobs there may be more."""
    max_id: int
    """The largest id of the jobs counted here: as `max_id` of POST /jobs/bulk it leaves newer jobs
    alone."""


def error_group_json(group: ErrorGroup) -> ErrorGroupEntry:
    """Return one group of failed jobs."""
    return {
        "type": group.type,
        "error": group.error,
        "where": group.where or None,
        "count": group.count,
        "last_hour": group.last_hour,
        "hour_before": group.hour_before,
        "first_seen": rfc3339(group.first_ms),
        "last_seen": rfc3339(group.last_ms),
        "newest": group.newest,
        "message": group.message,
        "messages": group.messages,
        "max_id": group.max_id,
    }
