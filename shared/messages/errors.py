"""Failed jobs, grouped by their errors."""

from msgspec import Struct

from orpheus.shared import storage
from orpheus.shared.messages.encoding import Time, time_of


class ErrorGroup(Struct, frozen=True):
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


class ErrorGroups(Struct, frozen=True):
    """Failed jobs by type, error and location, the largest groups first."""

    items: list[ErrorGroup]


def error_groups_of(groups: list[storage.ErrorGroup]) -> ErrorGroups:
    """Return the groups of failed jobs."""
    return ErrorGroups([_group_of(group) for group in groups])


def _group_of(group: storage.ErrorGroup) -> ErrorGroup:
    return ErrorGroup(
        group.type,
        group.error,
        group.where or None,
        group.count,
        group.last_hour,
        group.hour_before,
        time_of(group.first_ms),
        time_of(group.last_ms),
        group.newest,
        group.message,
        group.messages,
        group.max_id,
    )
