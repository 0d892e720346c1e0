"""A job's log: bounded, written by the job's threads, stored by the worker's renewal thread.

It takes no lock, on purpose. A soft timeout raises at any instruction of the handler; inside a lock
it would leave the lock locked for the renewal thread, which must go on sending heartbeats. A
deque's append and popleft are atomic.

`print` writes to the log through one object that replaces sys.stdout, the logging module through
one handler. Both are installed once per process, not for each job.
"""

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TextIO

from orpheus.shared.domain.jobs import NewLine
from orpheus.shared.text import storable

_MAX_LINES = 10_000
_MAX_BYTES = 1_048_576
_MAX_LINE_CHARS = 16_384
_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))


class JobLog:
    """The log of one attempt."""

    __slots__ = ("_bytes_left", "_lines_left", "_partial", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[NewLine] = deque()
        self._partial = ""
        self._lines_left = _MAX_LINES
        self._bytes_left = _MAX_BYTES

    def debug(self, event: str, /, **fields: object) -> None:
        """Add a line about a detail."""
        self.add("debug", event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Add a line about what happens."""
        self.add("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Add a line about something unexpected."""
        self.add("warning", event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Add a line about an error."""
        self.add("error", event, fields)

    def add(self, level: str, event: object, fields: dict[str, object]) -> None:
        """Add a line, unless the attempt's log is full."""
        if self._lines_left <= 0:
            return
        line = storable(str(event))[:_MAX_LINE_CHARS]
        text = _fields_text(fields) if fields else "{}"
        self._lines_left -= 1
        self._bytes_left -= len(line if line.isascii() else line.encode()) + len(text)
        now_ms = time.time_ns() // 1_000_000
        if self._lines_left == 0 or self._bytes_left < 0:
            self._lines_left = 0
            line = "the log of this attempt is full: 10,000 lines or 1 MiB; the rest is dropped"
            level, text = "warning", "{}"
        self._waiting.append(NewLine(now_ms, level, line, text))

    def write(self, text: str) -> None:
        """Add printed text; each whole line becomes a line of the log."""
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self.add("info", line.rstrip("\r"), {})
        if len(self._partial) > _MAX_LINE_CHARS:
            self.finish_line()

    def finish_line(self) -> None:
        """Add the text that was printed since the last newline, if there is any."""
        if self._partial:
            line, self._partial = self._partial, ""
            self.add("info", line, {})

    def take(self) -> list[NewLine]:
        """Remove and return the lines that wait to be stored, oldest first."""
        lines = []
        while self._waiting:
            lines.append(self._waiting.popleft())
        return lines

    def restore(self, lines: list[NewLine]) -> None:
        """Return lines from `take` that could not be stored, to be taken again."""
        self._waiting.extendleft(reversed(lines))


class JobOutput:
    """Replaces sys.stdout: sends what a job prints to its log, and the rest to the terminal."""

    def __init__(self, terminal: TextIO, current: Callable[[], JobLog | None]) -> None:
        self._terminal = terminal
        self._current = current

    def write(self, text: str) -> int:
        """See io.TextIOBase."""
        log = self._current()
        if log is None:
            return self._terminal.write(text)
        log.write(str(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """See io.IOBase."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """See io.IOBase."""
        if self._current() is None:
            self._terminal.flush()

    def isatty(self) -> bool:
        """See io.IOBase. False, as what is printed goes to a log."""
        return False

    def writable(self) -> bool:
        """See io.IOBase."""
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._terminal, name)


class JobLogHandler(logging.Handler):
    """Sends records of the logging module to the log of the running job."""

    def __init__(self, current: Callable[[], JobLog | None]) -> None:
        super().__init__()
        self._current = current

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        log = self._current()
        if log is None:
            return
        try:
            log.add(_level(record.levelno), self.format(record), {"logger": record.name})
        except Exception:  # noqa: BLE001 - a record that cannot be formatted must not fail the job
            self.handleError(record)


def capture_output(current: Callable[[], JobLog | None]) -> None:
    """Send what is printed and logged to `current()`: the log of the running job, if any."""
    sys.stdout = JobOutput(sys.stdout, current)
    root = logging.getLogger()
    root.addHandler(JobLogHandler(current))
    root.setLevel(min(root.level, logging.INFO))


def _fields_text(fields: dict[str, object]) -> str:
    try:
        text = json.dumps(fields, default=repr, skipkeys=True, separators=(",", ":"))
    except Exception as error:  # noqa: BLE001 - the __repr__ of a field may raise anything
        text = json.dumps({"fields_lost": f"{type(error).__name__}: {error}"})
    if len(text) > _MAX_LINE_CHARS:
        text = json.dumps({"fields_lost": f"{len(text)} bytes of JSON are too many for a line"})
    return text


def _level(number: int) -> str:
    return next((name for floor, name in _LEVELS if number >= floor), "debug")
