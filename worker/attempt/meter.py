"""Measures what attempts cost: CPU time, and the most memory that was in use.

The counters are those of the process, so they tell attempts apart only if one runs after the other.
Reading them takes some microseconds, which a short job would feel. So the reading at the end of an
attempt also serves as the start of the next, and short attempts cause at most one reading in a
millisecond: of the attempts that begin after the same reading, only the first is measured.
"""

import os
import re
import resource
import time

from orpheus.shared.domain.lifecycle import Finished
from orpheus.worker.attempt.context import RunningAttempt

_SHORT_S = 0.001
_MEMORY_FROM_S = 0.01
"""The peak of a shorter attempt is not read, because that takes longer than everything else here.

The peak of a program is always known: the system reports it when the program ends.
"""
_RESET_PEAK = b"5"
_STATUS_BYTES = 4096
_PEAK_KIB = re.compile(rb"^VmHWM:\s*(\d+) kB$", re.MULTILINE)


class Meter:
    """Adds the cost to the end of each attempt. Only the thread that runs them may call it."""

    def __init__(self) -> None:
        self._status = _opened("/proc/self/status", os.O_RDONLY)
        self._resets = _opened("/proc/self/clear_refs", os.O_WRONLY)
        self._look(float("-inf"), _cpu_s())

    def begin(self, now_s: float) -> None:
        """Note that an attempt begins."""
        if now_s - self._looked_at_s >= _SHORT_S:
            self._look(now_s, _cpu_s())
        self._begun += 1

    def end(self, attempt: RunningAttempt, finished: Finished) -> Finished:
        """Return how the attempt ended, with what it cost if that can be told."""
        now_s = time.monotonic()
        took_s = now_s - attempt.started_at_s
        if took_s < _SHORT_S and self._begun > 1:
            return finished
        now_cpu_s = _cpu_s()
        cpu_s = max(0.0, now_cpu_s - self._cpu_s)
        is_read = took_s >= _MEMORY_FROM_S or attempt.program_peak_kib is not None
        peak = self._peak_bytes(attempt) if is_read else None
        if took_s >= _SHORT_S:
            self._look(now_s, now_cpu_s)
        return finished._replace(cpu_s=round(cpu_s, 6), max_rss_bytes=peak)

    def _look(self, now_s: float, cpu_s: float) -> None:
        self._looked_at_s = now_s
        self._begun = 0
        """How many attempts have begun since the last reading."""
        self._cpu_s = cpu_s
        self._is_reset = self._resets is not None
        if self._resets is not None:
            try:
                os.write(self._resets, _RESET_PEAK)
            except OSError:
                self._is_reset = False

    def _peak_bytes(self, attempt: RunningAttempt) -> int | None:
        """Return the peak of this process or of a command that it ran; None: unknown.

        The peaks of other programs that a job starts are not known: the system keeps only the
        largest of all.
        """
        if self._status is None or not self._is_reset:
            return None
        try:
            found = _PEAK_KIB.search(os.pread(self._status, _STATUS_BYTES, 0))
        except OSError:  # a job may have closed it
            return None
        if found is None:
            return None
        return max(int(found[1]), attempt.program_peak_kib or 0) * 1024


def _cpu_s() -> float:
    """Return the CPU time of this process and of its children that were waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _opened(path: str, flags: int) -> int | None:
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError:
        return None
