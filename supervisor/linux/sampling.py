"""Samples the CPU, memory and run state of the children, and the holder of the write lock.

A thread of its own does this; it touches neither the database nor a child. It is the one clock of
the supervisor for what has to be looked at each second, also for the configuration file: each
thread with a clock of its own would cost a wake-up a second more. The main loop reads the
latest values and never waits for new ones; they are taken just before it reads the heartbeats. An
unexpected error is logged, and does not end the thread.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from orpheus.shared.logs import get_logger
from orpheus.shared.process.clock import next_multiple_s
from orpheus.supervisor.linux.process_stat import process_stat
from orpheus.supervisor.linux.write_lock import LockHolder, LockWatch
from orpheus.supervisor.policy.slot import OsStatus

log = get_logger()

SAMPLE_INTERVAL_S = 2.0
LOOK_INTERVAL_S = 1.0
_STALL_S = 2.0


class Sample(msgspec.Struct, frozen=True):
    """One sample of a process. `cpu_percent` is of one core, None in the first sample."""

    cpu_percent: float | None
    rss_bytes: int
    os_status: OsStatus
    cpu_s: float
    at_s: float


class Sampler:
    """Samples the watched processes every 2 s, and the write lock of `database` every second.

    `database`: a file of SQLite, which one process at a time writes; None for any other.
    `look`: called every second.

    `latest` and `holder` may be read by any thread.
    """

    def __init__(
        self,
        database: Path | None,
        look: Callable[[], None] = lambda: None,
        interval_s: float = SAMPLE_INTERVAL_S,
    ) -> None:
        self.latest: Mapping[str, Sample] = {}
        """Incarnation -> its last sample; never changed in place."""
        self.holder: LockHolder | None = None
        """Who held the write lock when it was last checked."""
        self._watched: Mapping[str, int] = {}
        self._look = look
        self._interval_s = interval_s
        self._lock_watch = None if database is None else LockWatch(database)
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
        now_s = time.monotonic()
        sample_at_s = next_multiple_s(now_s, self._interval_s)
        look_at_s = next_multiple_s(now_s, LOOK_INTERVAL_S)
        while not self._stop.wait(max(0.0, min(sample_at_s, look_at_s) - time.monotonic())):
            now_s = time.monotonic()
            try:
                if now_s >= look_at_s:
                    has_stalled = now_s > look_at_s + _STALL_S
                    look_at_s = next_multiple_s(now_s, LOOK_INTERVAL_S)
                    self._look()
                    self.holder = self._look_at_lock(now_s, has_stalled=has_stalled)
                if now_s >= sample_at_s:
                    sample_at_s = next_multiple_s(now_s, self._interval_s)
                    self.latest = self._sample_all(self._watched)
            except Exception:  # see the module
                log.exception("sampling_failed")
                self.holder = None

    def _look_at_lock(self, now_s: float, *, has_stalled: bool) -> LockHolder | None:
        if self._lock_watch is None:
            return None
        if has_stalled:
            self._lock_watch.forget()
        return self._lock_watch.look(now_s)

    def _sample_all(self, watched: Mapping[str, int]) -> dict[str, Sample]:
        found: dict[str, Sample] = {}
        for name, pid in watched.items():
            with contextlib.suppress(OSError):  # it has just ended
                found[name] = sample(pid, self.latest.get(name))
        return found


def sample(pid: int, before: Sample | None = None) -> Sample:
    """Sample a process; the CPU use is that since `before`. Raises OSError if it has ended."""
    stat, now_s = process_stat(pid), time.monotonic()
    percent = None
    if before is not None and now_s > before.at_s:
        percent = round(100 * (stat.cpu_s - before.cpu_s) / (now_s - before.at_s), 1)
    return Sample(percent, stat.rss_bytes, stat.os_status, stat.cpu_s, now_s)
