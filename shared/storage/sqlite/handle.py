"""The connection under one `Database`: used by one thread at a time, closed and opened anew.

If the -shm file loses its name, every connection to the old one must be closed before anybody may
write with a new one (shared/storage/sqlite/same_files.py). Whoever notices it first also closes the
idle connections of its process: their threads may be running a job for hours. A connection that is
in use is closed at its next use.

A client that an application forgets is closed when Python collects it. Python would close SQLite's
connection by itself, but keep the lock of this process in the agreement, and no process could open
the database any more once the others have closed it.
"""

import os
import threading
import time
import warnings
import weakref
from pathlib import Path
from types import TracebackType

import apsw

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage.migrate import refuse_newer
from orpheus.shared.storage.sqlite.apsw_errors import translated
from orpheus.shared.storage.sqlite.inherited import refuse_inherited
from orpheus.shared.storage.sqlite.opening import close_both, open_connection, read_schema
from orpheus.shared.storage.sqlite.same_files import SameFiles
from orpheus.shared.storage.sqlite.turns import Turns

_LOOK_EVERY_S = 1.0

_handles: "weakref.WeakSet[Handle]" = weakref.WeakSet()
_handles_lock = threading.RLock()
"""A signal handler may open another database in the same thread."""


class Handle:
    """A context for each use of the connection: gives it, and translates apsw's exceptions.

    The uses of one thread may be nested; the connection stays the same until the outermost ends.
    """

    def __init__(self, path: Path, state: StateFiles, *, create: bool, clock: Clock) -> None:
        """Open the connection; see `open_connection` for the errors."""
        self.opened = 0
        """How often it was opened: what is set on a connection is gone when this changes."""
        self.path = path
        self._state = state
        self._clock = clock
        self._lock = threading.RLock()
        self._depth = 0
        self._connection: apsw.Connection | None = None
        self._look_at_s = 0.0
        self._schema = 0
        """The newest schema version that this Orpheus knows; the connection was opened with it."""
        self.turns = Turns(state.bells)
        self._open(create=create)
        with _handles_lock:
            _handles.add(self)

    def __enter__(self) -> apsw.Connection:
        """Return the open connection. Raises the error of shared/errors.py in place of apsw's."""
        self._lock.acquire()
        try:
            connection = self._connection
            if self._depth == 0 and (connection is None or time.monotonic() >= self._look_at_s):
                connection = self._looked_after()
        except BaseException as error:
            self._let_go(error)
            raise
        self._depth += 1
        assert connection is not None
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End this use. Raises the error of shared/errors.py in place of apsw's."""
        self._depth -= 1
        self._let_go(error)

    def check_names(self) -> None:
        """Raise DatabaseUnusable unless the names still belong to the files that are open."""
        if self._files.data_lost():
            raise DatabaseUnusable(
                f"{self.path} or its -wal file was moved, deleted or replaced while in use, so "
                "nothing is written to it; put it back, or stop Orpheus and start it again"
            )
        if self._files.index_lost():
            self._look_at_s = 0.0  # the next use opens it anew
            raise DatabaseUnusable(
                f"{self.path}-shm was deleted or replaced while in use, so nothing was written; "
                "the database is being opened anew, try again"
            )

    def close(self) -> None:
        """Close the connection for good; a transaction that is open is rolled back."""
        with _handles_lock:
            _handles.discard(self)
        self._close()
        self.turns.close()

    def is_open(self) -> bool:
        """Return whether there is a connection now."""
        return self._connection is not None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open on the connection."""
        return self._connection is not None and self._connection.in_transaction

    def close_if_lost(self) -> None:
        """Close the connection, until its next use, if it is idle and its -shm file is lost."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._depth == 0 and self._connection is not None and self._is_lost():
                self._close()
        finally:
            self._lock.release()

    def _let_go(self, error: BaseException | None) -> None:
        """Release the lock. Raises the error of shared/errors.py in place of apsw's."""
        ours = None if error is None else translated(error, self.path)
        try:
            if isinstance(ours, DatabaseUnusable) and self._connection is not None:
                # It may hold damaged pages, and the file may be repaired.
                self._connection.release_memory()
        finally:
            self._lock.release()
        if ours is not None:
            raise ours from error

    def _looked_after(self) -> apsw.Connection | None:
        """Return the connection, opened anew if its -shm file is lost; see also `_refuse_newer`.

        If that fails, the next use looks again.
        """
        if self._connection is not None and self._is_lost():
            self._close()
        if self._connection is None:
            self._open(create=False)
        else:
            self._refuse_newer()
        self._look_at_s = time.monotonic() + _LOOK_EVERY_S
        return self._connection

    def _refuse_newer(self) -> None:
        """Raise DatabaseUnusable if a newer Orpheus has changed the schema meanwhile."""
        assert self._connection is not None
        refuse_newer(self.path, read_schema(self._connection).readable_from, self._schema)

    def _is_lost(self) -> bool:
        # A file that was only moved may come back. The index of a log that is gone is of no use.
        return self._files.index_lost() and not self._files.data_lost()

    def _open(self, *, create: bool) -> None:
        refuse_inherited(self.path)
        with _handles_lock:
            others = [
                handle for handle in _handles if handle is not self and handle.path == self.path
            ]
        for other in others:  # else this process itself would keep the old files open
            other.close_if_lost()
        self._connection, self._files, self._schema = open_connection(
            self.path,
            self._state,
            create=create,
            clock=self._clock,
            first=not any(other.is_open() for other in others),
        )
        self._if_collected = weakref.finalize(
            self, _forgotten, self.path, self._connection, self._files
        )
        self._if_collected.atexit = False  # then the kernel closes everything
        self.turns.attach(self._connection)
        self.opened += 1

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._if_collected.detach()
            close_both(connection, self._files)


def _forgotten(path: Path, connection: apsw.Connection, files: SameFiles) -> None:
    """Close what a forgotten handle held."""
    if close_both(connection, files):
        warnings.warn(f"{path} was not closed: close the client or store", ResourceWarning, 1)


def _begin_anew() -> None:
    global _handles_lock
    _handles_lock = threading.RLock()  # a thread of the parent may have held it


os.register_at_fork(after_in_child=_begin_anew)
