"""How long until a queue is empty, at the pace of the last minutes and with more workers. Pure.

A fluid model: the jobs that are due leave at the rate at which jobs were done lately, and each
further worker adds one job in the time that one took (Little's law). It assumes that no job is
submitted or becomes due meanwhile, that those that wait are like those that were done, and that
further workers take only jobs of this queue and are as fast as the others. Limits of keys are left
out.
"""

from collections.abc import Sequence

from orpheus.shared.records import dataclass

MORE_WORKERS = (1, 2, 4, 8)
"""The numbers of further workers that are shown."""
_SHORTEST_RUN_S = 0.001
"""Runs are counted in milliseconds."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many jobs of a queue were done within a time, and how long they ran in all."""

    done: int
    ran_s: float
    within_s: float


def drain_s(
    waiting: int,
    pace: Pace | None,
    more_workers: int = 0,
    max_running: int = 0,
    starts_per_s: float | None = None,
) -> float | None:
    """Return in how many seconds `waiting` jobs are done; None: nothing was done lately.

    `max_running` (0: none) and `starts_per_s` are the limits of the queue: beyond them, further
    workers do not help.
    """
    if not waiting:
        return 0.0
    if pace is None or not pace.done:
        return None
    run_s = max(pace.ran_s / pace.done, _SHORTEST_RUN_S)
    rate = now = pace.done / pace.within_s
    rate += more_workers / run_s
    if max_running:
        rate = min(rate, max_running / run_s)
    if starts_per_s is not None:
        rate = min(rate, starts_per_s)
    return waiting / max(rate, now)


def drain_with_more_s(
    waiting: int, pace: Pace | None, max_running: int = 0, starts_per_s: float | None = None
) -> Sequence[tuple[int, float]]:
    """Return (further workers, seconds) for each of `MORE_WORKERS`; empty if it is not known."""
    found = [(n, drain_s(waiting, pace, n, max_running, starts_per_s)) for n in MORE_WORKERS]
    return [(n, seconds) for n, seconds in found if seconds is not None]
