"""Durations as people write them: seconds, or `"500ms"`, `"30s"`, `"15m"`, `"2h"`, `"7d"`.

The configuration, the API, the command line and job authors all use this parser; what is written
in Python may be a timedelta, too.
"""

import math
import re
from datetime import timedelta

LONGEST_S = 365 * 86_400
"""The longest duration that is allowed anywhere: 365 days, in seconds."""

_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
PATTERN = r"^ *([0-9]+(?:\.[0-9]+)?) *(ms|s|m|h|d|) *$"
"""The texts that `parse_duration_s` reads, as a pattern that JSON Schema may have (ECMA 262)."""
_WRITTEN = re.compile(PATTERN)


def parse_duration_s(value: object) -> float:
    """Return `value` in seconds: a number of seconds, text with a unit, or a timedelta.

    Raises ValueError, with a sentence for the user, for anything else and outside 0 to 365 days.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, str):
        written = _WRITTEN.fullmatch(value)
        if written is None:
            rule = 'write seconds, or "500ms", "30s", "15m"'
            raise ValueError(f"{value!r} is not a duration: {rule}")
        number, unit = float(written[1]), written[2]
        # Divide: 700 * 0.001 is a little more than 0.7.
        seconds = number / 1_000 if unit == "ms" else number * _UNITS_S[unit]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value) if abs(value) <= LONGEST_S else math.inf
    else:
        raise ValueError('a duration is seconds, or text such as "500ms", "30s", "15m", "7d"')
    if not 0 <= seconds <= LONGEST_S:
        raise ValueError("a duration lies between 0 and 365 days")
    return seconds
