"""The clocks, in one place, so that tests and the simulation can replace them.

Wall time orders jobs and starts delayed ones. Leases and beats use the monotonic clock, which a
changed wall clock or a suspended machine does not move, together with `boot_id`: a
monotonic reading means nothing after a reboot or in another time namespace.
"""

import os
import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """The source of time for every module."""

    @property
    def boot_id(self) -> str:
        """The name of this boot of the kernel and this time namespace."""

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
    """Return when a process started, in seconds after boot; 0.0 if it has ended.

    It tells a reused pid apart. psutil's create time is computed from the wall clock and moves
    with it.
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
