"""Writers take turns: each commit or rollback wakes one process that waits for the write lock.

SQLite has one writer at a time, and the others poll. With polls every 0.1 ms, sixteen workers spent
five times the CPU time of two on the same jobs, and one of them could wait 2 s while others got the
lock again and again. So a commit rings the writers' doorbell, and those who wait listen to it in a
queue: the kernel wakes the one that has listened longest, and no other.

Workers give way (`gives_way`), because each of their transactions is of many jobs: the API, an
application or the renewal of a lease should not wait behind all of them. These wait at another
bell, for those who go first. A worker's commit rings that bell, and the workers' bell only if
nobody waits at the first. A worker also leases fewer jobs at once while somebody waits there.

The bell is only a hint, so no process depends on another. The lock is SQLite's own, and slow
polls beside the bell find it free after a writer that died or was stopped at the bell.

All this is done between SQLite's calls, not in its callbacks: a signal handler may run here, and a
child that it forks inside of a callback could never leave it, as the connection's mutex is held by
a thread of the parent.

Whoever is woken needs some time to run. So a writer that kept the lock long and wants it again at
once first gives way: without that, others waited for a second and more.
"""

import contextlib
import itertools
import os
import select
import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from orpheus.shared.errors import StorageError
from orpheus.shared.process.doorbells import Bell, Caller
from orpheus.shared.storage.sqlite.apsw_errors import BUSY_BOUND_S, BusyHandler
from orpheus.shared.storage.sqlite.write_ahead_log import shorten

_POLL_S = 0.01
_LONGEST_POLL_S = 0.04
"""Whoever waits polls after 10 ms, 20, and then every 40: of sixteen workers, fourteen wait."""
_LONG_HOLD_S = 0.005
_GIVES_WAY_S = 0.000_5


class Turns:
    """How one connection waits for the write lock, and lets the next one in after it."""

    def __init__(self, bells: Path) -> None:
        """The bell is in the folder of the others; it is opened when it is needed."""
        self.gives_way = False
        """Whether this connection is a worker's, which lets all others write before workers."""
        self._path, self._first_path = bells / "writers", bells / "first-writers"
        self._bell: Bell | None = None
        self._first: Bell | None = None
        """The bell of those who do not give way, while this connection waits at it."""
        self._caller: Caller | None = None
        self._queue: select.epoll | None = None
        self._handler = BusyHandler()
        self._gives_up_at_s = 0.0
        self._began_s = self._ended_s = 0.0
        """When this connection last took the lock, and when it let go of it by a commit."""

    def attach(self, connection: apsw.Connection) -> None:
        """Let a new connection wait, and leave its log to `after_commit`."""
        connection.set_busy_handler(self._handler)
        connection.wal_autocheckpoint(0)

    def begin(self, connection: apsw.Connection) -> None:
        """Begin a write transaction. Raises apsw.BusyError after 10 s without the write lock."""
        if self._ended_s - self._began_s > _LONG_HOLD_S:
            time.sleep(max(0.0, self._ended_s + _GIVES_WAY_S - time.monotonic()))
        connection.set_busy_handler(None)
        try:
            for tries in itertools.count():
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    break
                except apsw.BusyError:
                    if not self._wait(tries):
                        raise
        finally:
            connection.set_busy_handler(self._handler)
            if self._first is not None:
                self._first.close()
                self._first = None
        self._began_s = time.monotonic()

    def others_wait(self) -> bool:
        """Return whether a connection that does not give way waits for the write lock."""
        try:
            return self._opened_caller().is_heard()
        except OSError:
            return False

    def after_commit(self, connection: apsw.Connection) -> None:
        """Ring, and look after the write-ahead log."""
        self._ended_s = time.monotonic()
        self.let_next_in()
        shorten(connection, lambda handler: self.waiting_by(connection, handler))

    def let_next_in(self) -> None:
        """Ring: the write lock is free."""
        # Without a bell the others poll. An error raised here would look like a failed commit.
        with contextlib.suppress(OSError, StorageError):
            is_heard = self._opened_caller().ring()
            # Others than workers ring both: else a stream of requests would keep workers out.
            if not (is_heard and self.gives_way):
                self._ring(self._opened_bell())

    @contextlib.contextmanager
    def waiting_by(
        self, connection: apsw.Connection, handler: BusyHandler | None
    ) -> Iterator[apsw.Connection]:
        """Let the connection wait by `handler` (None: not at all) instead."""
        connection.set_busy_handler(handler)
        try:
            yield connection
        finally:
            connection.set_busy_handler(self._handler)

    def close(self) -> None:
        """Close the bells."""
        for opened in (self._queue, self._bell, self._first, self._caller):
            if opened is not None:
                opened.close()
        self._queue = self._bell = self._first = self._caller = None

    def _wait(self, tries: int) -> bool:
        """Wait for a ring or a poll; False if the time is over. `tries`: for this lock, so far."""
        now_s = time.monotonic()
        if tries == 0:
            self._gives_up_at_s = now_s + BUSY_BOUND_S
        if now_s > self._gives_up_at_s:
            return False
        try:
            if tries == 0 or self._queue is None:
                self._stand_last()
            if self._queue is not None:
                self._queue.poll(min(_POLL_S * 2 ** min(tries, 9), _LONGEST_POLL_S))
        except (OSError, StorageError):  # no bell, or a job has closed it: poll
            time.sleep(_POLL_S)
        return True

    def _stand_last(self) -> None:
        """Stand at the end of the queue: listeners are woken in the order of registration.

        Nobody drains the bell: that would take the ring from whoever is being woken by it. So each
        listener wakes at new rings only (EPOLLET), and once immediately, for the old ones.
        """
        if self._queue is None:
            self._queue = select.epoll()
        if self.gives_way:
            bell = self._opened_bell()
            with contextlib.suppress(FileNotFoundError):
                self._queue.unregister(bell)
        else:
            self._opened_caller()  # a bell's first ringing end wakes all who listen already
            bell = self._first = Bell(self._first_path, os.O_RDONLY)
        self._queue.register(bell, select.EPOLLIN | select.EPOLLEXCLUSIVE | select.EPOLLET)

    def _ring(self, bell: Bell) -> None:
        if not bell.ring():  # it is full, so this was no new ring
            bell.drain()
            bell.ring()

    def _opened_caller(self) -> Caller:
        if self._caller is None:
            self._caller = Caller(self._first_path)
        return self._caller

    def _opened_bell(self) -> Bell:
        if self._bell is None:
            self._bell = Bell(self._path)
        return self._bell
