"""How fast the jobs of a queue are done, from how many were done in each minute. Pure.

Only time in which the queue could run counts: not that before it was resumed, or before its workers
came up and began the first job, if none was done in the minute before. If jobs have waited for a
worker for long enough, only the time since then counts; else the pace may include time in which
there was nothing to do.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

LATELY_MINUTES = 5
"""Lately means in this minute, or in so many before it."""
MOST_MINUTES = 15
"""How many minutes count if fewer than ten jobs were done in the last five."""
MOST_SILENT_S = 120
"""If no job of a queue has ended for longer than this, nobody knows for how much longer."""
_ENOUGH = 10
_LEAST_DONE = 3
"""With only two jobs, the counted minutes may be half or three times as long as both took."""
_TOO_MANY_TO_STOP = 10
"""After a minute with so many jobs done, one with none is a stop: a pause, or no worker."""
_MINUTE_MS = 60_000
_SHORTEST_RUN_S = 0.001
"""Runs are counted in milliseconds."""


class DoneInMinute(NamedTuple):
    """How many jobs of a queue were done in a minute, and how long they ran in all."""

    minute: int
    done: int
    ran_ms: int


class Pace(msgspec.Struct, frozen=True):
    """How many jobs of a queue were done within a time, and how long they ran in all."""

    done: int
    ran_s: float
    within_s: float
    is_early: bool = False
    """Whether no whole minute has passed, or so few were done that it may be wrong by a factor."""
    had_backlog: bool = False
    """Whether jobs waited all that time: then no more could be done."""

    @property
    def per_s(self) -> float:
        """How many were done in a second."""
        return self.done / self.within_s

    @property
    def run_s(self) -> float:
        """How long one of them ran."""
        return max(self.ran_s / self.done, _SHORTEST_RUN_S)


def pace_of(
    minutes: Sequence[DoneInMinute], now_ms: int, opened_ms: int = 0, waits_s: float = 0.0
) -> Pace:
    """Return the pace of these minutes, oldest first, at least one.

    `opened_ms`: since when the queue is not paused and a worker that serves it is up. `waits_s`:
    for how long a job has waited for nothing but a worker or the rate.
    """
    now = now_ms // _MINUTE_MS
    lately = [one for one in minutes if one.minute >= now - LATELY_MINUTES]
    is_enough = sum(one.done for one in lately) >= _ENOUGH
    first = now - (LATELY_MINUTES if is_enough else MOST_MINUTES)
    since = max(first, _last_stop(minutes, now, opened_ms))
    waiting = max(since, _next_minute(now_ms - round(waits_s * 1000)))
    with_backlog = replace(_within(minutes, waiting, now_ms), had_backlog=True)
    if not with_backlog.is_early:
        return with_backlog
    if since == first and first <= minutes[0].minute:
        since = minutes[0].minute + 1  # when in that minute the jobs began to end is not known
    found = _within(minutes, since, now_ms)
    if not found.is_early:
        return found
    return replace(_within(minutes, minutes[0].minute, now_ms), is_early=True)


def _last_stop(minutes: Sequence[DoneInMinute], now: int, opened_ms: int) -> int:
    """Return the minute with which the time since the last stop begins; 0: none is known.

    A worker that is up may load a model for minutes before its first job begins.
    """
    opened, since = opened_ms // _MINUTE_MS, 0
    if opened - minutes[-1].minute > 1:
        return _next_minute(opened_ms)
    unknown = DoneInMinute(now - MOST_MINUTES - 1, 0, 0)  # earlier minutes are not given
    for one, following in pairwise([unknown, *minutes]):
        began_ms = _began_ms(following)
        is_first = one.minute <= opened <= following.minute and began_ms >= opened_ms
        if is_first and began_ms // _MINUTE_MS > one.minute + 1:
            since = max(since, _next_minute(began_ms))
        if one.done >= _TOO_MANY_TO_STOP and following.minute > one.minute + 1:
            since = max(since, following.minute + 1)
    return since


def _began_ms(one: DoneInMinute) -> int:
    """Return when a job that was done in a minute began, at the latest."""
    return (one.minute + 1) * _MINUTE_MS - one.ran_ms // one.done


def _within(minutes: Sequence[DoneInMinute], since: int, now_ms: int) -> Pace:
    counted = [one for one in minutes if one.minute >= since]
    done, ran_ms = sum(one.done for one in counted), sum(one.ran_ms for one in counted)
    within_ms = now_ms - since * _MINUTE_MS
    is_early = within_ms < _MINUTE_MS or done < _LEAST_DONE
    return Pace(done, ran_ms / 1000, max(1.0, within_ms / 1000), is_early)


def _next_minute(at_ms: int) -> int:
    """Return the first minute that begins at a time or after it."""
    return -(-at_ms // _MINUTE_MS)
