"""Whether a queue does what its `rate` lets it do, and whether that alone holds it back. Pure.

About as many jobs must end as the rate lets start: at the pace of the last minutes, or in the time
of five starts. The verdict wants somebody to act, and so asks for half of that only.
"""

import math
from typing import NamedTuple

from orpheus.shared.domain.paces import MOST_SILENT_S, Pace
from orpheus.shared.domain.rates import Rate

_UNSTEADY = 0.15
"""A queue at its limit may seem to do this share less, as jobs are counted when they end."""
_LEAST_SHARE = 0.5
"""A queue has enough workers for its `rate` if its jobs start at least at this share of it."""
_STARTS, _LATELY_S = 5.5, 10
"""In the time in which a rate lets so many jobs start one by one, five of them end."""


class AtRate(NamedTuple):
    """Whether its `rate` holds a queue back: its workers could run all that it lets start."""

    now: bool = False
    """Its rate lets no job start just now."""
    steadily: bool = False
    """It does so while a worker is free, or lately as many jobs ended as it lets start. So the
    queue is empty once it has let all start; other queues may take the workers of another."""


def at_rate(rate: Rate, pace: Pace | None, ended: int | None, *, holds: bool, free: bool) -> AtRate:
    """Return it of a queue whose workers can run what the rate lets start.

    `ended`: see `keeps_up`. `holds`: it alone lets no job start just now. `free`: a worker is free.
    """
    return AtRate(holds, (holds and free) or keeps_up(rate, ended, pace))


def carry(places: int, rate: Rate, run_s: float) -> bool:
    """Return whether so many places can run as many jobs as a rate lets start (Little's law)."""
    return rate.per_s * run_s <= places


def lately_s(rate: Rate) -> float:
    """Return how long to look back to see whether a queue does what its rate lets it do."""
    return max(_STARTS / rate.per_s, _LATELY_S)


def keeps_up(rate: Rate, ended: int | None, pace: Pace | None = None) -> bool:
    """Return whether about as many jobs ended in `lately_s` as the rate lets start.

    `ended` None: it is not known, as too many ended; then the pace tells it. How many ended is
    known for two minutes only, so a slower rate never keeps up.
    """
    within_s = lately_s(rate)
    if within_s > MOST_SILENT_S:
        return False
    if ended is None:
        return pace is not None and not pace.is_early and is_at_rate(pace, rate.per_s)
    return ended >= math.ceil((1 - _UNSTEADY) * rate.per_s * within_s)


def is_at_rate(pace: Pace, starts_per_s: float | None) -> bool:
    """Return whether about as many are done as a rate lets through."""
    return starts_per_s is not None and pace.per_s >= (1 - _UNSTEADY) * starts_per_s


def is_much_of(rate: Rate, runs_per_s: float, started: int, within_s: float) -> bool:
    """Return whether so many jobs run that the workers of a queue are not too slow for its rate.

    `runs_per_s`: of now, though it may have been paused before. `started`: in `within_s`.
    """
    least_per_s = _LEAST_SHARE * rate.per_s
    return runs_per_s >= least_per_s or started >= least_per_s * within_s
