"""Runs calls that take many transactions or wait for others, each with a thread and a store.

As requests of the writer, they would block all other writes. asyncio's own threads are few: some of
these calls would block everything else that needs one, such as large bodies. And a process waits
for those threads before it exits, however long they take.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from orpheus.api.database.readers import settle_soon
from orpheus.api.http.problems import Refusal
from orpheus.shared.storage import Store

T = TypeVar("T")

_GRACE_S = 1.0
_END_S = 2.0


class LongCalls:
    """Runs up to `most` calls at once. Each must look at `stopping` from time to time."""

    def __init__(self, open_store: Callable[[], Store], most: int = 4) -> None:
        self.stopping = threading.Event()
        """Set when every call must end soon."""
        self._open_store = open_store
        self._free = threading.Semaphore(most)
        self._threads: list[threading.Thread] = []

    async def run(self, work: Callable[[Store], T]) -> T:
        """Call `work` with a store of its own; return or raise what it does.

        The call goes on even if its caller is cancelled. Raises Refusal (503) if too many run.
        """
        if not self._free.acquire(blocking=False):
            raise Refusal(503, "Too many calls that take long run already.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        thread = threading.Thread(
            target=self._run, args=(work, loop, future), name="long-call", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread to spare
            self._free.release()
            raise
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
        return await future

    def _run(
        self,
        work: Callable[[Store], Any],
        loop: asyncio.AbstractEventLoop,
        future: "asyncio.Future[Any]",
    ) -> None:
        result, error = None, None
        try:
            with contextlib.closing(self._open_store()) as store:
                result = work(store)
        except Exception as raised:  # noqa: BLE001 - it is raised where the result is awaited
            error = raised
        self._free.release()
        settle_soon(loop, [(future, result, error)])

    def stop_soon(self) -> None:
        """Tell the calls to end, except those that end within a second anyway."""
        asyncio.get_running_loop().call_later(_GRACE_S, self.stopping.set)

    async def close(self) -> None:
        """Tell the calls to end, and wait for those that do not wait for a lock themselves."""
        self.stopping.set()
        end_at_s = time.monotonic() + _END_S
        for thread in self._threads:
            await asyncio.to_thread(thread.join, max(0.0, end_at_s - time.monotonic()))
