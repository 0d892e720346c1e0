"""Quantities as people read them, in the same words everywhere."""

import re
from collections.abc import Iterable

_UNIT = r"\d+(?:\.\d+)? (?:ms|s|min|minutes|h|d)\b"
_MOST_NAMED = 3
_DURATION = re.compile(rf"\bjust now\b|\b{_UNIT}(?: {_UNIT})?(?: ago\b)?")
_AHEAD_S = 5
"""The clocks of two hosts, or of a page and its server, may differ so much."""


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


def ago(seconds: float) -> str:
    """Return how long ago a moment was, in its largest unit: `just now`, `5 min ago`.

    Seconds go in steps of five after ten. One still to come, by a clock that was set back, is
    told as such: `in 2 h`. The dashboard's `words.js` has the same rule.
    """
    if -_AHEAD_S <= seconds < 1:
        return "just now"
    size = abs(seconds)
    if size < 60:
        told = f"{int(size if size < 10 else size // 5 * 5)} s"
    else:
        told = " ".join(duration(size).split()[:2])
    return f"{told} ago" if seconds > 0 else f"in {told}"


def without_durations(text: str) -> str:
    """Return a text without the spans of time in it, so that it stays equal as it grows older."""
    return _DURATION.sub("", text)


def noun_for(n: int, noun: str) -> str:
    """Return `job` for one, and `jobs` for any other number."""
    return noun if n == 1 else f"{noun}s"


def plural(n: int, noun: str) -> str:
    """Return `1 job`, or `12,000 jobs`."""
    return f"{n:,} {noun_for(n, noun)}"


def jobs_wait(n: int) -> str:
    """Return `1 job waits`, or `12 jobs wait`."""
    return "1 job waits" if n == 1 else f"{n:,} jobs wait"


def by_whom(who: str, reason: str | None) -> str:
    """Return ` by cli:ada`, or ` by cli:ada (disk swap)`."""
    return f" by {who} ({reason})" if reason else f" by {who}"


def named(names: Iterable[str]) -> str:
    """Return `a`, `a and b`, or `a, b, c and 4 more`."""
    known = list(names)
    if len(known) == 1:
        return known[0]
    if len(known) <= _MOST_NAMED:
        return f"{', '.join(known[:-1])} and {known[-1]}"
    return f"{', '.join(known[:_MOST_NAMED])} and {len(known) - _MOST_NAMED} more"
