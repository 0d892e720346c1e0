"""The threads in which a worker of several places runs handlers that are not `async def`.

A thread is started when a job finds no free one, and is kept. Signals are not blocked in it, since
a program that its job starts would inherit the block.
"""

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue

from orpheus.shared.domain.lifecycle import Finished
from orpheus.worker.attempt.context import RunningAttempt, current_attempt
from orpheus.worker.attempt.executor import Executor
from orpheus.worker.attempt.interrupt import Interrupt


class JobThreads:
    """Runs each attempt that is given to `start` in a thread, and then calls `on_end` there.

    `start` may be called while fewer than `places` attempts run.
    """

    def __init__(
        self,
        make_executor: Callable[[Interrupt], Executor],
        on_end: Callable[[RunningAttempt, Finished, Executor, Interrupt], None],
        places: int,
    ) -> None:
        self._make_executor = make_executor
        self._on_end = on_end
        self._places = places
        self.interrupts: list[Interrupt] = []
        """The Interrupts of all threads; only added to."""
        self._attempts: SimpleQueue[RunningAttempt] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._context = copy_context()

    def start(self, attempt: RunningAttempt) -> None:
        """Run the attempt in a thread. One thread only may call it.

        Raises RuntimeError or MemoryError if it needs one more and the system gives none.
        """
        if not self._idle.acquire(blocking=False) and len(self.interrupts) < self._places:
            interrupt = Interrupt()
            name = f"job-{len(self.interrupts) + 1}"
            threading.Thread(target=self._run, args=(interrupt,), name=name, daemon=True).start()
            self.interrupts.append(interrupt)
        self._attempts.put(attempt)

    def _run(self, interrupt: Interrupt) -> None:
        executor = self._make_executor(interrupt)
        while True:
            attempt = self._attempts.get()
            # A context of its own: what a handler sets there is gone with it.
            finished = self._context.copy().run(self._run_one, attempt, executor, interrupt)
            self._on_end(attempt, finished, executor, interrupt)
            del attempt, finished  # not kept until the next one comes
            self._idle.release()

    def _run_one(
        self, attempt: RunningAttempt, executor: Executor, interrupt: Interrupt
    ) -> Finished:
        current_attempt.set(attempt)
        interrupt.begin(attempt)
        return executor.run(attempt)
