"""Runs several attempts at once: `async def` handlers on one event loop, all others in threads.

One more thread watches them. It raises the exception that stops a job in the job's thread, and it
notices a handler that blocks the loop.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.helper_threads import start_without_signals
from orpheus.shared.logs import get_logger
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.event_loop import EventLoop
from orpheus.worker.attempt.executor import Executor
from orpheus.worker.attempt.interrupt import Interrupt
from orpheus.worker.attempt.job_log import Capture
from orpheus.worker.attempt.job_threads import JobThreads

_LOOK_EVERY_S = 0.05

log = get_logger()


class ConcurrentExecutor(Executor):
    """`start` returns at once; `on_end` is called in another thread when the attempt has ended.

    A handler that blocks the event loop for longer than `blocked_after_s` is logged.
    """

    def __init__(
        self, *args: Any, capture: Capture, places: int, blocked_after_s: float, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.capture = capture
        self.places = places
        self.blocked_after_s = blocked_after_s
        self.on_end: Callable[[RunningAttempt, Finished], None] = lambda *_: None
        self.wake: Callable[[], object] = lambda: None
        """Called after `on_end`, when the attempt no longer counts as running."""
        self.lacks_threads = False
        """The system gave no thread for a job, which was then released."""
        self._attempts: set[RunningAttempt] = set()
        self._event_loop: EventLoop | None = None
        self._has_attempts = threading.Event()
        self._threads = JobThreads(self._executor_of_thread, self._end_in_thread, places)
        thread = threading.Thread(target=self._watch, name="job-watch", daemon=True)
        start_without_signals(thread)

    def start(self, attempt: RunningAttempt) -> None:
        """Run the attempt, or release its job if there is no thread for it. Main thread only."""
        self._attempts.add(attempt)
        self._has_attempts.set()
        self.capture.keep()
        try:
            self._start(attempt)
        except (RuntimeError, MemoryError) as error:
            # A limit of the machine, or one that a job has set. The jobs that run here go on.
            self.lacks_threads = True
            log.warning("no_thread_for_job", job=attempt.lease.job_id, error=str(error))
            self._end(attempt, Finished(attempt.lease, Ending.RELEASED))

    def _start(self, attempt: RunningAttempt) -> None:
        job_type = self.types.get(attempt.lease.type)
        if job_type is None or not job_type.is_async or attempt.lease.type in self.commands:
            self._threads.start(attempt)
            return
        if self._event_loop is None:
            self._event_loop = EventLoop(self, self._end, self.places, self.blocked_after_s)
        self._event_loop.start(attempt)

    def is_busy(self) -> bool:
        """Return whether an attempt has not ended, or its `on_end` has not returned."""
        return bool(self._attempts)

    def has_kept_threads(self) -> bool:
        """Return whether functions of `asyncio.to_thread` have outlived their jobs: LoopThreads."""
        return self._event_loop is not None and self._event_loop.has_kept_threads

    def stop(self) -> None:
        """End the event loop. Threads need not be ended: the process does not wait for them."""
        if self._event_loop is not None:
            self._event_loop.stop()

    def _end(self, attempt: RunningAttempt, finished: Finished) -> None:
        self.on_end(attempt, finished)
        self._attempts.discard(attempt)
        self.wake()

    def _executor_of_thread(self, interrupt: Interrupt) -> Executor:
        around, spans = self.around, self.spans
        return Executor(self.types, self.commands, interrupt, self.queries, around, spans)

    def _end_in_thread(
        self,
        attempt: RunningAttempt,
        finished: Finished,
        executor: Executor,
        interrupt: Interrupt,
    ) -> None:
        self.lacks_files |= executor.lacks_files
        self.has_raised |= interrupt.was_used
        self._end(attempt, finished)

    def _watch(self) -> None:
        while True:
            if not self._attempts:
                self._has_attempts.clear()
                if not self._attempts:  # one may have begun before the flag was cleared
                    self._has_attempts.wait()
            try:
                now_s = time.monotonic()
                for interrupt in list(self._threads.interrupts):
                    interrupt.look(now_s)
                if self._event_loop is not None:
                    self._event_loop.look(now_s)
            except Exception:  # an error of ours must not end the watch
                log.exception("job_watch_failed")
            time.sleep(_LOOK_EVERY_S)
