"""What happened to the system, and what operators did."""

from msgspec import Struct

from orpheus.shared.messages.encoding import Time


class TimelineItem(Struct, frozen=True):
    """Something that happened."""

    at: Time
    kind: str
    """That of an event (`worker.exited`), `schedule.missed`, `alert.fired`, `alert.resolved`, or
    `operator.` and an action as in GET /audit."""
    subject: str
    """What it is about: `default-1`, `queue mail`, the name of a schedule, a type or an alert."""
    text: str
    """A sentence."""
    by: str | None
    """The operator, as in GET /audit; null: no operator did it."""
    link: str
    """The path of a page of the dashboard about it."""


class TimelinePage(Struct, frozen=True):
    """A part of the timeline, newest first."""

    items: list[TimelineItem]
    next_cursor: str | None
    """null on the last page."""
