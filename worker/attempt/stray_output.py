"""Leads descriptors 1 and 2 to a file, so that the output of C code and programs reaches the log.

C code, child processes and forked children of a job write to these descriptors, past sys.stdout and
sys.stderr. They may have led to a pipe that nobody reads, which would block a job that writes to
it. A pipe of our own would block as well while C code holds the GIL. A file never blocks, and what
was written just before a crash is still in it afterwards (shared/process/last_lines.py).

The files are opened by their names: a job may close any descriptor, whose number may then belong
to the database.

The file is emptied at the end of each job that has written to it. If a program empties it, too,
that is noticed only while the file is shorter than what was already taken.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from itertools import islice, takewhile
from pathlib import Path

from orpheus.shared.logs import get_logger, write_logs_to
from orpheus.shared.process.files import cannot_make
from orpheus.shared.process.last_lines import LineRing
from orpheus.shared.process.limits import high_copy
from orpheus.worker.attempt.context import RunningAttempt

_STANDARD = (1, 2)
_MOST_BYTES = 1_048_576
"""The most that a job's log holds."""
_MOST_OUTSIDE = 100
"""The most lines outside of any job that are logged at a time."""

log = get_logger()


class StrayOutput:
    """`start`, then `take` while a job runs and at its end, then `stop`."""

    def __init__(self, path: Path, ring: LineRing) -> None:
        self.saved: list[int] = []
        """Where the descriptors led before; the worker's own log goes on there."""
        self._path = path
        self._ring = ring
        self._lock = threading.Lock()
        self._taken = 0

    def start(self) -> None:
        """Let the descriptors lead to the file. Raises DatabaseFull, DatabaseUnusable."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        try:
            file = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise cannot_make(self._path, error) from error
        self.saved = [high_copy(fd) for fd in _STANDARD]
        write_logs_to(self.saved[1])
        for fd in _STANDARD:
            os.dup2(file, fd)
        os.close(file)

    def stop(self) -> None:
        """Let the descriptors lead where they led before. Call it after the last job."""
        self.take(lambda: None)
        for fd, saved in zip(_STANDARD, self.saved, strict=False):
            os.dup2(saved, fd)
        write_logs_to(2)

    def finish(self, attempt: RunningAttempt) -> None:
        """Take all that an attempt has written, at its end: one system call if there is nothing."""
        try:
            size = os.lseek(2, 0, os.SEEK_END)
        except OSError:  # the job has closed it, or made it a pipe
            size = -1
        if size or self._taken:
            with self._lock:
                self._take(self._read(), attempt, 0)

    def take(self, running: Callable[[], RunningAttempt | None]) -> None:
        """Take the whole lines written since the last time; without a job, into our own log."""
        try:
            if os.stat(self._path).st_size == self._taken:  # noqa: PTH116 - called 20 times a second
                return
        except OSError:  # not started
            return
        with self._lock:
            attempt = running()
            data = self._read()
            if attempt is not running():
                return  # these lines may belong to the next one, which takes them
            whole = len(data) if len(data) == _MOST_BYTES else data.rfind(b"\n") + 1
            self._take(data[:whole], attempt, _MOST_BYTES)

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._taken:
                    self._taken = 0  # a program has emptied it: `> /dev/stderr` of a shell does
                file.seek(self._taken)
                return file.read(_MOST_BYTES)
        except OSError:  # somebody has deleted it
            return b""

    def _take(self, data: bytes, attempt: RunningAttempt | None, empty_from_bytes: int) -> None:
        lines = data.removesuffix(b"\n").split(b"\n") if data else []
        texts = (line.removesuffix(b"\r").decode(errors="backslashreplace") for line in lines)
        if attempt is None:
            for text in islice(texts, _MOST_OUTSIDE):
                log.info("output_outside_a_job", line=text)
            if len(lines) > _MOST_OUTSIDE:
                log.warning("output_outside_a_job_dropped", lines=len(lines) - _MOST_OUTSIDE)
        elif lines:
            job_log = attempt.job_log()
            for text in takewhile(lambda _: not job_log.is_full, texts):
                job_log.add("info", text, {})
        self._taken += len(data)
        if self._taken >= empty_from_bytes:
            with contextlib.suppress(OSError):
                os.truncate(self._path, 0)  # what was written since is lost: the log is nearly full
                self._taken = 0
        self._ring.note_taken(self._taken)
