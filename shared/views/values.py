"""Times, durations and other single values as JSON has them, and their types for the document."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from orpheus.shared.moments import rfc3339


class _JsonSchema:
    """Adds keywords to the JSON Schema of a type. pydantic calls the method by its name."""

    def __init__(self, **keywords: Any) -> None:
        self._keywords = keywords

    def __get_pydantic_json_schema__(
        self, core_schema: Mapping[str, Any], handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        return handler(core_schema) | self._keywords


Time = Annotated[str, _JsonSchema(format="date-time")]
"""RFC 3339 in UTC with milliseconds: `2026-01-31T12:00:00.000Z`."""
Seconds = Annotated[float, _JsonSchema(description="Seconds.")]
AttemptNumber = Annotated[
    int, _JsonSchema(description="Number of the newest attempt, 0 if there was none.")
]


def optional_time(at_ms: int | None) -> Time | None:
    """Convert milliseconds since 1970 to a Time, and None to null."""
    return None if at_ms is None else rfc3339(at_ms)


def tenths(value: float | None) -> float | None:
    """Round to one decimal; keep None."""
    return None if value is None else round(value, 1)
