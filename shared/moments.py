"""Moments as text, in one form everywhere: RFC 3339 in UTC, `2026-01-31T12:00:00.000Z`."""

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at_ms: int) -> str:
    """Return milliseconds since 1970 as text."""
    at = _EPOCH + timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def rfc3339_now() -> str:
    """Return the moment of now as text."""
    return rfc3339(time.time_ns() // 1_000_000)
