"""The effect log: which job ran when, and how often, whatever system ran it.

Every job of every system does one thing, `record(n)`. Each process writes a file of its own, so
that no two processes ever change the same byte: a job that two of them run at the same moment is
counted twice. A record takes a fraction of a microsecond, so that the log slows nobody down.

The folder and the number of jobs come from the environment, which all workers inherit.
"""

import mmap
import os
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = "BENCHMARK_EFFECTS"
JOBS = "BENCHMARK_JOBS"
STEPS = 10
"""The steps of a durable function, of which each records a number of its own."""
_TIME = struct.Struct("d")


@dataclass(slots=True)
class _Log:
    """The file of one process: a byte that counts for each job, then the time of each job."""

    pid: int
    jobs: int
    file: mmap.mmap


_log: _Log | None = None


def record(n: int) -> int:
    """Note that job `n` runs now, in this process. Returns `n`, the result of the job."""
    now_s = time.monotonic()
    log = _log
    if log is None or log.pid != os.getpid():
        log = _open()
    log.file[n] += 1
    _TIME.pack_into(log.file, log.jobs + 8 * n, now_s)
    return n


def _open() -> _Log:
    global _log
    pid, jobs = os.getpid(), int(os.environ[JOBS])
    descriptor = os.open(Path(os.environ[FOLDER], str(pid)), os.O_RDWR | os.O_CREAT, 0o666)
    os.ftruncate(descriptor, 9 * jobs)
    _log = _Log(pid, jobs, mmap.mmap(descriptor, 9 * jobs))
    os.close(descriptor)
    return _log


class NotExactlyOnce(Exception):
    """Jobs of a system were lost, or ran more than once."""


@dataclass(frozen=True)
class Effects:
    """What all processes have recorded in `folder`."""

    folder: Path
    jobs: int

    def environment(self) -> Mapping[str, str]:
        """Return the variables that a worker needs to record here."""
        return {FOLDER: str(self.folder), JOBS: str(self.jobs)}

    def seen(self, first: int, count: int) -> int:
        """Return how many of these jobs have run; too many if two processes ran the same job.

        This is asked often while others work, so it only counts the bytes of each file.
        """
        return sum(
            count - self._column(path, first, first + count).count(0) for path in self._paths()
        )

    def time_of(self, n: int) -> float:
        """Return when job `n` ran, in seconds of the monotonic clock."""
        return max(self._times(file, n, 1)[0] for file in self._files())

    def steady_times(self, first: int, count: int) -> list[float]:
        """Return the times of these jobs since all workers work, in order.

        Workers start one after the other. A worker that has done nothing for a second after the
        first one is no longer waited for.
        """
        by_worker = [
            sorted(time_s for time_s in self._times(file, first, count) if time_s)
            for file in self._files()
        ]
        starts = [times[0] for times in by_worker if times]
        begin = min(max(starts), min(starts) + 1.0)
        return sorted(time_s for times in by_worker for time_s in times if time_s >= begin)

    def check(self, first: int, count: int) -> None:
        """Raise NotExactlyOnce unless each of these jobs has run exactly once."""
        counts = self._counts(first, count)
        if lost := counts.count(0):
            raise NotExactlyOnce(f"{lost:,} of {count:,} jobs did not run")
        if doubled := count - counts.count(1):
            raise NotExactlyOnce(f"{doubled:,} of {count:,} jobs ran more than once")

    def pids(self) -> list[int]:
        """Return the processes that have run jobs."""
        return [int(path.name) for path in self._paths()]

    def _paths(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.stat().st_size == 9 * self.jobs]

    def _files(self) -> list[bytes]:
        return [path.read_bytes() for path in self._paths()]

    @staticmethod
    def _column(path: Path, begin: int, end: int) -> bytes:
        with path.open("rb") as file:
            file.seek(begin)
            return file.read(end - begin)

    def _counts(self, first: int, count: int) -> list[int]:
        columns = [self._column(path, first, first + count) for path in self._paths()]
        return list(map(sum, zip(*columns, strict=True))) if columns else [0] * count

    def _times(self, file: bytes, first: int, count: int) -> tuple[float, ...]:
        begin = self.jobs + 8 * first
        return struct.unpack(f"{count}d", file[begin : begin + 8 * count])
