"""Makes all processes use the same three files: the database, its -wal and its -shm.

SQLite finds them by name. If somebody deletes the -shm file (the index of the write-ahead log, and
its locks), the processes that have it open go on with it, and a process that opens the database
makes a new one. Both then write one log without a common lock: commits are lost, and the database
is damaged. So the processes agree on the files, in a file of ours, DATABASE-open:

- A process that has the database open holds a shared lock (flock) on it. It contains the inodes of
  the three files that all of them use.
- A process that opens the database and finds these inodes under the three names takes a shared lock
  too, opens them, and checks the names again before it goes on.
- A process that finds other files, or none, takes the exclusive lock first. Then it is alone: those
  that used other files have closed them. SQLite makes a new -shm file and reads the log; then the
  inodes are written down, and the exclusive lock becomes a shared one.
- A process that has the database open and misses its -shm file writes nothing, closes all its
  connections, and opens them anew like this (shared/storage/sqlite/handle.py).

While a connection is open, its -shm file is only looked up: closing any descriptor of it would
release every lock that this process holds on it. A file that is open keeps its inode, so a new one
has another.
"""

import contextlib
import fcntl
import os
import struct
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from orpheus.shared.errors import NO_SPACE, DatabaseBusy, DatabaseFull, DatabaseUnusable

T = TypeVar("T")

_INODES = struct.Struct("<6Q")
_STEP_S = 0.002
_STALE_WAIT_S = 1.0
_BUSY_WAIT_S = 10.0

_all: "weakref.WeakSet[SameFiles]" = weakref.WeakSet()

Inode = tuple[int, int] | None
"""Device and number of a file; None: there is none."""


class SameFiles:
    """The part of one connection in the agreement, from `enter` to `leave`."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._names = (str(database), f"{database}-wal", f"{database}-shm")
        self._path = Path(f"{database}-open")
        self._fd = -1
        self._inodes: tuple[Inode, ...] = ()
        self._is_parents = False
        """Whether a forked child has inherited it."""
        _all.add(self)
        self._fd = _open_beside(database)

    def cut_off(self) -> None:
        """In a forked child: leave the lock, which is of both, to the parent."""
        self._is_parents = True
        if self._fd >= 0:
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            os.dup2(null, self._fd, inheritable=False)
            os.close(null)

    def read_if_unused(self, read: Callable[[], T]) -> T | None:
        """Return what `read` returns while nobody has the database open; None if somebody has.

        Only before `enter`.
        """
        if not self._try_lock(fcntl.LOCK_EX):
            return None
        try:
            return None if self._is_deleted() else read()
        finally:
            self._unlock()

    def enter(self) -> bool:
        """Take the lock; return whether this process is alone and must call `agree`.

        Raises DatabaseUnusable if other processes keep other files open for a whole second,
        DatabaseBusy if one is alone for over 10 s.
        """
        began_s = stale_since_s = time.monotonic()
        while True:
            alone = not self.are_agreed()
            if self._try_lock(fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
                is_deleted = self._is_deleted()
                if alone != self.are_agreed() and not is_deleted:
                    return alone
                self._unlock()  # somebody agreed, or was the last to leave, just before the lock
                stale_since_s = time.monotonic()
                if is_deleted:
                    self._close()
                    self._fd = _open_beside(self._database)
            elif alone and self._try_lock(fcntl.LOCK_SH):
                if self.are_agreed():  # somebody was alone, and has just agreed
                    stale_since_s = time.monotonic()
                self._unlock()
                if time.monotonic() - stale_since_s > _STALE_WAIT_S:
                    raise DatabaseUnusable(
                        f"{self._names[2]} or another file of the database was deleted or replaced "
                        "while other processes have it open; nothing is written until all of them "
                        f"have closed it (fuser {self._path} shows them)"
                    )
            else:
                stale_since_s = time.monotonic()
                if stale_since_s - began_s > _BUSY_WAIT_S:
                    raise DatabaseBusy(
                        f"another process has been opening {self._database} for 10 s"
                    )
            time.sleep(_STEP_S)

    def agree(self) -> None:
        """Write down the files that have these names now: they are open. Only when alone."""
        self._refuse_parents()
        found = self._found()
        numbers = [number for inode in found for number in inode or (0, 0)]
        try:
            os.pwrite(self._fd, _INODES.pack(*numbers), 0)
        except OSError as error:
            raise _refused(self._database, error) from error
        self._inodes = found
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def are_agreed(self) -> bool:
        """Return whether the files that have these names now are those that all processes use."""
        found = self._found()
        numbers = [number for inode in found if inode is not None for number in inode]
        self._inodes = found
        return len(numbers) == 6 and os.pread(self._fd, _INODES.size, 0) == _INODES.pack(*numbers)

    def data_lost(self) -> bool:
        """Return whether the names of the database and its -wal now belong to other files."""
        return any(_file_called(self._names[n]) != self._inodes[n] for n in (0, 1))

    def index_lost(self) -> bool:
        """Return whether the name of the -shm file now belongs to another file, or to none."""
        return _file_called(self._names[2]) != self._inodes[2]

    def leave(self) -> None:
        """Release the lock; the last to leave deletes the file. The connection is closed by now."""
        if self._is_parents:
            return
        try:
            if self._try_lock(fcntl.LOCK_EX):
                with contextlib.suppress(OSError):
                    if os.path.samestat(os.fstat(self._fd), self._path.stat()):
                        self._path.unlink()
            self._unlock()  # a child that C code forked has the same lock: closing is not enough
        finally:
            self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)

    def _found(self) -> tuple[Inode, ...]:
        return tuple(map(_file_called, self._names))

    def _is_deleted(self) -> bool:
        """Return whether our lock is on a file without a name: then others may hold one as well."""
        return os.fstat(self._fd).st_nlink == 0

    def _refuse_parents(self) -> None:
        if self._is_parents:
            raise DatabaseUnusable(
                f"this process was forked while its parent opened {self._database}"
            )

    def _try_lock(self, kind: int) -> bool:
        self._refuse_parents()
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:  # a file system without locks
            raise _refused(self._database, error) from error
        return True

    def _unlock(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)


def _open_beside(database: Path) -> int:
    """Open the file of the agreement; if root makes it, it belongs to the database's owner."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(f"{database}-open", flags, 0o600)
    except OSError as error:
        raise _refused(database, error) from error
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            owner = os.stat(database)  # noqa: PTH116 - as below
            os.fchown(fd, owner.st_uid, owner.st_gid)
    return fd


def _refused(database: Path, error: OSError) -> DatabaseFull | DatabaseUnusable:
    if error.errno in NO_SPACE:
        return DatabaseFull(f"no space is left on the device that holds {database}")
    return DatabaseUnusable(f"unable to open and lock {database}-open: {error.strerror}")


def _file_called(name: str) -> Inode:
    try:
        status = os.stat(name)  # noqa: PTH116 - Path.stat takes three times as long, each commit
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _cut_off() -> None:
    for files in list(_all):
        files.cut_off()


os.register_at_fork(after_in_child=_cut_off)
