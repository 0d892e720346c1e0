"""Durations as people write them: seconds, or `"500ms"`, `"30s"`, `"15m"`, `"2h"`, `"7d"`.

The configuration, the API, the command line and job authors all use this parser; what is written
in Python may be a timedelta, too.
"""

import math
import re
from datetime import datetime, timedelta
from typing import overload

from orpheus.shared.moments import parse_time_ms

LONGEST_S = 365 * 86_400
"""The longest duration that is allowed anywhere: 365 days, in seconds."""

_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
PATTERN = r"^ *([0-9]+(?:\.[0-9]+)?) *(ms|s|m|h|d|) *$"
"""The texts that `parse_duration_s` reads, as a pattern that JSON Schema may have (ECMA 262)."""
_WRITTEN = re.compile(PATTERN)
_DATED = re.compile(r"[0-9]{4}-", re.ASCII)


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


def parse_moment(value: object) -> int:
    """Return a time, or minus how long ago it was: `moment_ms` makes a time of either.

    Raises ValueError, with a sentence for the user.
    """
    try:
        return parse_time_ms(value)
    except ValueError as error:
        if isinstance(value, datetime) or (isinstance(value, str) and _DATED.match(value)):
            raise
        try:
            return -max(1, round(parse_duration_s(value) * 1000))
        except ValueError:
            words = "is neither a time such as 2026-01-31T12:00:00Z nor how long ago, such as 15m"
            if isinstance(value, (int, float, timedelta)) or _WRITTEN.fullmatch(str(value)):
                words = "must be from 0 to 365 days ago; else write the time"
            raise ValueError(words) from error


@overload
def moment_ms(moment: int, now_ms: int) -> int: ...


@overload
def moment_ms(moment: None, now_ms: int) -> None: ...


def moment_ms(moment: int | None, now_ms: int) -> int | None:
    """Return the time that `parse_moment` has read, in milliseconds; None for None."""
    return moment if moment is None or moment >= 0 else max(0, now_ms + moment)
