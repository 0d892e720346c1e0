"""Writes the database on one thread, which commits many requests together (group commit).

SQLite has one writer and a durable commit waits for the disk. So requests that arrive during a
commit, or while the thread waits for the write lock, join the next commit: 32 clients wait for the
disk once, not 32 times. Each request runs in its own savepoint, so a refused one undoes only
itself. Requests that do the same with different values run as one call, which takes a third of the
time of a call for each; if it is refused, each of them runs alone. No request is answered before
the commit, so what is acknowledged is kept; if the commit fails, all requests of its group fail. If
the write lock could not be acquired in time, the requests that arrived meanwhile fail as well,
because they would wait for the same lock again.

On PostgreSQL, a request waits only for the rows and keys that it needs, but an application may hold
them for long (docs/adr/0024). All others in the same transaction would wait with it. So a group
waits only a moment for a lock: a request that cannot have its locks by then goes to a second
thread, which runs one request at a time and waits as long as everybody else.
"""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import msgspec

from orpheus.api.database.readers import Settled, settle_soon
from orpheus.api.http.problems import Refusal
from orpheus.shared.errors import DatabaseAway, DatabaseBusy, StorageError
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.process.limits import keep_freed_memory
from orpheus.shared.storage import Store

T = TypeVar("T")
V = TypeVar("V")

_KEPT_MB = 4  # what a transaction needs, not what a batch of 10,000 jobs took once
_FIRST_GROUP = 64
_LOCK_WAIT_MS = 200
"""How long a group waits for a lock: longer than most transactions of others take."""
_NEXT_LOCK_WAIT_MS = 10
"""The same after the group has waited in vain: many of its requests may need the same lock."""

Told = Callable[[Exception | None], None]


class _Request(msgspec.Struct, frozen=True):
    write: Callable[[Store, list[Any]], Sequence[Any]]
    """Writes for several requests, given their values; returns the result of each."""
    value: Any
    durable: bool
    answer: "asyncio.Future[Any] | Told"
    """Takes the result, or is called."""


_Queue = SimpleQueue[_Request | None]
_Settled = tuple["asyncio.Future[Any] | Told", Any, Exception | None]


class Writer:
    """Writes for one event loop. Call `start` and `close` on that loop."""

    def __init__(self, open_store: Callable[[], Store], bound: int = 2048) -> None:
        self._open_store = open_store
        self._bound = bound
        self._queue: _Queue = SimpleQueue()
        self._patient_queue: _Queue = SimpleQueue()
        self._unanswered = 0
        self.trouble: StorageError | None = None
        """Why the latest commit failed; None if it succeeded."""
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._patient_thread = threading.Thread(
            target=self._work_patiently, name="patient-writer", daemon=True
        )

    def start(self) -> None:
        """Start the threads."""
        keep_freed_memory(_KEPT_MB)
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._patient_thread.start()

    async def close(self) -> None:
        """Commit the waiting requests, then end the threads."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._patient_queue.put(None)
        await asyncio.to_thread(self._patient_thread.join)

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

    def put(self, write: Callable[[Store], object], told: Told) -> None:
        """Call `write` and commit it with others, but do not wake the event loop for it.

        The commit does not wait for the disk. Then `told` is called in the writer's thread, with
        the error if there was one.
        """
        self._queue.put(_Request(lambda store, _: [write(store)], None, False, told))

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

        def gather(group: list[_Request], most: int) -> None:
            nonlocal open_
            if open_:
                found, open_ = _waiting(self._queue, most - len(group))
                group += found

        while open_:
            most = _FIRST_GROUP if store is None else store.most_savepoints
            group, open_ = _next_group(self._queue, most)
            held_up: list[_Request] = []
            try:
                store = store or self._open_store()
                settled, held_up = commit_group(store, group, gather)
                self.trouble = None
                failpoint("api.acknowledge")
            except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
                if isinstance(error, StorageError):
                    self.trouble = error
                if open_ and _concerns_all(error, store):
                    waiting, open_ = _waiting(self._queue)
                    group += waiting
                settled = [(request.answer, None, error) for request in group]
            self._settle(settled)
            for request in held_up:
                self._patient_queue.put(request)
        if store is not None:
            store.close()

    def _settle(self, settled: Sequence[_Settled]) -> None:
        """Answer on the event loop, which is woken only if somebody waits there."""
        awaited: list[Settled] = []
        for answer, result, error in settled:
            if isinstance(answer, asyncio.Future):
                awaited.append((answer, result, error))
            else:
                answer(error)
        if awaited:
            settle_soon(self._loop, awaited)

    def _work_patiently(self) -> None:
        """Run requests one by one. After one has waited in vain, those behind it fail as well.

        Most of them wait for the same lock. So nobody waits longer than twice the limit of a wait.
        """
        store: Store | None = None
        open_ = True
        while open_:
            group, open_ = _next_group(self._patient_queue, 1)
            try:
                store = store or self._open_store()
                settled, _ = commit_group(store, group, is_patient=True)
                failpoint("api.acknowledge")
            except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
                if open_ and isinstance(error, DatabaseBusy):
                    waiting, open_ = _waiting(self._patient_queue)
                    group += waiting
                settled = [(request.answer, None, error) for request in group]
            self._settle(settled)
        if store is not None:
            store.close()


def _next_group(queue: _Queue, most: int) -> tuple[list[_Request], bool]:
    """Wait for a request; return it and those behind it, up to `most`, and whether to go on.

    It is False if the thread must end.
    """
    first = queue.get()
    if first is None:
        return [], False
    waiting, goes_on = _waiting(queue, most - 1)
    return [first, *waiting], goes_on


def _waiting(queue: _Queue, most: int = sys.maxsize) -> tuple[list[_Request], bool]:
    """Return the waiting requests, up to `most`, and False if the thread must end."""
    found: list[_Request] = []
    with contextlib.suppress(Empty):
        while len(found) < most:
            request = queue.get_nowait()
            if request is None:
                return found, False
            found.append(request)
    return found, True


def _concerns_all(error: Exception, store: Store | None) -> bool:
    """Return whether the requests that came meanwhile would wait for the same, and in vain, too."""
    if not isinstance(error, DatabaseBusy):
        return False
    return isinstance(error, DatabaseAway) or store is None or store.one_writer


def commit_group(
    store: Store,
    group: list[_Request],
    gather: Callable[[list[_Request], int], None] | None = None,
    *,
    is_patient: bool = False,
) -> tuple[list[_Settled], list[_Request]]:
    """Run the requests of `group` in one transaction, so that a refused one harms no other.

    `gather(group, most)` is called once the transaction has begun: it adds the requests that have
    come meanwhile, until the group has `most`. Return the results, and the requests that were left
    out: they wait for a lock, which only a patient caller does. If StorageError is raised, the
    transaction failed as a whole, and nothing was written.
    """
    settled: list[_Settled] = []
    held_up: list[_Request] = []
    if not group:
        return settled, held_up
    leaves_out = not is_patient and not store.one_writer
    durable = any(request.durable for request in group)
    with store.write(durable=durable):
        if gather and durable:  # a request that comes later may need a durable commit
            gather(group, store.most_savepoints)
        if leaves_out:
            store.limit_lock_waits(_LOCK_WAIT_MS)
        for _, alike in groupby(group, lambda request: request.write):
            settled += _run(store, [*alike], held_up if leaves_out else None)
    return settled, held_up


def _run(store: Store, alike: Sequence[_Request], held_up: list[_Request] | None) -> list[_Settled]:
    """Run requests that have the same `write`: together, or each alone if that is refused.

    A request that waits for a lock is added to `held_up`; if that is None, it fails all of them.
    """
    try:
        with store.savepoint():
            results = alike[0].write(store, [request.value for request in alike])
    except StorageError as error:
        is_lock = isinstance(error, DatabaseBusy) and not isinstance(error, DatabaseAway)
        if held_up is None or not is_lock:
            raise  # the database failed, not this request: the whole group is rolled back
        store.limit_lock_waits(_NEXT_LOCK_WAIT_MS)
        if len(alike) == 1:
            held_up.append(alike[0])
            return []
    except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
        if len(alike) == 1:
            return [(alike[0].answer, None, error)]
    else:
        return [
            (request.answer, result, None) for request, result in zip(alike, results, strict=True)
        ]
    return [settled for request in alike for settled in _run(store, [request], held_up)]
