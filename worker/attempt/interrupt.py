"""The soft timeout and the cancel of a job that runs in a thread: an exception is raised there.

`PyThreadState_SetAsyncExc` leaves an exception with a thread, which raises it before one of its
next steps. A thread that waits in C code raises it when the call returns; if it never does, the
hard deadline ends the process.

It must not be raised after the job has ended. `arm` puts one item into a list. Whoever takes the
item out decides: the thread itself, at the end of its job, or the watch, which then raises. If the
watch was first, the thread waits until the exception was sent, and cancels it if it has not been
raised yet. This needs no lock, which could stay locked: the exception may come at any step.

On Python 3.13, an exception that is raised just as a `while` loop begins its next round skips the
`try` that stands directly around the loop (CPython issue 130279). So the `try` that catches
JobTimeout (worker/attempt/executor.py) has no loop in it, only calls.
"""

import ctypes
import threading
import time

from orpheus.shared.job_types.context import JobCancelled, JobTimeout
from orpheus.worker.attempt.context import RunningAttempt

_CANCEL_AFTER_S = 1.0
"""How long a handler that calls `ctx.check_cancelled` has to stop by itself."""
_SPIN_S = 0.001
_NEVER = float("inf")

_raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in_thread.argtypes = [ctypes.c_ulong, ctypes.py_object]
_NOTHING = ctypes.py_object()
"""NULL: takes an exception back that the thread has not raised yet."""


class Interrupt:
    """Stops the job of one thread, as the Alarm does in the main thread."""

    def __init__(self) -> None:
        self.has_raised = False
        """JobTimeout was raised in the attempt that runs, or ran last."""
        self.was_used = False
        """An exception was raised inside a job's code, which may have left a lock locked."""
        self._attempt: RunningAttempt | None = None
        self._deadline_s = _NEVER
        self._thread_id = 0
        self._armed: list[None] = []
        """A new list for each attempt, so that an old attempt cannot be mistaken for the next."""
        self._is_armed = False
        self._is_sent = False

    def begin(self, attempt: RunningAttempt) -> None:
        """Note that this thread runs the attempt from now on. Nothing is raised before `arm`."""
        self._thread_id = threading.get_ident()
        self._attempt = attempt
        self._deadline_s = _NEVER
        self._is_armed = self._is_sent = self.has_raised = False

    def arm(self, now_s: float, timeout_s: float) -> None:
        """Allow `look` to raise in this thread, from now on until `disarm`."""
        self._deadline_s = now_s + timeout_s
        self._is_armed = True
        self._armed = [None]

    def disarm(self) -> None:
        """Stop `look` from raising. An exception that was already sent may be raised in here."""
        if not self._is_armed:
            return
        if not _takes(self._armed):
            while not self._is_sent:
                time.sleep(_SPIN_S)
            _raise_in_thread(self._thread_id, _NOTHING)
        self._is_armed = False

    def look(self, now_s: float) -> None:
        """Raise in the thread, once a job, if its job is past its timeout or was told to stop."""
        armed = self._armed  # read first, so the rest is not from an earlier attempt
        if not armed or self._attempt is None:
            return
        stop_at_s = self._attempt.stop_requested_at_s
        kind: type[BaseException]
        if stop_at_s is not None and now_s >= stop_at_s + _CANCEL_AFTER_S:
            kind = JobCancelled
        elif now_s >= self._deadline_s:
            kind = JobTimeout
        else:
            return
        if not _takes(armed):  # the job has ended meanwhile
            return
        self.was_used = True
        self.has_raised = kind is JobTimeout
        _raise_in_thread(self._thread_id, kind)
        self._is_sent = True


def _takes(armed: list[None]) -> bool:
    """Take the item out of `armed`; return False if another thread was first."""
    try:
        armed.pop()
    except IndexError:
        return False
    return True
