"""Settings of the C library's memory, for a process whose threads use SQLite.

SQLite drops its whole page cache whenever another process has committed. glibc then gives the
memory back to the kernel, and the next transaction faults it in again page by page: with two busy
workers that was two thirds of all their time (5,900 jobs/s instead of 18,000).

glibc also gives each thread an arena of its own, and what is free in one is of no use to the
others: 7 MB of the API, whose threads seldom allocate at the same moment.
"""

import contextlib
import ctypes

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_ARENA_MAX = -8
_GROWTH_BYTES = 256 * 1024


def share_one_arena() -> None:
    """Let all threads take memory from one arena. Call it before the first thread starts."""
    _set(_M_ARENA_MAX, 1)


def keep_freed_memory(most_mb: int) -> None:
    """Keep up to `most_mb` of freed memory in each arena."""
    _set(_M_TRIM_THRESHOLD, most_mb * 1024 * 1024)
    _set(_M_TOP_PAD, _GROWTH_BYTES)


def _set(name: int, value: int) -> None:
    """Call mallopt, unless this C library is not glibc."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(name, value)
