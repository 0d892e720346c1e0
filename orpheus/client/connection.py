"""The database as all threads of a process share it: one connection, behind one lock.

SQLite does not survive a fork: a child that opens a file which its parent has open would share the
parent's record of its locks, and damage the database. So before this process forks, its connections
are closed, and parent and child each open their own at the next use. So the child inherits no
connection that it could close.
"""

import asyncio
import contextlib
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from orpheus.client.steps import Use
from orpheus.shared.domain.handover import StorageSettings
from orpheus.shared.errors import DatabaseUnusable, StorageError
from orpheus.shared.storage import Store, open_storage

_shared: "weakref.WeakSet[SharedStore]" = weakref.WeakSet()
_forking = threading.RLock()
"""Held during a fork: two threads that fork at once would take the locks in different orders."""
_held: "list[SharedStore]" = []


class SharedStore:
    """A store that is opened at its first use, and used by one thread at a time."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._in_use = False
        with _forking:
            _shared.add(self)

    def perform(self, step: Use) -> Any:
        """Do the work of the step with the open store, and return its result.

        Raises DatabaseUnusable (see `open_store`), DatabaseBusy, DatabaseFull. The database is
        never created; one that became unusable is opened anew at the next use.
        """
        with self._lock:
            if self._store is None:
                self._store = open_storage(self._settings)
            self._in_use = True
            try:
                return step.work(self._store)
            except DatabaseUnusable:
                self.close()
                raise
            finally:
                self._in_use = False

    def close(self) -> None:
        """Close the connection until its next use."""
        with self._lock:
            store, self._store = self._store, None
            if store is not None:
                with contextlib.suppress(StorageError):
                    store.close()

    def before_fork(self) -> None:
        """Wait until no other thread uses the connection, and close it."""
        self._lock.acquire()
        if not self._in_use:  # else a signal handler forks while this thread uses it
            self.close()

    def after_fork(self) -> None:
        """Let the threads of this process use the connection again."""
        self._lock.release()


class AwaitedStore:
    """Performs steps in a thread of its own, so that the event loop never waits for the database.

    One thread is enough for one connection, and the loop's own threads stay free for the
    application.
    """

    def __init__(self, settings: StorageSettings) -> None:
        self._store = SharedStore(settings)
        self._thread: tuple[int, ThreadPoolExecutor] | None = None

    async def perform(self, step: Use) -> Any:
        """Do the work of the step, and return its result.

        A step that has begun is finished, even if the call is cancelled.
        """
        process = os.getpid()
        if self._thread is None or self._thread[0] != process:  # a fork copies no thread
            self._thread = (process, ThreadPoolExecutor(1, thread_name_prefix="orpheus-client"))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread[1], self._store.perform, step)

    async def close(self) -> None:
        """Close the connection once the steps that have begun are finished, and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None and thread[0] == os.getpid():
            await asyncio.get_running_loop().run_in_executor(thread[1], self._store.close)
            thread[1].shutdown(wait=False)


def _before_fork() -> None:
    _forking.acquire()
    _held[:] = _shared
    for one in _held:
        one.before_fork()


def _after_fork() -> None:
    for one in _held:
        one.after_fork()
    _held.clear()
    _forking.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
