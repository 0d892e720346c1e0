"""The clocks, in one place, so that tests and the simulation can replace them.

Wall time orders jobs and starts delayed ones. Leases and beats use the monotonic clock, which a
changed wall clock or a suspended machine does not move, together with `boot_id`: a
monotonic reading means nothing after a reboot or in another time namespace.
"""

import os
import time
from pathlib import Path
from typing import Protocol

_ENDED = ("", "Z", "X")
_SAME_PROCESS_S = 0.02  # two ticks: create times are ticks since boot, as floats


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
        self.boot_id = _read_boot_id()
        """See `Clock`."""

    def wall_ms(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """See `Clock`."""
        return time.monotonic_ns() // 1_000_000


def next_multiple_s(now_s: float, interval_s: float) -> float:
    """Return the next multiple of an interval on the monotonic clock.

    What idle processes do at these times they do together. A supervisor reads the heartbeats of all
    its children in one turn, and a thread that wakes just after another finds a warm cache: most of
    what a wake-up costs is a cold one.
    """
    return (now_s // interval_s + 1) * interval_s


def create_time_s(pid: int) -> float:
    """Return when a process started, in seconds after boot; 0.0 if it has ended.

    It tells a reused pid apart. psutil's create time is computed from the wall clock and moves
    with it.
    """
    return _state_and_create_time_s(pid)[1]


def os_state(pid: int) -> str:
    """Return the kernel's letter for the state of a process; empty if it has ended."""
    return _state_and_create_time_s(pid)[0]


def is_alive(pid: int, created_s: float) -> bool:
    """Return whether the process with this pid and create time still runs. A zombie does not."""
    state, now_s = _state_and_create_time_s(pid)
    return state not in _ENDED and abs(now_s - created_s) < _SAME_PROCESS_S


def _state_and_create_time_s(pid: int) -> tuple[str, float]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "", 0.0
    after_name = stat.rpartition(")")[2].split()
    return after_name[0], int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def _read_boot_id() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    try:
        time_namespace = str(Path("/proc/self/ns/time").readlink()).strip("time:[]")
    except OSError:  # a kernel without time namespaces has only one
        time_namespace = "0"
    return f"{boot}/{time_namespace}"
