"""Finds the process that holds the database's write lock, and how long it has not committed.

SQLite's one writer holds byte 120 of DATABASE-shm as a POSIX lock, which /proc/locks shows with
its owner. A writer that is stopped, or never reaches its commit, keeps all others from writing
until it dies, so the supervisor must find it. The -shm file is never opened for that, only its
inode is read: closing any descriptor of the file would release every lock that this process holds
on it, and a committed row was lost that way.

/proc/locks is read only while nobody commits: a read of it takes milliseconds, as the kernel first
waits for every CPU, and each lock that a process takes on the machine meanwhile takes longer.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from orpheus.shared.records import dataclass
from orpheus.supervisor.linux.process_stat import process_stat
from orpheus.supervisor.policy.slot import OsStatus

_WRITE_LOCK_BYTE = 120


@dataclass(frozen=True, slots=True)
class LockHolder:
    """The process that holds the write lock.

    `held_s`: how long it may have held the lock while the -wal file did not change.
    """

    pid: int
    held_s: float
    command: str
    os_status: OsStatus


class LockWatch:
    """Looks for the holder on request, and remembers how long it has been the same."""

    def __init__(self, database: Path) -> None:
        self._shm = database.with_name(database.name + "-shm")
        self._wal = database.with_name(database.name + "-wal")
        self._wal_seen: tuple[int, int] | None = None
        """The -wal file's size and time of change, as last seen."""
        self._pid: int | None = None
        """The holder as last seen; None: nobody, or nobody looked."""
        self._since_s: float | None = None
        """Since when the holder may have held the lock; None: not longer than the next look."""

    def forget(self) -> None:
        """Count the holder's time anew: it may have stood still with us."""
        self._pid = self._since_s = None

    def look(self, now_s: float) -> LockHolder | None:
        """Return who holds the lock now without having committed; None if nobody does.

        `now_s` is monotonic. If somebody has committed since the last look, /proc/locks is not
        read: whoever holds the lock now has not held it for longer.
        """
        try:
            shm, wal = self._shm.stat(), self._wal.stat()
            before, self._wal_seen = self._wal_seen, (wal.st_size, wal.st_mtime_ns)
            if before not in (None, self._wal_seen):
                self._pid, self._since_s = None, now_s
                return None
            locks = Path("/proc/locks").read_bytes().decode("ascii", errors="replace")
        except OSError:  # nobody has opened the database
            self.forget()
            return None
        pid = _holder_of(shm, locks)
        if pid is None:
            self.forget()
            return None
        if self._since_s is None or self._pid not in (None, pid):
            self._since_s = now_s
        self._pid = pid
        try:
            name, stat = psutil.Process(pid).name(), process_stat(pid)
            return LockHolder(pid, now_s - self._since_s, name, stat.os_status)
        except (psutil.Error, OSError):  # it has just ended, and its lock with it
            self.forget()
            return None


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


def _holder_of(shm: os.stat_result, locks: str) -> int | None:
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
            return any(os.path.samestat(one.stat(), file) for one in descriptors)
    except OSError:  # it has just ended, or is another user's
        return False
