"""The event loop of a worker that runs one job at a time, one for all `async def` handlers.

What a module keeps, such as an HTTP client with its connections, belongs to the loop on which it
was first used. All else ends with the attempt that has begun it: the tasks are cancelled, the async
generators closed, and the functions of `asyncio.to_thread` waited for, as `asyncio.run` does.
"""

import asyncio
import sys
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from orpheus.worker.attempt.context import SpoiledLoop
from orpheus.worker.attempt.leftovers import close, end_tasks
from orpheus.worker.attempt.loop_settings import LoopSettings

_T = TypeVar("_T")


class KeptLoop:
    """Runs one coroutine after the other. One thread only."""

    def __init__(self) -> None:
        self._new_loop()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what `work` returns, once what it has left behind has ended.

        Raises SpoiledLoop if the loop cannot start it.
        """
        if self._loop.is_closed():  # a job has done it
            self._new_loop()
        threads, generators = _Threads(), _Generators()
        noted = generators.noted(work)
        try:
            self._settings.check()
            self._settings.set_anew(threads)
            task = self._loop.create_task(noted)
        except Exception as error:  # noqa: BLE001 - a job may have put anything there
            noted.close()
            work.close()
            raise SpoiledLoop(error) from None
        try:
            return self._loop.run_until_complete(task)
        finally:
            self._settings.set_anew(threads)
            self._loop.run_until_complete(_end_the_rest(threads, generators))
            threads.shutdown()

    def _new_loop(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._settings = LoopSettings(self._loop)
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


class _Generators:
    """Knows the async generators that have begun. A traceback may keep one from closing itself."""

    def __init__(self) -> None:
        self.begun: weakref.WeakSet[AsyncGenerator[Any, Any]] = weakref.WeakSet()

    async def noted(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what `work` returns. The loop takes its hooks back when it stops."""
        the_loops = sys.get_asyncgen_hooks().firstiter

        def note(generator: AsyncGenerator[Any, Any]) -> None:
            self.begun.add(generator)
            if the_loops is not None:
                the_loops(generator)

        sys.set_asyncgen_hooks(firstiter=note)
        return await work


async def _end_the_rest(threads: _Threads, generators: _Generators) -> None:
    await asyncio.sleep(0)  # an async generator that was left closes itself
    await end_tasks(asyncio.all_tasks)
    if generators.begun:
        await close(list(generators.begun))
        await end_tasks(asyncio.all_tasks)
    while functions := [asyncio.wrap_future(one) for one in list(threads.functions)]:
        await asyncio.wait(functions)
