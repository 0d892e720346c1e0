"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime

from orpheus.shared.process.clock import SystemClock


class MovedClock:
    """The Clock of shared/process/clock.py, begun at the time of day, and moved by hand."""

    def __init__(self) -> None:
        system = SystemClock()
        self.boot_id = system.boot_id
        self._wall_ms = system.wall_ms()
        self._monotonic_ms = system.monotonic_ms()

    def wall_ms(self) -> int:
        """See Clock."""
        return self._wall_ms

    def monotonic_ms(self) -> int:
        """See Clock."""
        return self._monotonic_ms

    def now(self) -> datetime:
        """Return the wall time."""
        return datetime.fromtimestamp(self._wall_ms / 1000, UTC)

    def move_to(self, wall_ms: int) -> None:
        """Let both clocks run until this wall time, if it is not past."""
        passed_ms = max(0, wall_ms - self._wall_ms)
        self._wall_ms += passed_ms
        self._monotonic_ms += passed_ms
