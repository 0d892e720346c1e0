"""Chooses the due jobs that a worker of several places leases. A crashed job runs alone. Pure.

An idle worker takes a job that has crashed before when it is the next one. A busy worker passes it
over, as an idle one may come soon, such as the one that was restarted after the crash. But if all
are always busy, a worker takes the job after a while and lets its other jobs end first: no job must
wait for ever.
"""

from collections.abc import Sequence

_PATIENCE_S = 10.0
_MORE = 256
"""How many jobs more are read, to find others behind those that are passed over."""


class AloneChoice:
    """The choice of one worker. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._passed_over_since_s: float | None = None

    def most_to_read(self, limit: int) -> int:
        """Return how many due jobs to look at, to lease up to `limit` of them."""
        return limit if self._passed_over_since_s is None else limit + _MORE

    def eligible(
        self, crashes: Sequence[int], limit: int, now_s: float, *, is_idle: bool
    ) -> Sequence[int]:
        """Return the indexes of the due jobs to lease; `crashes` has the crashes of each."""
        first = next((index for index, count in enumerate(crashes) if count), None)
        if first is None:
            self._passed_over_since_s = None
            return range(min(limit, len(crashes)))
        if is_idle and first == 0:
            return [0]
        if self._passed_over_since_s is None:
            self._passed_over_since_s = now_s
        elif now_s >= self._passed_over_since_s + _PATIENCE_S:
            return range(min(limit, first + 1))  # in order, nothing is passed over
        return [index for index, count in enumerate(crashes) if not count][:limit]

    def taken(self) -> None:
        """Note that a job that runs alone was leased."""
        self._passed_over_since_s = None
