"""Cuts a forked child off from the connections of its parent, whose answers come through them.

A child opens its own connection at the next use. But what a signal handler forked inside of a call
goes on in the parent only: in the child, the connection that was in use stays refused.
"""

import os
import socket
import weakref
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.process.one_at_a_time import is_inside_call


class Inheritable:
    """What a forked child may inherit: a connection, maybe opened anew, or one that is opening."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._sockets_before: Collection[str] | None = None
        """While it is opening: the sockets that were there before."""
        self._is_parents = False
        """Whether this process was forked inside of a call of its parent."""
        _all.add(self)

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Note that a connection is opened in this block."""
        self._sockets_before = _sockets()
        try:
            yield
        finally:
            self._sockets_before = None

    def opened(self, connection: psycopg.Connection[Any]) -> None:
        """Note the connection that was opened, in that block."""
        self._connection = connection

    def refuse(self) -> None:
        """Raise DatabaseUnusable if this process was forked inside of a call of its parent."""
        if self._is_parents:
            raise DatabaseUnusable("this process was forked inside of a call of its parent")

    def leave_to_parent(self, dead: int) -> None:
        """In the child: read from `dead` instead of what the server sends to the parent."""
        self._is_parents = is_inside_call()
        sockets: Iterable[int] = ()
        if self._sockets_before is not None and self._is_parents:
            sockets = [fd for name, fd in _sockets().items() if name not in self._sockets_before]
        elif self._connection is not None and not self._connection.closed:
            sockets = (self._connection.fileno(),)
        for fd in sockets:
            os.dup2(dead, fd, inheritable=False)


_all: "weakref.WeakSet[Inheritable]" = weakref.WeakSet()


def _sockets() -> dict[str, int]:
    """Return the descriptors of this process's sockets by their names: numbers are used again."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError):  # that of the listing
            name = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - the same
            if name.startswith("socket:"):
                found[name] = int(fd)
    return found


def _leave_to_parent() -> None:
    near, far = socket.socketpair()
    far.close()
    for inherited in list(_all):
        inherited.leave_to_parent(near.fileno())
    near.close()


os.register_at_fork(after_in_child=_leave_to_parent)
