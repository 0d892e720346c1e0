"""Quantities as people read them, in the same words everywhere."""

from collections.abc import Iterable

_MOST_NAMED = 3


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


def noun_for(n: int, noun: str) -> str:
    """Return `job` for one, and `jobs` for any other number."""
    return noun if n == 1 else f"{noun}s"


def plural(n: int, noun: str) -> str:
    """Return `1 job`, or `12,000 jobs`."""
    return f"{n:,} {noun_for(n, noun)}"


def jobs_wait(n: int) -> str:
    """Return `1 job is waiting`, or `12 jobs are waiting`."""
    return f"{plural(n, 'job')} {'is' if n == 1 else 'are'} waiting"


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
