"""The event loop on which a worker of several places runs its `async def` handlers, in one thread.

A handler that blocks the loop delays all others on it. `look` notices this, and tells which job it
is. Meanwhile the others cannot end, neither at their timeout nor when they are told to stop. So
that the worker is not killed because of them, `look` puts off their hard deadlines.
"""

import asyncio
import contextvars
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakSet

from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.logs import get_logger
from orpheus.worker.attempt.context import RunningAttempt, current_attempt
from orpheus.worker.attempt.executor import Executor
from orpheus.worker.attempt.forked_child import end_forked_child
from orpheus.worker.attempt.kept_loop import end_tasks

_STOP_S = 1.0
_FEWEST_THREADS = 32
_STALL_S = 1.0
_LONG_AGO, _NEVER = float("-inf"), float("inf")

_T = TypeVar("_T")

log = get_logger()


class EventLoop:
    """Runs each attempt that is given to `start` on the loop, and then calls `on_end` there."""

    def __init__(
        self,
        executor: Executor,
        on_end: Callable[[RunningAttempt, Finished], None],
        places: int,
        blocked_after_s: float,
    ) -> None:
        """A handler that blocks the loop for longer than `blocked_after_s` is logged."""
        self._executor = executor
        self._on_end = on_end
        self._blocked_after_s = blocked_after_s
        self._pid = os.getpid()
        self._context = contextvars.copy_context()
        self._tasks: dict[RunningAttempt, WeakSet[asyncio.Task[Any]]] = {}
        """The tasks of each attempt that was started here: its own, and those that it starts."""
        self._own_tasks: set[asyncio.Task[Any]] = set()
        """Keeps the tasks alive, which a loop does not."""
        self._loop = asyncio.new_event_loop()
        self._loop.set_task_factory(self._make_task)
        # The default would be six threads on two cores, for all jobs.
        self._threads = LoopThreads(max(places, _FEWEST_THREADS))
        self._loop.set_default_executor(self._threads)
        self.has_kept_threads = False
        """Functions in threads have outlived their attempts, so this process must be replaced."""
        self._is_stopping = False
        self._has_turned = True
        """Whether the loop has turned since `look` asked it to."""
        self._looked_at_s = self._put_off_until_s = self._runs_since_s = _LONG_AGO
        self._blocked_since_s = _NEVER
        """The first look at which the loop had not turned, or never: it has turned since."""
        self._running: RunningAttempt | None = None
        """The job whose task ran at the last look, if the loop had not turned by then."""
        self._is_reported = False
        self._thread = threading.Thread(target=self._run, name="event-loop", daemon=True)
        self._thread.start()
        os.register_at_fork(after_in_child=self._forget_the_others)

    def start(self, attempt: RunningAttempt) -> None:
        """Run the attempt on the loop."""
        self._tasks[attempt] = WeakSet()
        self._loop.call_soon_threadsafe(self._begin, attempt, context=self._context.copy())

    def stop(self) -> None:
        """End the loop, after the last attempt."""
        self._is_stopping = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_S)

    def look(self, now_s: float) -> None:
        """Notice a job that blocks the loop: log it once, and put off the deadlines of the others.

        Another thread calls it regularly.
        """
        stood_still = now_s - self._looked_at_s > _STALL_S  # this process, or all of its threads
        self._looked_at_s = now_s
        if self._has_turned or stood_still:
            self._has_turned = not self._tasks
            self._blocked_since_s = _NEVER
            if self._tasks:
                self._loop.call_soon_threadsafe(self._note_turn)
            return
        task = asyncio.current_task(self._loop)
        running = None if task is None else self._owner_of(task)
        is_first = self._blocked_since_s == _NEVER
        if is_first:
            self._blocked_since_s = self._put_off_until_s = now_s
        if is_first or running is not self._running:
            self._running, self._runs_since_s, self._is_reported = running, now_s, False
        # Several tasks may block it in one turn, each for a short time. If a callback blocks it,
        # its job is unknown: if all jobs got more time, it could block the loop for ever.
        if running is not None and now_s - self._blocked_since_s >= self._blocked_after_s:
            self._put_off_deadlines(running, now_s)
        runs_s = now_s - self._runs_since_s
        if task is not None and runs_s >= self._blocked_after_s and not self._is_reported:
            self._is_reported = True
            self._report_blocked(running, runs_s)

    def _owner_of(self, task: "asyncio.Task[Any]") -> RunningAttempt | None:
        owners = (attempt for attempt, tasks in list(self._tasks.items()) if task in tasks)
        return next(owners, None)

    def _put_off_deadlines(self, blocking: RunningAttempt, now_s: float) -> None:
        for attempt in list(self._tasks):
            if attempt is not blocking:
                attempt.extra_time_s += now_s - self._put_off_until_s
        self._put_off_until_s = now_s

    def _note_turn(self) -> None:
        self._has_turned = True

    def _report_blocked(self, owner: RunningAttempt | None, seconds: float) -> None:
        lease = None if owner is None else owner.lease
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001 - documented
        where = None
        if frame is not None:
            where = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
        if owner is not None:
            owner.job_log().warning(
                "this job blocks the event loop, so the other jobs on it wait: await, or use "
                "asyncio.to_thread",
                seconds=round(seconds, 1),
                where=where,
            )
        log.warning(
            "event_loop_blocked",
            job=None if lease is None else lease.job_id,
            type=None if lease is None else lease.type,
            seconds=round(seconds, 1),
            where=where,
            note="the other jobs on the loop wait: await, or use asyncio.to_thread",
        )

    # The thread

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                self._loop.run_forever()
            except BaseException:  # a task that a job has started may raise SystemExit
                if os.getpid() != self._pid:
                    end_forked_child()
                log.exception("event_loop_failed", note="it goes on")
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._threads.shutdown(wait=False)
        self._loop.close()

    def _begin(self, attempt: RunningAttempt) -> None:
        current_attempt.set(attempt)
        self._threads.begin(attempt)
        task = self._make_task(self._loop, self._run_one(attempt))
        self._own_tasks.add(task)
        task.add_done_callback(self._own_tasks.discard)

    async def _run_one(self, attempt: RunningAttempt) -> None:
        finished = await self._executor.run_on_loop(attempt)
        try:
            await end_tasks(list(self._tasks[attempt]))
        finally:
            self._end(attempt, finished)

    def _end(self, attempt: RunningAttempt, finished: Finished) -> None:
        del self._tasks[attempt]
        self.has_kept_threads |= self._threads.end(attempt, finished.ending)
        self._on_end(attempt, finished)

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **options)
        owner = current_attempt.get()
        if owner in self._tasks:
            self._tasks[owner].add(task)
        return task

    def _forget_the_others(self) -> None:
        """In a child that a handler on the loop has forked, run nothing of other jobs."""
        if threading.get_ident() == self._thread.ident:
            ready = getattr(self._loop, "_ready", None)
            if ready is not None:
                ready.clear()


class LoopThreads(ThreadPoolExecutor):
    """The threads in which jobs on the loop run functions: `asyncio.to_thread`, name look-ups.

    Such a function cannot be stopped. If it goes on after its job has ended, as after a timeout, it
    keeps its thread. Once all threads are kept like this, every other function waits for ever. So
    the worker must be replaced before that.
    """

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
        functions = [
            function for function in list(self._functions.pop(attempt)) if not function.done()
        ]
        for function in functions:
            self._left.add(function)
            function.add_done_callback(self._left.discard)
        was_stopped = ending in (Ending.TIMED_OUT, Ending.CANCELLED)
        return bool(functions and was_stopped) or 2 * len(self._left) >= self._most
