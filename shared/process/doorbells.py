"""Doorbells: a commit wakes the processes that wait for it, without polling.

One FIFO for each pool and one for the API stand beside the database. Each listener opens its own
for reading and writing, so ringing never blocks and needs no reader; a full FIFO already rings. A
bell carries no data: the process that wakes reads the database.

One ring wakes one process (those of a pool wait on its bell with EPOLLEXCLUSIVE), so a worker that
leases jobs and leaves others behind rings again.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_API = "api"
_SUPERVISOR = "supervisor"
_DRAIN_BYTES = 65_536


class Bell:
    """The listening end of one doorbell."""

    def __init__(self, path: Path) -> None:
        self._fd = _open(path)

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._fd

    def drain(self) -> bool:
        """Take every ring that has arrived, and return whether there was one."""
        try:
            return bool(os.read(self._fd, _DRAIN_BYTES))
        except BlockingIOError:
            return False

    def ring(self) -> None:
        """Wake another listener of this bell, for rings that this one took and did not serve."""
        with contextlib.suppress(OSError):
            os.write(self._fd, b"!")

    def close(self) -> None:
        """Stop listening."""
        os.close(self._fd)


class Doorbells:
    """Every bell of one database. `pools`: pool name -> the queues it serves (`*` for all)."""

    def __init__(self, folder: Path, pools: Mapping[str, tuple[str, ...]]) -> None:
        self._folder = folder
        self._pools = dict(pools)
        self._open: dict[str, int] = {}

    def listen_api(self) -> Bell:
        """Return the API's bell."""
        return Bell(self._folder / _API)

    def listen_supervisor(self) -> Bell:
        """Return the supervisor's bell: it rings for an operator's request."""
        return Bell(self._folder / _SUPERVISOR)

    def listen_pool(self, pool: str) -> Bell:
        """Return the bell that the workers of `pool` share."""
        return Bell(self._folder / f"pool-{pool}")

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
            if "*" in wanted or "*" in served or not wanted.isdisjoint(served):
                self.ring_pool(pool)

    def close(self) -> None:
        """Close the bells that were opened for ringing."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def _ring(self, name: str) -> None:
        # If ringing fails, the listener finds the change at its next poll; the commit stands.
        with contextlib.suppress(OSError):
            fd = self._open.get(name)
            if fd is None:
                fd = self._open[name] = _open(self._folder / name)
            os.write(fd, b"!")


def _open(path: Path) -> int:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
