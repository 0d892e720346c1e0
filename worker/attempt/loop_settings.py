"""What a job may change in its event loop: it is set anew before the next job starts there."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

TaskFactory = Callable[..., "asyncio.Task[Any]"]


class LoopSettings:
    """The settings that a new event loop has."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, task_factory: TaskFactory | None = None
    ) -> None:
        self._loop = loop
        self._task_factory = task_factory
        self._debug = loop.get_debug()

    def set_anew(self, threads: ThreadPoolExecutor) -> None:
        """Set them, and `threads` as those of `asyncio.to_thread`."""
        loop = self._loop
        loop.set_task_factory(self._task_factory)
        loop.set_exception_handler(None)
        loop.set_default_executor(threads)
        if loop.get_debug() != self._debug:  # to set it wakes the loop
            loop.set_debug(self._debug)

    def check(self) -> None:
        """Raise RuntimeError if a job has called `shutdown_default_executor`, which is for ever."""
        if getattr(self._loop, "_executor_shutdown_called", False):
            raise RuntimeError("a job has called shutdown_default_executor() of the event loop")
