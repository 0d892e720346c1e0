"""Quantities as people read them, in the same words everywhere."""

import re

_UNIT = r"\d+(?:\.\d+)? (?:ms|s|min|h|d)\b"
_DURATION = re.compile(rf"\b{_UNIT}(?: {_UNIT})?")


def duration(seconds: float) -> str:
    """Return a span of time in its two largest units: `12 ms`, `3.2 s`, `4 min 5 s`, `2 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    parts = ((days, "d"), (h, "h"), (m, "min"), (s, "s"))
    first = next(index for index, (n, _) in enumerate(parts) if n)
    return " ".join(f"{n} {unit}" for n, unit in parts[first : first + 2] if n)


def without_durations(text: str) -> str:
    """Return a text without the spans of time in it: alike while it only grows older."""
    return _DURATION.sub("", text)
