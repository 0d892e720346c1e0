"""Whether the backlog of a queue grows, and in how many seconds it is empty. Pure.

The time until it is empty comes from a fluid model. Due jobs leave at the pace of the time in which
the queue could run (`paces`), but no faster than its `rate`. Each further worker adds one job in
the time that one took (Little's law), but no more than each of the present workers does.

A pace tells how fast a queue can be emptied only if the queue was busy: jobs waited all that time,
or the oldest has waited about as long as those before it took at this pace, or at least half of
what its workers and limits let through was done. Further workers do not help a queue that does what
its `rate` lets through, nor one whose workers can already run as many jobs as `max_running` allows.

It is assumed that no job is submitted or becomes due meanwhile, that waiting jobs are like those
that were done, and that further workers take only jobs of this queue. Limits of keys are left out.
"""

import math
from collections.abc import Sequence

import msgspec

from orpheus.shared.domain.at_rate import is_at_rate
from orpheus.shared.domain.paces import MOST_SILENT_S, Pace
from orpheus.shared.domain.words import duration

MORE_WORKERS = (1, 2, 4, 8)
"""The numbers of further workers that are shown."""
_SILENCE_S = 15
"""If no job came for so long, none comes any more, unless so long a wait is usual."""
_TOO_MANY_TO_BE_LATE = 5
"""Where so many come in a time on average, none comes in 1 of 150 such times."""
_TURN_S = 5
"""A pool whose places have all been taken for so long does not serve a queue by turns."""
_TURNS_MISSED = 2
"""Nor does one that ran none of its jobs for so many times the usual time between two."""
_TURNS_KNOWN_S = 60
"""A queue that has had a backlog for so long, and of which jobs ended, is served by turns."""
_STEADY = 0.05
"""Rates that differ by a smaller share count as equal."""
_BUSY = 0.5
"""A queue that did this share of what it could is not empty much earlier than its pace says."""
_SOON_S = 10
"""A shorter estimate is shown though the queue may be empty even sooner."""


class DrainLimits(msgspec.Struct, frozen=True):
    """What keeps jobs of a queue from running: its limits, and the workers that serve it."""

    max_running: int = 0
    """0: no limit."""
    starts_per_s: float | None = None
    concurrency: int = 0
    """How many jobs the ready workers that serve the queue run at once."""

    def lets_through(self, run_s: float) -> float:
        """Return how many jobs that run so long the limits let end in a second."""
        by_running = self.max_running / run_s if self.max_running else math.inf
        return min(by_running, math.inf if self.starts_per_s is None else self.starts_per_s)


def growth_per_minute(
    came: float, ended: float, came_for_s: float, silent_s: float
) -> float | None:
    """Return by how many jobs a minute a backlog grows, negative if it shrinks; None: none comes.

    `came` and `ended` are jobs a minute within the same time. From the first to the last that came
    it took `came_for_s`, and it has been `silent_s` since: longer is the end of a batch. Less
    than such numbers vary by themselves counts as steady, 0.
    """
    is_too_late = silent_s >= _SILENCE_S and came * silent_s / 60 >= _TOO_MANY_TO_BE_LATE
    if not came or silent_s > came_for_s or is_too_late:
        return None
    more = came - ended
    is_steady = abs(more) <= max(_STEADY * max(came, ended), math.sqrt(came + ended))
    return 0.0 if is_steady else more


def is_starved(
    taken_s: float, ended_per_minute: float, idle_s: float = 0.0, pace: Pace | None = None
) -> bool:
    """Return whether workers starve a queue: they have no free place, and run none of its jobs.

    `taken_s`: for how long at least all their places have been taken. `idle_s`: for how long a job
    has waited, and none of the queue has ended. A queue whose quick jobs run by turns with those of
    others has such moments too, and is not starved.
    """
    between_two_s = 1 / pace.per_s if pace and pace.done else 0.0
    is_passed_over = idle_s >= max(_TURN_S, _TURNS_MISSED * between_two_s)
    return taken_s >= _TURN_S or not ended_per_minute or is_passed_over


def has_turns(waits_s: float, idle_s: float) -> bool:
    """Return whether a queue with a backlog is served by turns, so that its next one comes.

    A job of it has waited for `waits_s`, and none has ended for `idle_s`. If that began when it had
    just got its backlog, nothing is known of turns. The difference of both stays as it is during a
    silence, so nothing flips within one, if it is known when the last one ended.
    """
    return waits_s - idle_s >= _TURNS_KNOWN_S and idle_s < MOST_SILENT_S


def is_refuted(seconds: float, quiet_s: float) -> bool:
    """Return whether an estimate is refuted: no job has ended for longer than it says."""
    return quiet_s > max(_TURN_S, seconds)


def drain_s(
    due: int, running: int, pace: Pace | None, bounds: DrainLimits, waits_s: float = 0.0
) -> float | None:
    """Return in how many seconds the present workers have done these jobs; None: not known (yet).

    `waits_s`: for how long the oldest has waited for nothing but a worker or the rate.
    """
    if not due + running:
        return 0.0
    if pace is None or not pace.done or pace.is_early:
        return None
    seconds = (due + running) / pace.per_s
    if due and bounds.starts_per_s is not None:
        seconds = max(seconds, due / bounds.starts_per_s)
    is_so_slow = pace.had_backlog or waits_s >= seconds / 2 or _is_busy(pace, bounds)
    return seconds if seconds <= _SOON_S or is_so_slow else None


def no_estimate(pace: Pace | None, quiet_s: float | None, ended_per_minute: float) -> str:
    """Say why nobody knows when a queue is empty whose due jobs its workers could start.

    `quiet_s`: for how long jobs have waited for a worker, and none of theirs has ended.
    """
    is_long = quiet_s is not None and quiet_s >= MOST_SILENT_S
    if pace is not None and pace.is_early and not is_long:
        return "no estimate yet"
    if quiet_s is not None and quiet_s > _TURN_S:
        long = "over " if is_long else ""
        return f"no estimate: none has ended for {long}{duration(int(min(quiet_s, MOST_SILENT_S)))}"
    is_none_done = ended_per_minute and pace is None
    return "no estimate: none was done lately" if is_none_done else "no estimate yet"


def drain_with_more_s(
    due: int, running: int, pace: Pace | None, bounds: DrainLimits
) -> Sequence[tuple[int, float]]:
    """Return (further workers, seconds) for each of `MORE_WORKERS`.

    Empty if it is not known, or if a limit of the queue keeps workers from helping, or if those
    that are there can run all of them at once.
    """
    waiting = due + running
    if waiting <= bounds.concurrency:
        return []
    if not waiting or pace is None or not pace.done or _do_limits_rule(pace, bounds):
        return []
    most = max(bounds.lets_through(pace.run_s), pace.per_s)
    # Jobs may take longer than they run, and the time before they came is a part of the pace: a
    # further worker does no more than each of those that are there.
    each = min(1 / pace.run_s, pace.per_s / bounds.concurrency if bounds.concurrency else math.inf)
    return [(n, waiting / min(pace.per_s + n * each, most)) for n in MORE_WORKERS]


def _do_limits_rule(pace: Pace, bounds: DrainLimits) -> bool:
    """Return whether the workers that are there can do all that the limits let through."""
    is_full = 0 < bounds.max_running <= bounds.concurrency
    return is_full or is_at_rate(pace, bounds.starts_per_s)


def _is_busy(pace: Pace, bounds: DrainLimits) -> bool:
    """Return whether it did half of what its workers and limits let through."""
    by_workers = bounds.concurrency / pace.run_s
    return pace.per_s >= _BUSY * min(by_workers, bounds.lets_through(pace.run_s))
