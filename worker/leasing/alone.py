"""Chooses which due jobs a worker of several places leases: one that has crashed runs alone. Pure.

A worker with nothing to do takes such a job when it is the next one. A busy worker passes it over,
as an idle one may come soon, for example the one that has been started again after the crash. But
where all are always busy, it takes the job after a while and lets its other jobs end first: a job
must not wait for ever.
"""

from collections.abc import Sequence

_PATIENCE_S = 10.0
_MORE = 256
"""So many jobs may be passed over for those behind them."""


class AloneChoice:
    """The choice of one worker. Times are those of one monotonic clock, in seconds."""

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
            return range(min(limit, first + 1))  # in order, as ever
        return [index for index, count in enumerate(crashes) if not count][:limit]

    def taken(self) -> None:
        """A job that runs alone was leased."""
        self._passed_over_since_s = None
