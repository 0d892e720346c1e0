"""Doorbells: a commit wakes the processes that wait for it, without polling.

One FIFO for each pool, one for the API and one for the supervisor stand in a folder of this host
(shared/process/state_files.py). A listener opens its bell for reading and writing, so ringing never
blocks and needs no reader; a full FIFO already rings. A bell carries no data: the process that
wakes reads the database.

One ring wakes one process (those of a pool wait on its bell with EPOLLEXCLUSIVE), so a worker that
leases jobs and leaves others behind rings again.

Two more bells are for processes that wait for the write lock (shared/storage/sqlite/turns.py). One
of them is opened only while a process waits, and only for reading: see `Caller`.
"""

import contextlib
import os
import select
import stat
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path

from orpheus.shared.domain.serving import EVERY_QUEUE, serves
from orpheus.shared.errors import DatabaseUnusable

_API = "api"
_SUPERVISOR = "supervisor"
_DRAIN_BYTES = 65_536


class Bell:
    """The listening end of one doorbell."""

    def __init__(self, path: Path, access: int = os.O_RDWR) -> None:
        """`access`: O_RDONLY for a bell that others ring only while somebody listens (`Caller`).

        Raises DatabaseUnusable if there is something else in the bell's place.
        """
        try:
            self._fd = _open(path, access)
        except OSError as error:
            raise DatabaseUnusable(f"unable to open {path}: {error.strerror}") from error
        if not stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise DatabaseUnusable(f"{path} must be a FIFO; delete it")
        self._closing = weakref.finalize(self, _close, self._fd)
        self._closing.atexit = False  # then the kernel closes everything

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._fd

    def drain(self) -> bool:
        """Take every ring that has arrived, and return whether there was one."""
        try:
            return bool(os.read(self._fd, _DRAIN_BYTES))
        except BlockingIOError:
            return False

    def ring(self) -> bool:
        """Wake a listener of this bell; False if it holds as many rings as it can.

        Raises OSError if a job has closed it.
        """
        try:
            return os.write(self._fd, b"!") == 1
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Stop listening."""
        self._closing()


class Caller:
    """The ringing end of a bell whose listeners open it only while they listen, and only to read.

    So the kernel knows whether anybody listens, and one that was killed is forgotten.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError if the bell cannot be opened."""
        self._path = path
        listening = _open(path, os.O_RDONLY)  # else it could not be opened to write
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        finally:
            os.close(listening)
        self._closing = weakref.finalize(self, _close, self._fd)
        self._closing.atexit = False
        self._look = select.poll()
        self._look.register(self._fd, 0)

    def is_heard(self) -> bool:
        """Return whether somebody listens."""
        return not self._look.poll(0)  # without a reader, the kernel reports an error

    def ring(self) -> bool:
        """Wake one listener; False if there is none."""
        try:
            try:
                os.write(self._fd, b"!")
            except BlockingIOError:  # it is full of old rings
                full = Bell(self._path, os.O_RDONLY)
                full.drain()
                full.close()
                os.write(self._fd, b"!")
        except BrokenPipeError:
            return False
        return True

    def close(self) -> None:
        """Close this end."""
        self._closing()


class Doorbells:
    """Every bell of one database. `pools`: pool name -> the queues it serves (`*` for all)."""

    def __init__(self, folder: Path, pools: Mapping[str, tuple[str, ...]]) -> None:
        self.folder = folder
        self._pools = dict(pools)
        self._open: dict[str, int] = {}
        weakref.finalize(self, _close_all, self._open).atexit = False

    def listen_api(self) -> Bell:
        """Return the API's bell."""
        return Bell(self.folder / _API)

    def listen_supervisor(self) -> Bell:
        """Return the supervisor's bell: it rings for an operator's request."""
        return Bell(self.folder / _SUPERVISOR)

    def listen_pool(self, pool: str) -> Bell:
        """Return the bell that the workers of `pool` share."""
        return Bell(self.folder / f"pool-{pool}")

    def ring_api(self) -> None:
        """Tell the API that something changed."""
        self._ring(_API)

    def ring_supervisor(self) -> None:
        """Tell the supervisor that there is a request."""
        self._ring(_SUPERVISOR)

    def ring_pool(self, pool: str) -> None:
        """Wake one sleeping worker of `pool`."""
        self._ring(f"pool-{pool}")

    def ring_pools_of(self, queues: Iterable[str]) -> None:
        """Wake one sleeping worker of each pool that serves one of `queues` (`*`: of each pool)."""
        wanted = set(queues)
        for pool, served in self._pools.items():
            if EVERY_QUEUE in wanted or any(serves(served, queue) for queue in wanted):
                self.ring_pool(pool)

    def close(self) -> None:
        """Close the bells that were opened for ringing."""
        _close_all(self._open)

    def _ring(self, name: str) -> None:
        # If ringing fails, the listener finds the change at its next poll; the commit stands.
        with contextlib.suppress(OSError):
            fd = self._open.get(name)
            if fd is None:
                fd = self._open[name] = _open(self.folder / name)
            os.write(fd, b"!")


def _close(fd: int) -> None:
    with contextlib.suppress(OSError):  # a job may have closed it
        os.close(fd)


def _close_all(bells: dict[str, int]) -> None:
    while bells:
        _close(bells.popitem()[1])


def _open(path: Path, access: int = os.O_RDWR) -> int:
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
    return os.open(path, access | os.O_NONBLOCK | os.O_CLOEXEC)
