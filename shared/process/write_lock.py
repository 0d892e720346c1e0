"""Finds the process that holds the write lock of a SQLite database, by /proc/locks.

SQLite's one writer holds byte 120 of DATABASE-shm as a POSIX lock, which /proc/locks shows with
its owner. The -shm file is never opened for that, only its inode is read: closing any descriptor of
the file would release every lock that this process holds on it, and a committed row was lost that
way. A process that cannot be seen from here, as of another container, is not shown.
"""

import os
from collections.abc import Iterator
from pathlib import Path

_WRITE_LOCK_BYTE = 120


def write_locks(locks: str, inode: int, byte: int) -> Iterator[tuple[int, int, int]]:
    """Yield (major, minor, pid) for each POSIX write lock of a byte of this inode, on any device.

    `locks` is the text of /proc/locks. Processes that wait for a lock and other kinds of locks (of
    whole files, of open file descriptions) are ignored.
    """
    ours = f":{inode} "
    for line in locks.splitlines():
        if ours not in line:  # most lines; this runs each second
            continue
        match line.split():
            case [_, "POSIX", _, "WRITE", pid, where, first, last]:
                if int(first) <= byte and (last == "EOF" or byte <= int(last)):
                    major, minor, _ = where.split(":")
                    yield int(major, 16), int(minor, 16), int(pid)


def write_lock_holder(shm: os.stat_result) -> int | None:
    """Return the process that holds the write lock of the database whose -shm file this is.

    It takes milliseconds, as the kernel first waits for every CPU, and each lock that a process
    takes on the machine meanwhile takes longer. Raises OSError.
    """
    return holder_of(shm, Path("/proc/locks").read_bytes().decode("ascii", errors="replace"))


def holder_of(shm: os.stat_result, locks: str) -> int | None:
    """Return the same by the text of /proc/locks."""
    device = (os.major(shm.st_dev), os.minor(shm.st_dev))
    for major, minor, pid in write_locks(locks, shm.st_ino, _WRITE_LOCK_BYTE):
        # btrfs and overlayfs tell stat() another device than /proc/locks.
        if (major, minor) == device or _has_open(pid, shm):
            return pid
    return None


def _has_open(pid: int, file: os.stat_result) -> bool:
    """Return whether a process has this file open, as far as we may see. Opens nothing itself."""
    try:
        with os.scandir(f"/proc/{pid}/fd") as descriptors:
            return any(os.path.samestat(descriptor.stat(), file) for descriptor in descriptors)
    except OSError:  # it has just ended, or is another user's
        return False
