"""The lock that a supervisor holds. Other processes see by it at once whether the supervisor runs.

The kernel frees it with the process, in whatever container that was. A pid would say nothing in
another container, and heartbeats tell only after some silence.
"""

import fcntl
import os
from pathlib import Path

_LONGEST_NAME = 64


def noted_supervisor(lock_fd: int) -> str:
    """Return the incarnation of the supervisor that took the lock last; "" if it is not known."""
    return os.pread(lock_fd, _LONGEST_NAME, 0).decode(errors="replace")


def is_gone(lock: Path, incarnation: str) -> bool:
    """Return whether this supervisor certainly no longer runs.

    A supervisor of another host, whose lock is elsewhere, and a stopped one do not count as gone.
    """
    return _is_free(lock, incarnation) is True


def is_held(lock: Path, incarnation: str) -> bool:
    """Return whether this supervisor certainly runs, be it stopped or unable to say so."""
    return _is_free(lock, incarnation) is False


def _is_free(lock: Path, incarnation: str) -> bool | None:
    """Return whether the lock that this supervisor took last is free; None: it is not known.

    To find out, this holds a free lock for a moment; a supervisor that starts tries for longer.
    """
    try:
        fd = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # another user's, or there is none
        return None
    try:
        if noted_supervisor(fd) != incarnation:
            return None
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks
        return None
    else:
        return True
    finally:
        os.close(fd)
