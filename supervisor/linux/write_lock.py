"""Finds the process that holds the database's write lock, and how long it has not committed.

A writer that is stopped, or never reaches its commit, keeps all others from writing until it dies,
so the supervisor must find it. It looks only while there are no commits: a look is slow.
"""

from pathlib import Path

import msgspec
import psutil

from orpheus.shared.process.write_lock import write_lock_holder
from orpheus.supervisor.linux.process_stat import process_stat
from orpheus.supervisor.policy.slot import OsStatus


class LockHolder(msgspec.Struct, frozen=True):
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
        """The holder as last seen; None if there was none, or no look."""
        self._since_s: float | None = None
        """Since when the holder may have held the lock; None: not longer than the next look."""

    def forget(self) -> None:
        """Count the holder's time anew: if we stood still, it may have stood still, too."""
        self._pid = self._since_s = None

    def look(self, now_s: float) -> LockHolder | None:
        """Return the process that holds the lock now and has not committed; None if there is none.

        `now_s` is monotonic. If somebody has committed since the last look, the answer is None
        without a search: whoever holds the lock now has not held it for longer.
        """
        try:
            shm, wal = self._shm.stat(), self._wal.stat()
            before, self._wal_seen = self._wal_seen, (wal.st_size, wal.st_mtime_ns)
            if before not in (None, self._wal_seen):
                self._pid, self._since_s = None, now_s
                return None
            pid = write_lock_holder(shm)
        except OSError:  # no process has the database open
            self.forget()
            return None
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
