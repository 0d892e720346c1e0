"""Moments as text: RFC 3339, in UTC where Orpheus writes it (`2026-01-31T12:00:00.000Z`). Pure."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_TIME_MS = 253_402_300_799_999
"""The end of the year 9999, which is as far as ISO 8601 reaches."""


def rfc3339(at_ms: int) -> str:
    """Return milliseconds since 1970 as text."""
    at = _EPOCH + timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_time_ms(value: object) -> int:
    """Return an aware datetime, or an RFC 3339 text, as milliseconds since 1970 UTC.

    Raises ValueError, with a sentence for the user, for anything else and outside 1970 to 9999.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.upper())  # RFC 3339 allows a small t and z
        except ValueError:
            raise ValueError("is not an RFC 3339 time; write 2026-01-31T12:00:00Z") from None
    if not isinstance(value, datetime):
        raise ValueError("must be text such as 2026-01-31T12:00:00Z")
    if value.tzinfo is None:
        raise ValueError("lacks its time zone; end it with Z or an offset such as +01:00")
    since = value - _EPOCH
    at_ms = since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
    if not 0 <= at_ms <= _LATEST_TIME_MS:
        raise ValueError("must be from 1970 to 9999")
    return at_ms
