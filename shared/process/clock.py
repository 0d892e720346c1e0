"""Time, from one place, so that tests and the simulation can own it.

Wall time orders jobs and promotes delayed ones. Leases and beats live on the monotonic clock,
which neither a changed wall clock nor a suspended machine moves, together with `boot_id`: a
monotonic reading means nothing after a reboot or in another time namespace.
"""

import os
import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Where every module gets its time from."""

    @property
    def boot_id(self) -> str:
        """Names this boot of the kernel and this time namespace."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC; may jump."""

    def monotonic_ms(self) -> int:
        """Milliseconds of CLOCK_MONOTONIC; never jumps, comparable within one boot id."""


class SystemClock:
    """The kernel's clocks."""

    def __init__(self) -> None:
        self._boot_id = _read_boot_id()

    @property
    def boot_id(self) -> str:
        """See `Clock`."""
        return self._boot_id

    def wall_ms(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """See `Clock`."""
        return time.monotonic_ns() // 1_000_000


def create_time_s(pid: int) -> float:
    """Seconds after boot at which a process started; tells a recycled pid apart. 0.0 if it is gone.

    Not psutil's create time: that is reckoned from the wall clock and moves with it.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    after_name = stat.rpartition(")")[2].split()
    return int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def _read_boot_id() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    try:
        time_namespace = str(Path("/proc/self/ns/time").readlink()).strip("time:[]")
    except OSError:  # a kernel without time namespaces has only one
        time_namespace = "0"
    return f"{boot}/{time_namespace}"
