"""Who holds the database's write lock, and for how long without getting anywhere.

SQLite's one writer holds byte 120 of DATABASE-shm as a POSIX lock, which /proc/locks shows with
its owner. A writer that was stopped, or runs without ever reaching its commit, keeps everyone else
from writing until it dies: the supervisor must be able to name it. The -shm file is never opened
for that: closing any descriptor of it would drop every lock that this process holds on it, and a
committed row was lost that way. It is only asked for its inode.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orpheus.supervisor.policy.slot import OsStatus

_WRITE_LOCK_BYTE = 120
_OS_STATUS = {
    "T": OsStatus.STOPPED,
    "t": OsStatus.STOPPED,
    "D": OsStatus.UNINTERRUPTIBLE,
}


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds the write lock.

    `held_s`: since it was first seen with the -wal file as it is now. A process that commits again
    and again changes that file, and so stays near 0 however often it is seen.
    """

    pid: int
    held_s: float
    command: str
    os_status: OsStatus


class LockWatch:
    """Looks for the holder when it is asked to, and remembers since when it is the same."""

    def __init__(self, database: Path) -> None:
        self._shm = database.with_name(database.name + "-shm")
        self._wal = database.with_name(database.name + "-wal")
        self._seen: tuple[int, int, int] | None = None
        """The holder and the -wal file's size and time of change, as last seen."""
        self._since_s = 0.0

    def look(self, now_s: float) -> Holder | None:
        """Who holds the lock at this moment, None if nobody; `now_s` is monotonic."""
        try:
            shm, wal = self._shm.stat(), self._wal.stat()
            locks = Path("/proc/locks").read_text(encoding="ascii", errors="replace")
        except OSError:  # nobody has opened the database
            self._seen = None
            return None
        pid = _holder_of(shm, locks)
        if pid is None:
            self._seen = None
            return None
        seen = (pid, wal.st_size, wal.st_mtime_ns)
        if seen != self._seen:
            self._seen, self._since_s = seen, now_s
        try:
            return Holder(pid, now_s - self._since_s, *_command_and_status(pid))
        except (OSError, IndexError):  # it has just ended, and its lock with it
            self._seen = None
            return None


def write_locks(locks: str, inode: int, byte: int) -> Iterator[tuple[int, int, int]]:
    """Who holds a POSIX write lock that covers a byte: (major, minor, pid) of each, any device.

    `locks` is the text of /proc/locks. Those that only wait for a lock, and locks of other kinds
    (of whole files, of open file descriptions), are passed over.
    """
    ours = f":{inode} "
    for line in locks.splitlines():
        if ours not in line:  # most lines, each second
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
    """Whether a process has this very file open, as far as we may see; opens nothing itself."""
    try:
        with os.scandir(f"/proc/{pid}/fd") as descriptors:
            return any(os.path.samestat(one.stat(), file) for one in descriptors)
    except OSError:  # it has just ended, or is another user's
        return False


def _command_and_status(pid: int) -> tuple[str, OsStatus]:
    """Its name, which may hold spaces and parentheses, and what the kernel says it does."""
    command = Path(f"/proc/{pid}/comm").read_text(errors="replace").removesuffix("\n")
    after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2]
    return command, _OS_STATUS.get(after_name.split()[0], OsStatus.RUNNING)
