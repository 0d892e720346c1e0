"""Limits of this process: how many files it may open, and how much freed memory it keeps."""

import contextlib
import ctypes
import fcntl
import resource

_HIGH_NUMBER = 500
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_ARENA_MAX = -8
_GROWTH_BYTES = 256 * 1024


def allow_open_files(wanted: int) -> int:
    """Raise the soft limit to `wanted` if it is lower, as far as the hard limit allows.

    Returns how many of the wanted files this process may open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def high_copy(fd: int) -> int:
    """Return a copy of a descriptor with a number that is not soon given out again.

    When a job has closed it, the next files that are opened do not get its number.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = _HIGH_NUMBER if soft == resource.RLIM_INFINITY else min(_HIGH_NUMBER, soft * 3 // 4)
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, number)


def share_one_arena() -> None:
    """Let all threads take memory from one arena. Call it before the first thread starts.

    glibc gives each thread an arena of its own, and others cannot use its free memory:
    7 MB of the API, whose threads seldom allocate at the same moment.
    """
    _set(_M_ARENA_MAX, 1)


def keep_freed_memory(most_mb: int) -> None:
    """Keep up to `most_mb` of freed memory in each arena.

    SQLite drops its whole page cache whenever another process has committed. glibc then gives the
    memory back to the kernel, and the next transaction faults it in again page by page: with two
    busy workers that was two thirds of all their time (5,900 jobs/s instead of 18,000).
    """
    _set(_M_TRIM_THRESHOLD, most_mb * 1024 * 1024)
    _set(_M_TOP_PAD, _GROWTH_BYTES)


def _set(name: int, value: int) -> None:
    """Call mallopt, unless this C library is not glibc."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(name, value)
