"""Notices that this process itself stood still: stopped, frozen with its container, or starved.

Such a process finds that much time has passed in which others may have stood still as well. So it
must not conclude from it that they are dead, or that they have taken what it holds.
"""

_STALL_S = 2.0


class StallWatch:
    """Notices the stalls of one thread, which says when it looks. Any thread may ask `is_calm`.

    Times are seconds of a monotonic clock.
    """

    def __init__(self, stall_s: float = _STALL_S) -> None:
        self._stall_s = stall_s
        self._due_s = float("inf")
        self._calm_from_s = float("-inf")

    def expect(self, next_s: float) -> None:
        """Note when the thread looks next at the latest, if nothing holds it up."""
        self._due_s = next_s

    def look(self, now_s: float, recovery_s: float) -> float:
        """Return how late this look is, if that is a stall; 0: it is in time.

        After a stall it is not calm for `recovery_s`.
        """
        late_s = now_s - self._due_s
        if late_s <= self._stall_s:
            return 0.0
        self._calm_from_s = now_s + recovery_s
        return late_s

    def is_calm(self, now_s: float) -> bool:
        """Return whether there was no recent stall, not even an unnoticed one."""
        return now_s - self._due_s <= self._stall_s and now_s >= self._calm_from_s
