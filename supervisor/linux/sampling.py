"""Samples the CPU, memory and run state of the children, and the holder of the write lock.

A thread of its own does this; it touches neither the database nor a child. The main loop reads the
latest values and never waits for new ones.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from orpheus.supervisor.linux.write_lock import LockHolder, LockWatch, os_status
from orpheus.supervisor.policy.slot import OsStatus

SAMPLE_INTERVAL_S = 2.0
_LOCK_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a process. `cpu_percent` is of one core, None in the first sample."""

    cpu_percent: float | None
    rss_bytes: int
    os_status: OsStatus
    cpu_s: float
    at_s: float


class Sampler:
    """Samples the watched processes every 2 s, and the write lock of `database` every second.

    `latest` and `holder` may be read by any thread.
    """

    def __init__(self, database: Path, interval_s: float = SAMPLE_INTERVAL_S) -> None:
        self.latest: Mapping[str, Sample] = {}
        """Incarnation -> its last sample; never changed in place."""
        self.holder: LockHolder | None = None
        """Who held the write lock when it was last checked."""
        self._watched: Mapping[str, int] = {}
        self._processes: dict[str, psutil.Process] = {}
        self._interval_s = interval_s
        self._lock_watch = LockWatch(database)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def watch(self, pids: Mapping[str, int]) -> None:
        """Sample these processes from now on: incarnation -> pid."""
        self._watched = pids

    def stop(self) -> None:
        """Tell the thread to end; returns at once."""
        self._stop.set()

    def _run(self) -> None:
        sample_at_s, lock_at_s = time.monotonic() + self._interval_s, 0.0
        while not self._stop.wait(min(self._interval_s, _LOCK_INTERVAL_S)):
            now_s = time.monotonic()
            if now_s >= lock_at_s:
                self.holder = self._lock_watch.look(now_s)
                lock_at_s = now_s + _LOCK_INTERVAL_S
            if now_s >= sample_at_s:
                self.latest = self._sample_all(self._watched)
                sample_at_s = now_s + self._interval_s

    def _sample_all(self, watched: Mapping[str, int]) -> dict[str, Sample]:
        self._processes = {name: one for name, one in self._processes.items() if name in watched}
        found: dict[str, Sample] = {}
        for name, pid in watched.items():
            try:
                if name not in self._processes:
                    self._processes[name] = psutil.Process(pid)
                found[name] = sample(self._processes[name], self.latest.get(name))
            except psutil.Error:  # it has just ended
                continue
        return found


def sample(process: psutil.Process, before: Sample | None = None) -> Sample:
    """Sample a process; the CPU use is that since `before`. Raises psutil.Error."""
    with process.oneshot():
        times, memory, status = process.cpu_times(), process.memory_info(), os_status(process)
    cpu_s, now_s = times.user + times.system, time.monotonic()
    percent = None
    if before is not None and now_s > before.at_s:
        percent = round(100 * (cpu_s - before.cpu_s) / (now_s - before.at_s), 1)
    return Sample(percent, memory.rss, status, cpu_s, now_s)
