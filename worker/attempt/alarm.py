"""The soft timeout of a job: SIGALRM raises JobTimeout in the handler.

One timer serves all jobs of a process. It is set when a deadline comes before the alarm that is
already pending, and an alarm that comes before the current deadline sets the timer again. So a
stream of short jobs sets no timer per job.

Disarming has no race. `arm` and `disarm` only set a field. The signal handler clears that field
before it raises, so it raises once per deadline. The caller makes both calls inside the `try` that
catches JobTimeout (worker/attempt/executor.py), so JobTimeout is caught wherever it is raised.

A job may use SIGALRM, too, as libraries for timeouts do, and leave another handler or no timer. So
`arm` checks each time that both are still its own, which takes half a µs, and sets them again.
"""

import atexit
import signal
import time
from _signal import getsignal  # type: ignore[import-not-found]  # signal.getsignal takes 1.5 µs
from types import FrameType

from orpheus.shared.job_types.context import JobTimeout

_NEVER = float("inf")
_TIMER_DELAY_S = 0.001
"""Our timer may be this late, because it is set a little after the deadline is calculated."""


class Alarm:
    """The only user of SIGALRM in the process, apart from jobs. Main thread only."""

    def __init__(self) -> None:
        self._deadline_s = _NEVER
        self._fires_at_s = _NEVER
        self.has_raised = False
        """JobTimeout was raised inside a job's code, which may have left a lock locked."""
        signal.signal(signal.SIGALRM, self._on_alarm)
        # `disarm` leaves the timer running: at exit, without a handler, it would kill the process.
        atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)

    def arm(self, now_s: float, timeout_s: float) -> None:
        """Raise JobTimeout in this thread once `timeout_s` have passed, unless disarmed before."""
        self._deadline_s = deadline_s = now_s + timeout_s
        self._take_back(now_s)
        if deadline_s < self._fires_at_s:
            self._fires_at_s = deadline_s
            signal.setitimer(signal.ITIMER_REAL, max(timeout_s, 1e-6))

    def disarm(self) -> None:
        """Cancel the deadline: the handler has returned."""
        self._deadline_s = _NEVER

    def _take_back(self, now_s: float) -> None:
        """Set the handler again, and forget a timer, if a job has changed them."""
        if getsignal(signal.SIGALRM) != self._on_alarm:
            signal.signal(signal.SIGALRM, self._on_alarm)
        left_s, repeats_s = signal.getitimer(signal.ITIMER_REAL)
        latest_s = self._fires_at_s - now_s + _TIMER_DELAY_S
        if not 0 < left_s <= latest_s or repeats_s:
            self._fires_at_s = _NEVER

    def _on_alarm(self, _number: int, _frame: FrameType | None) -> None:
        self._fires_at_s = _NEVER
        if self._deadline_s == _NEVER:
            return
        left_s = self._deadline_s - time.monotonic()
        if left_s > 0:
            self._fires_at_s = self._deadline_s
            signal.setitimer(signal.ITIMER_REAL, left_s)
            return
        self._deadline_s = _NEVER
        self.has_raised = True
        raise JobTimeout("the job is past its timeout")
