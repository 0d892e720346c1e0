"""Times, durations and other single values as JSON has them, and their types for the document."""

from typing import Annotated

import msgspec

from orpheus.shared.moments import rfc3339

Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339 in UTC with milliseconds: `2026-01-31T12:00:00.000Z`."""
Seconds = Annotated[float, msgspec.Meta(description="Seconds.")]


def optional_time(at_ms: int | None) -> Time | None:
    """Convert milliseconds since 1970 to a Time, and None to null."""
    return None if at_ms is None else rfc3339(at_ms)


def tenths(value: float | None) -> float | None:
    """Round to one decimal; keep None."""
    return None if value is None else round(value, 1)
