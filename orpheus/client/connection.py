"""The database as all threads of a process share it: one connection, behind one lock.

SQLite does not survive a fork: a child that opens a file which its parent has open would share the
parent's record of its locks, and damage the database. So before this process forks, its connections
are closed, and parent and child each open their own at the next use. So the child inherits no
connection that it could close.

A signal handler may fork inside of a call. Then nothing is closed or waited for: the call goes on
in the parent, and raises in the child, which leaves every connection to the parent. On PostgreSQL
it opens its own at the next use; on SQLite it is refused (shared/storage/sqlite/inherited.py).
"""

import asyncio
import contextlib
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from orpheus.client.steps import Use
from orpheus.shared.domain.handover import StorageSettings
from orpheus.shared.errors import DatabaseUnusable, OrpheusError, StorageError
from orpheus.shared.process.one_at_a_time import OneAtATime, is_inside_call
from orpheus.shared.storage import Store, open_storage

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


class _Forks(threading.local):
    """The forks that this thread is about to make: a signal handler may fork inside of another."""

    def __init__(self) -> None:
        self.begun: list[contextlib.ExitStack | None] = []
        """Of each: what it holds, or None if it is inside of a call or of another fork."""


_shared: "weakref.WeakSet[SharedStore]" = weakref.WeakSet()
_forking = threading.RLock()
"""Held during a fork, so that no store is added. Never held while its thread waits for a call."""
_waiting: set[int] = set()
"""The threads that wait for calls before they fork."""
_forks = _Forks()
_GIVES_WAY_S = 1.0
_PAUSE_S = 0.001


class SharedStore:
    """A store that is opened at its first use, and used by one thread at a time."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._store: Store | None = None
        self.calls = OneAtATime("client")
        with _forking:
            _shared.add(self)

    def perform(self, step: Use) -> Any:
        """Do the work of the step with the open store, and return its result.

        Raises DatabaseUnusable (see `open_store`), DatabaseBusy, DatabaseFull; RuntimeError in a
        signal handler that interrupted another call, and where a call goes on after a fork in it.
        The database is never created; one that became unusable is opened anew at the next use.
        """
        if not is_inside_call() and not _forks.begun:
            _give_way()
        process = os.getpid()
        return self.calls.run(lambda: self._perform(step, process))

    def _perform(self, step: Use, process: int) -> Any:
        try:
            store = self._opened()
            if os.getpid() == process:
                return step.work(store)
        except OrpheusError as error:
            if isinstance(error, DatabaseUnusable):
                self.close_until_next_use()
            raise
        except BaseException:  # a signal handler raised it, in any state of the connection
            self.close_until_next_use()
            raise
        finally:
            if os.getpid() != process:
                self.close_until_next_use()
                raise RuntimeError(
                    "this process was forked inside of this call, so its parent does it"
                )

    def _opened(self) -> Store:
        if self._store is not None and self._store.in_transaction:
            self.close_until_next_use()  # a signal handler raised when an earlier call was ending
        if self._store is None:
            self._store = open_storage(self._settings)
        return self._store

    def close(self) -> None:
        """Close the connection until its next use. Raises RuntimeError as `perform` does."""
        self.calls.run(self.close_until_next_use)

    def close_until_next_use(self) -> None:
        """Do the same, inside of a call or while none can begin."""
        store, self._store = self._store, None
        if store is not None:
            with contextlib.suppress(StorageError):
                store.close()

    def leave_to_parent(self) -> None:
        """Forget the parent's connection, in a child that was forked inside of a call."""
        self._store = None
        self.calls.begin_anew()


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
        # It holds a lock during each fork, so a fork in a signal handler in a fork waits for ever.
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - so only if it is needed

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


def _give_way() -> None:
    """Let a fork that waits for calls go first, or busy threads would keep it waiting for ever.

    Not for longer than a second: a signal handler may have interrupted what the fork waits for.
    """
    began_s = time.monotonic()
    while _waiting and time.monotonic() - began_s < _GIVES_WAY_S:
        time.sleep(_PAUSE_S)


def _before_fork() -> None:
    is_inside = is_inside_call() or bool(_forks.begun)
    _forks.begun.append(None)
    if not is_inside:  # a wait there could be for a thread that waits for the interrupted call
        try:
            _waiting.add(threading.get_ident())
            _forks.begun[-1] = _hold_all()
        finally:
            _waiting.discard(threading.get_ident())


def _hold_all() -> contextlib.ExitStack:
    """Close every connection, and let no call begin until what this returns is closed.

    It holds nothing while it waits for a call: a signal handler inside of that call may use any
    other store, or make one.
    """
    while True:
        with contextlib.ExitStack() as held:
            held.enter_context(_forking)
            stores = list(_shared)
            for store in stores:
                if not store.calls.hold():
                    break
                held.callback(store.calls.let_go)
            else:
                for store in stores:
                    store.close_until_next_use()
                return held.pop_all()
        store.calls.wait()


def _after_fork() -> None:
    held = _forks.begun.pop()
    if held is not None:
        held.close()


def _after_fork_in_child() -> None:
    global _forking
    _waiting.clear()
    held = _forks.begun[-1]
    _after_fork()
    if held is None:
        if _forking.acquire(blocking=False):
            _forking.release()
        else:
            _forking = threading.RLock()  # a thread of the parent was about to fork
        for store in list(_shared):
            store.leave_to_parent()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
)
