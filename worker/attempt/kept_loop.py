"""The event loop of a worker that runs one job at a time, one for all `async def` handlers.

What a module keeps, such as an HTTP client with its connections, belongs to the loop on which it
was first used. What else an attempt has begun ends with it, as `asyncio.run` does: its tasks are
cancelled, and its functions of `asyncio.to_thread` are waited for.
"""

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

_T = TypeVar("_T")


class KeptLoop:
    """Runs one coroutine after the other. One thread only."""

    def __init__(self) -> None:
        self._new_loop()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what `work` returns, once what it has left behind has ended."""
        if self._loop.is_closed():  # a job has done it
            self._new_loop()
        threads = _Threads()
        self._loop.set_default_executor(threads)
        try:
            return self._loop.run_until_complete(work)
        finally:
            self._loop.run_until_complete(_end_the_rest(threads))
            threads.shutdown()

    def _new_loop(self) -> None:
        self._loop = asyncio.new_event_loop()
        # At the exit of the process, functions of `atexit` may still need it.
        weakref.finalize(self, self._loop.close).atexit = False


class _Threads(ThreadPoolExecutor):
    """Knows the functions that have not returned."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="asyncio")
        self.functions: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """See ThreadPoolExecutor."""
        future = super().submit(fn, *args, **kwargs)
        self.functions.add(future)
        future.add_done_callback(self.functions.discard)
        return future


async def _end_the_rest(threads: _Threads) -> None:
    await asyncio.sleep(0)  # an async generator that was left closes itself in a task
    await end_tasks(asyncio.all_tasks())
    while functions := [asyncio.wrap_future(function) for function in list(threads.functions)]:
        await asyncio.wait(functions)


async def end_tasks(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel tasks that a job has left on a loop, and wait for them."""
    me = asyncio.current_task()
    left = [task for task in tasks if task is not me and not task.done()]
    for task in left:
        task.cancel()
    if left:
        with contextlib.suppress(asyncio.CancelledError):  # a stop that comes too late
            await asyncio.wait(left)
