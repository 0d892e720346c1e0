"""Reads the database on a few threads, each with its own store.

A slow read on the event loop would delay every other answer and every stream. The queue of reads is
bounded: when it is full, the answer is 503 at once instead of a time-out later. Each read has a
deadline, counted from the request: a query that passes it is stopped, and a read whose turn comes
after it is not begun. So a slow query delays the reads behind it by seconds, never minutes.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from orpheus.api.http.problems import Refusal
from orpheus.shared.errors import ReadTookTooLong, StorageError
from orpheus.shared.storage import Store

T = TypeVar("T")
Read = Callable[[Store], T]

_LIMIT_S = 5.0
_LEAST_S = 0.001

_Waiting = tuple[Read[Any], "asyncio.Future[Any]", float]
"""What to read, the future of its result, and its deadline (time.monotonic)."""


class Readers:
    """`threads` threads that read for one event loop. Call `start` and `close` on that loop."""

    def __init__(
        self,
        open_store: Callable[[], Store],
        threads: int = 2,
        bound: int = 512,
        limit_s: float = _LIMIT_S,
    ) -> None:
        self._open_store = open_store
        self._bound = bound
        self._limit_s = limit_s
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._unanswered = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"reader-{n}", daemon=True)
            for n in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    async def close(self) -> None:
        """Finish the waiting reads, then end the threads."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    async def read(self, read: Read[T]) -> T:
        """Call `read` on one of the threads; return or raise what it does.

        Raises Refusal (503) if too many wait already, ReadTookTooLong after `limit_s` seconds.
        """
        if self._unanswered >= self._bound:
            raise Refusal(503, "Too many reads wait for the database already.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._unanswered += 1
        try:
            self._waiting.put((read, future, time.monotonic() + self._limit_s))
            return await future
        finally:
            self._unanswered -= 1

    def _work(self) -> None:
        store: Store | None = None
        with contextlib.suppress(StorageError):  # the first read opens it again, and raises
            store = self._open_store()
        while (waiting := self._waiting.get()) is not None:
            read, future, until_s = waiting
            if future.cancelled():
                continue
            result, error = None, None
            try:
                store = store or self._open_store()
                left_s = until_s - time.monotonic()
                if left_s < _LEAST_S:
                    raise ReadTookTooLong("other reads took too long; try again")
                with store.time_limit(left_s):
                    result = read(store)
            except Exception as raised:  # noqa: BLE001 - it is raised where the result is awaited
                error = raised
            settle_soon(self._loop, [(future, result, error)])
        if store is not None:
            store.close()


Settled = tuple["asyncio.Future[Any]", Any, Exception | None]


def settle_soon(loop: asyncio.AbstractEventLoop, settled: list[Settled]) -> None:
    """Set the results of futures of `loop` from another thread, waking the loop once."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        loop.call_soon_threadsafe(_settle, settled)


def _settle(settled: list[Settled]) -> None:
    for future, result, error in settled:
        if future.done():  # its request was cancelled
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
