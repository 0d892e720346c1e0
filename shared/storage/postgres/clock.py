"""The clock of the database: leases, delays and schedules of all hosts are compared with it.

Each transaction reads it in the message that begins it. From there on this host's clock tells how
much later it is; that one also counts the time for which a host sleeps.
"""

import time
from collections.abc import Callable

_FRESH_NS = 1_000_000_000

READ_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
"""Asks the database for its time, in ms."""


class DatabaseClock:
    """The clock of one server, as a `Clock`."""

    boot_id = "database"
    """Always the same: the clock goes on when a server is restarted or replaced."""

    def __init__(self, read: Callable[[], None]) -> None:
        """`read` asks what the database's clock says now, and calls `set`."""
        self._read = read
        self._ms = 0
        self._set_ns = -_FRESH_NS
        self.answer_ms = 0
        """How long its last answer took at most: it may be ahead of `wall_ms` by this."""

    def set(self, ms: int, asked_ns: int) -> None:
        """Note what the database's clock says; it was asked at `asked_ns` of `host_ns`."""
        self._ms = ms
        self._set_ns = host_ns()
        self.answer_ms = -((asked_ns - self._set_ns) // 1_000_000)

    def forget(self) -> None:
        """Read the clock again before the next answer: a transaction begins."""
        self._set_ns = -_FRESH_NS

    def wall_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        if host_ns() - self._set_ns >= _FRESH_NS:
            self._read()
        return self._ms + (host_ns() - self._set_ns) // 1_000_000

    def monotonic_ms(self) -> int:
        """Return the same: hosts share no clock that cannot be set."""
        return self.wall_ms()


def host_ns() -> int:
    """Nanoseconds on this host's clock, which cannot be set."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
