"""The JSON of all messages, with one encoder, and the values that they have in common.

Times are RFC 3339 in UTC, durations are seconds. NaN and infinite numbers become null.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""In UTC; as JSON with six digits of a second."""
Seconds = Annotated[float, msgspec.Meta(description="Seconds.")]
AttemptNumber = Annotated[
    int, msgspec.Meta(description="Number of the newest attempt, 0 if there was none.")
]


class _WholeSecond(datetime):
    """A time to which msgspec would give no fraction: text of times would not sort by time."""


def _encode_other(value: object) -> str:
    if isinstance(value, _WholeSecond):
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"
    raise TypeError(f"{type(value).__name__} has no JSON")


encode = msgspec.json.Encoder(enc_hook=_encode_other).encode
"""Return a message as JSON, in UTF-8. Raises UnicodeEncodeError for a lone surrogate."""


def as_decoded(message: Any, kind: type[T]) -> T:
    """Return the message as a client of the API decodes it."""
    return msgspec.json.decode(encode(message), type=kind)


def finished_json(text: str) -> Any:
    """Return a value that is encoded as this JSON, so that big integers stay exact."""
    return msgspec.Raw(text)


def time_of(at_ms: int) -> datetime:
    """Return the time that is so many milliseconds after 1970 UTC."""
    kind = datetime if at_ms % 1000 else _WholeSecond
    return kind.fromtimestamp(at_ms / 1000, UTC)


def optional_time(at_ms: int | None) -> datetime | None:
    """Return the same; None for None."""
    return None if at_ms is None else time_of(at_ms)
