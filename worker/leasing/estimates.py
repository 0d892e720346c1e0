"""Estimate how long jobs take, and so how many to prefetch. Pure.

Prefetching saves a commit for each job, but a job leased behind a long one waits while other
workers idle. So a worker leases what it expects to finish in `ahead_s`: by a moving estimate of
each type, and of what has been coming lately where the types are not known yet.
"""

from collections.abc import Sequence

_MOST_AHEAD = 256
"""One transaction ends so many jobs and leases the next: it holds the writer about 8 ms. With 64,
two workers spent their time on refilling the page cache that each commit of the other empties
(20,000 jobs/s; 29,000 with 256).
"""
_RISE = 0.5
_FALL = 0.1
"""An estimate rises fast and falls slowly: a job leased too much costs more than one too few."""


class Estimates:
    """What this worker has seen of durations, in seconds."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead_s = ahead_s
        self._by_type: dict[str, float] = {}
        self._lately_s = ahead_s

    def note(self, job_type: str, duration_s: float) -> None:
        """A job of that type took so long."""
        known_s = self._by_type.get(job_type)
        self._by_type[job_type] = duration_s if known_s is None else _moved(known_s, duration_s)
        self._lately_s += (duration_s - self._lately_s) * _FALL

    def limit(self) -> int:
        """How many jobs to lease, not knowing which they will be."""
        if self._ahead_s <= 0:
            return 1
        expected_s = max(self._lately_s, self._ahead_s / _MOST_AHEAD)
        return max(1, int(self._ahead_s / expected_s))

    def fitting(self, job_types: Sequence[str]) -> int:
        """How many of these, in order, to keep: the first, and all that end within `ahead_s`.

        Nothing is leased behind a job of an unknown type, nor such a job behind another.
        """
        left_s = self._ahead_s
        for place, job_type in enumerate(job_types):
            left_s -= self._by_type.get(job_type, self._ahead_s)
            if left_s <= 0:
                return max(1, place)
        return len(job_types)


def _moved(known_s: float, new_s: float) -> float:
    return known_s + (new_s - known_s) * (_RISE if new_s > known_s else _FALL)
