"""The soft timeout: SIGALRM raises JobTimeout in a handler that overstays.

One alarm serves all jobs of a process. It is armed when a deadline comes earlier than the alarm
that is already on its way, and an alarm that finds its deadline not reached arms itself anew, so a
stream of short jobs costs no system call for each.

Disarming without a race: `watch` and `unwatch` only set a field. The signal handler clears it
before it raises, so it raises once for a deadline; and the caller keeps both calls inside the
`try` that catches JobTimeout (worker/attempt/executor.py), so wherever it strikes, it is caught.
"""

import signal
import time
from types import FrameType

from orpheus.shared.job_types.registry import JobTimeout

_NEVER = float("inf")


class Alarm:
    """The process's one alarm. Main thread only."""

    def __init__(self) -> None:
        self._deadline_s = _NEVER
        self._fires_at_s = _NEVER
        self.struck = False
        """An alarm has raised in code that did not expect it: a lock may be left locked."""
        signal.signal(signal.SIGALRM, self._on_alarm)

    def watch(self, now_s: float, timeout_s: float) -> None:
        """From now on raise JobTimeout in this thread, once `timeout_s` have passed."""
        self._deadline_s = deadline_s = now_s + timeout_s
        if deadline_s < self._fires_at_s:
            self._fires_at_s = deadline_s
            signal.setitimer(signal.ITIMER_REAL, max(timeout_s, 1e-6))

    def unwatch(self) -> None:
        """The watched code has returned."""
        self._deadline_s = _NEVER

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
        self.struck = True
        raise JobTimeout("the job is past its timeout")
