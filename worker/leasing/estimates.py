"""Estimate how long jobs take, and so how many to prefetch. Pure.

Prefetching saves a commit for each job, but a job leased behind a long one waits while other
workers idle. So a worker leases the jobs that it expects to start within `ahead_s`. It uses a
moving estimate for each type, and one of all recent jobs while it does not know their types.

A worker that runs several jobs at once has `free` places for more. As many jobs start at once.
Those behind them start as places become free, in as many lanes as are free or run a short job.
"""

import math
from collections.abc import Sequence

_MOST_AHEAD = 256
"""The most jobs that one transaction ends, or leases: it holds the writer about 8 ms. Commits of
other workers empty the page cache, so smaller batches refill it more often. A job took two workers
59 us of CPU time with 64, 45 with 128, 39 with 256, and no less with 512.
"""
_RISE = 0.5
"""How far a run that is longer than `ahead_s` moves an estimate: its type is not prefetched."""
_MOVE = 0.1
"""How far any other run moves it. So it is the mean of the last runs: were it more, too few jobs
would share a commit on a machine where some of them have to wait for a processor.
"""
_MOST_TIMES = 11
"""A run within `ahead_s` counts at most this many times the estimate, so it at most doubles it."""
_SHORT_PART = 0.1
_PATIENCE = 1.75
"""While many jobs wait that take a tenth of `ahead_s` at most, those are leased that start within
this many times `ahead_s`: more of them share a commit. It is less than 2, as a worker reports its
results after twice `ahead_s` at the latest.
"""


class Estimates:
    """What this worker has seen of durations, in seconds."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead_s = ahead_s
        self._by_type: dict[str, float] = {}
        self._lately_s: float | None = None

    def note(self, job_type: str, duration_s: float) -> None:
        """Note how long a job of a type took."""
        known_s = self._by_type.get(job_type)
        new_s = duration_s if known_s is None else self._moved(known_s, duration_s)
        self._by_type[job_type] = new_s
        if self._lately_s is None:
            self._lately_s = new_s
        self._lately_s += (new_s - self._lately_s) * _MOVE

    def is_short(self, job_type: str) -> bool:
        """Return whether a job of that type is expected to end within `ahead_s`."""
        return self._by_type.get(job_type, math.inf) <= self._ahead_s

    def limit(self, free: int = 1, lanes: int = 1) -> int:
        """Return how many jobs to lease when their types are not known yet."""
        if self._ahead_s <= 0 or self._lately_s is None:
            return min(_MOST_AHEAD, free)
        expected_s = max(self._lately_s, self._ahead_s / _MOST_AHEAD)
        limit_s = self._ahead_s
        if lanes == 1 and expected_s <= limit_s * _SHORT_PART:
            limit_s *= _PATIENCE
        return min(_MOST_AHEAD, max(free, math.ceil(lanes * limit_s / expected_s)))

    def fitting(self, job_types: Sequence[str], free: int = 1, lanes: int = 1) -> int:
        """Return how many to lease, in order: the first, and short ones that start in time.

        Jobs that take longer than `ahead_s` are not leased behind another job, whose result would
        wait. Neither is a job of an unknown type, nor a job behind it.
        """
        waits = lanes == 1 and len(job_types) >= self.limit()
        limit_s = self._most_ahead_s(job_types) if waits else self._ahead_s
        return self._starting_within(limit_s, job_types, free, lanes)

    def still_fitting(self, job_types: Sequence[str]) -> int:
        """Return how many leased jobs to keep, in order: those within twice the limit of `fitting`.

        With that limit itself, a single long run, which raises the estimate, would release jobs
        that were just leased.
        """
        return self._starting_within(2 * self._most_ahead_s(job_types), job_types)

    def _starting_within(
        self, limit_s: float, job_types: Sequence[str], free: int = 1, lanes: int = 1
    ) -> int:
        starts_in_s = 0.0
        for index, job_type in enumerate(job_types):
            takes_s = self._by_type.get(job_type, math.inf)
            if index >= free and (starts_in_s >= lanes * limit_s or takes_s > limit_s):
                return index
            starts_in_s += takes_s
        return len(job_types)

    def _most_ahead_s(self, job_types: Sequence[str]) -> float:
        short_s = self._ahead_s * _SHORT_PART
        are_short = all(self._by_type.get(name, math.inf) <= short_s for name in set(job_types))
        return self._ahead_s * (_PATIENCE if are_short else 1)

    def _moved(self, known_s: float, new_s: float) -> float:
        if known_s < new_s > self._ahead_s:
            return known_s + (new_s - known_s) * _RISE
        return known_s + (min(new_s, known_s * _MOST_TIMES) - known_s) * _MOVE
