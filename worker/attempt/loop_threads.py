"""The threads in which jobs on the event loop run functions: `asyncio.to_thread`, name look-ups.

Such a function cannot be stopped. If it goes on after its job has ended, as after a timeout, it
keeps its thread. Once all threads are kept like this, every other function waits for ever. So the
worker must be replaced before that.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from orpheus.shared.domain.lifecycle import Ending
from orpheus.worker.attempt.context import RunningAttempt, current_attempt

_T = TypeVar("_T")


class LoopThreads(ThreadPoolExecutor):
    """Knows to which attempt each function belongs, between `begin` and `end`."""

    def __init__(self, most: int) -> None:
        super().__init__(most, "job-to-thread")
        self._most = most
        self._functions: dict[RunningAttempt, set[Future[Any]]] = {}
        self._left: set[Future[Any]] = set()
        """The functions of attempts that have ended, as long as they run."""

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """See ThreadPoolExecutor."""
        future = super().submit(fn, *args, **kwargs)
        attempt = current_attempt.get()
        functions = None if attempt is None else self._functions.get(attempt)
        if functions is not None:
            functions.add(future)
            future.add_done_callback(functions.discard)
        return future

    def begin(self, attempt: RunningAttempt) -> None:
        """Note that the attempt begins to run."""
        self._functions[attempt] = set()

    def end(self, attempt: RunningAttempt, ending: Ending) -> bool:
        """Note that the attempt has ended; return whether this process must be replaced.

        It must be if the attempt was stopped while one of its functions runs on, as after a stop in
        a job's own thread, or if functions that attempts have left occupy half of the threads.
        """
        functions = [one for one in list(self._functions.pop(attempt)) if not one.done()]
        for function in functions:
            self._left.add(function)
            function.add_done_callback(self._left.discard)
        was_stopped = ending in (Ending.TIMED_OUT, Ending.CANCELLED)
        return bool(functions and was_stopped) or 2 * len(self._left) >= self._most
