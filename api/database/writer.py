"""Writes the database on one thread, which commits many requests together (group commit).

SQLite has one writer and a durable commit waits for the disk. So requests that arrive during a
commit are gathered into the next one: 32 clients wait for the disk once, not 32 times. Each request
runs in its own savepoint, so a refused one undoes only itself. Requests that do the same with
different values run as one call, which takes a third of the time of a call for each; if it is
refused, each of them runs alone. No request is answered before the commit, so what is acknowledged
is kept; if the commit fails, all requests of its group fail. If the write lock could not be
acquired in time, the requests that arrived meanwhile fail as well, because they would wait for the
same lock again.
"""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from orpheus.api.database.readers import Settled, settle_soon
from orpheus.api.http.problems import Refusal
from orpheus.shared.errors import DatabaseBusy, StorageError
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.process.malloc import keep_freed_memory
from orpheus.shared.records import dataclass
from orpheus.shared.storage import Store

T = TypeVar("T")
V = TypeVar("V")

_KEPT_MB = 4  # of each thread: what a transaction needs, not what a batch of 10,000 jobs took once
_FIRST_GROUP = 64


@dataclass(frozen=True, slots=True)
class _Request:
    write: Callable[[Store, list[Any]], Sequence[Any]]
    """Writes for several requests, given their values; returns the result of each."""
    value: Any
    durable: bool
    future: asyncio.Future[Any]


class Writer:
    """One thread that writes for one event loop. Call `start` and `close` on that loop."""

    def __init__(self, open_store: Callable[[], Store], bound: int = 2048) -> None:
        self._open_store = open_store
        self._bound = bound
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._unanswered = 0
        self.trouble: StorageError | None = None
        """Why the latest commit failed; None if it succeeded."""
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        keep_freed_memory(_KEPT_MB)
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def close(self) -> None:
        """Commit the waiting requests, then end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def write(self, write: Callable[[Store], T], *, durable: bool = True) -> T:
        """Call `write`, commit it with others, and return or raise what it does.

        `durable`: the commit waits for the disk. Raises Refusal (503) if too many wait already,
        and what the store raises if the commit fails; then nothing was written.
        """
        return await self._wait(lambda store, _: [write(store)], None, durable=durable)

    async def write_with_others(
        self, write: Callable[[Store, list[V]], Sequence[T]], value: V
    ) -> T:
        """Call `write` with the values of all who wait with the same `write`, in one commit.

        It returns a result for each value, in order. If it raises, it is called again with each
        value alone. Waits for the disk; raises what `write` above does.
        """
        return await self._wait(write, value, durable=True)

    async def _wait(
        self,
        write: Callable[[Store, list[V]], Sequence[T]],
        value: V,
        *,
        durable: bool,
    ) -> T:
        if self._unanswered >= self._bound:
            raise Refusal(503, "Too many writes wait for the database already.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._unanswered += 1
        try:
            self._queue.put(_Request(write, value, durable, future))
            return await future
        finally:
            self._unanswered -= 1

    def _work(self) -> None:
        store: Store | None = None
        open_ = True
        while open_:
            most = _FIRST_GROUP if store is None else store.most_savepoints
            group, open_ = self._next_group(most)
            try:
                store = store or self._open_store()
                settled = commit_group(store, group)
                self.trouble = None
                failpoint("api.acknowledge")
            except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
                if isinstance(error, StorageError):
                    self.trouble = error
                if isinstance(error, DatabaseBusy) and open_:
                    waiting, open_ = self._waiting()
                    group += waiting
                settled = [(request.future, None, error) for request in group]
            settle_soon(self._loop, settled)
        if store is not None:
            store.close()

    def _next_group(self, most: int) -> tuple[list[_Request], bool]:
        """Wait for a request; return it and those behind it, up to `most`.

        And False if the thread must end.
        """
        first = self._queue.get()
        if first is None:
            return [], False
        waiting, goes_on = self._waiting(most - 1)
        return [first, *waiting], goes_on

    def _waiting(self, most: int = sys.maxsize) -> tuple[list[_Request], bool]:
        """Return the waiting requests, up to `most`, and False if the thread must end."""
        found: list[_Request] = []
        with contextlib.suppress(Empty):
            while len(found) < most:
                request = self._queue.get_nowait()
                if request is None:
                    return found, False
                found.append(request)
        return found, True


def commit_group(store: Store, group: list[_Request]) -> list[Settled]:
    """Run the requests of `group` in one transaction, so that a refused one harms no other.

    Raises StorageError if the transaction fails as a whole; then none was written.
    """
    settled: list[Settled] = []
    if not group:
        return settled
    with store.write(durable=any(request.durable for request in group)):
        for _, alike in groupby(group, lambda request: request.write):
            settled += _run(store, [*alike])
    return settled


def _run(store: Store, alike: Sequence[_Request]) -> list[Settled]:
    """Run requests that have the same `write`: together, or each alone if that is refused."""
    try:
        with store.savepoint():
            results = alike[0].write(store, [request.value for request in alike])
    except StorageError:
        raise  # the database failed, not this request: the whole group is rolled back
    except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
        if len(alike) > 1:
            return [settled for request in alike for settled in _run(store, [request])]
        return [(alike[0].future, None, error)]
    return [(one.future, result, None) for one, result in zip(alike, results, strict=True)]
