"""A job's log: bounded, written by the job's threads, stored by the worker's renewal thread.

It takes no lock, on purpose. A soft timeout raises at any instruction of the handler; inside a lock
it would leave the lock locked for the renewal thread, which must go on sending heartbeats. A
deque's append and popleft are atomic.

`print` writes to the log through objects that replace sys.stdout and sys.stderr, the logging module
through one handler. They are installed once per process, not for each job.
"""

import contextlib
import dataclasses
import json
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO

import msgspec

from orpheus.shared.domain.hidden import NO_RULES, Rules, masked_anywhere
from orpheus.shared.domain.jobs import NewLine
from orpheus.shared.domain.json_values import with_finite_numbers
from orpheus.shared.logs import write_root_logger_too
from orpheus.shared.process.last_lines import LineRing
from orpheus.shared.text import storable

_MAX_LINES = 10_000
_MAX_BYTES = 1_048_576
_MAX_LINE_CHARS = 16_384
LineEcho = Callable[[str, str, str], None]
_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))


class JobLog:
    """The log of one attempt."""

    __slots__ = (
        "_bytes_left",
        "_echo",
        "_keep",
        "_lines_left",
        "_partials",
        "_ring",
        "_rules",
        "_token",
        "_waiting",
    )

    def __init__(
        self,
        token: int = 0,
        ring: LineRing | None = None,
        echo: LineEcho | None = None,
        rules: Rules = NO_RULES,
    ) -> None:
        """Without a `ring`, a crash loses the lines that are not stored yet.

        `echo` is called with each line: its level, its text and its fields as JSON, masked as
        `rules` say.
        """
        self._rules = rules
        self._echo = echo
        self._token = token
        self._ring = ring
        self._waiting: deque[NewLine] = deque()
        self._keep: Callable[[NewLine], object] = self._waiting.append
        self._partials = {"info": "", "warning": ""}
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

    @property
    def is_full(self) -> bool:
        """Whether more lines would be dropped."""
        return self._lines_left <= 0

    def add(self, level: str, event: object, fields: dict[str, object]) -> None:
        """Add a line, unless the attempt's log is full."""
        left = self._lines_left
        if left <= 0:
            return
        self._lines_left = left - 1
        line = storable(str(event))[:_MAX_LINE_CHARS]
        text = _fields_text(fields) if fields else "{}"
        self._bytes_left -= len(line if line.isascii() else line.encode()) + len(text)
        now_ms = time.time_ns() // 1_000_000
        if left == 1 or self._bytes_left < 0:
            self._lines_left = 0
            line = "the log of this attempt is full: 10,000 lines or 1 MiB; the rest is dropped"
            level, text = "warning", "{}"
        if self._ring is not None:
            self._ring.keep(self._token, _MAX_LINES - left, now_ms, level, line, text)
        self._keep(NewLine(now_ms, level, line, text))
        if self._echo is not None:
            self._echo(level, line, masked_anywhere(text, self._rules))

    def write(self, text: str, level: str = "info") -> None:
        """Add printed text; each whole line becomes a line of the log. `level`: info or warning."""
        *lines, rest = (self._partials[level] + text).split("\n")
        self._partials[level] = rest
        for line in lines:
            self.add(level, line.rstrip("\r"), {})
        if len(rest) > _MAX_LINE_CHARS:
            self.finish_lines()
        elif rest and self._ring is not None and self._lines_left > 0:
            number, now_ms = _MAX_LINES - self._lines_left, time.time_ns() // 1_000_000
            self._ring.keep(self._token, number, now_ms, level, storable(rest), is_whole=False)

    def finish_lines(self) -> None:
        """Add the text that was printed since the last newlines, if there is any."""
        for level, line in self._partials.items():
            if line:
                self._partials[level] = ""
                self.add(level, line, {})

    def take(self) -> list[NewLine]:
        """Remove and return the lines that wait to be stored, oldest first."""
        lines = []
        while self._waiting:
            lines.append(self._waiting.popleft())
        return lines

    def restore(self, lines: list[NewLine]) -> None:
        """Return lines from `take` that could not be stored, to be taken again."""
        self._waiting.extendleft(reversed(lines))

    def write_to_stderr(self) -> None:
        """Write lines to descriptor 2 from now on: in a forked child no thread stores them."""
        self._keep = partial(_write_to_stderr, self._rules)
        self._ring = self._echo = None


def _write_to_stderr(rules: Rules, new: NewLine) -> None:
    fields = "" if new.fields == "{}" else f" {masked_anywhere(new.fields, rules)}"
    with contextlib.suppress(OSError):
        os.write(2, f"{new.line}{fields}\n".encode())


class JobOutput:
    """Replaces sys.stdout or sys.stderr: what a job prints goes to its log, the rest to the stream.

    The stream leads to a file (worker/attempt/stray_output.py), so nothing here blocks.
    """

    def __init__(
        self, stream: TextIO, current: Callable[[], JobLog | None], level: str = "info"
    ) -> None:
        self._stream = stream
        self._current = current
        self._level = level

    def write(self, text: str) -> int:
        """See io.TextIOBase."""
        log = self._current()
        if log is None:
            return self._stream.write(text)
        log.write(str(text), self._level)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """See io.IOBase."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """See io.IOBase."""
        self._stream.flush()

    def isatty(self) -> bool:
        """See io.IOBase. False, as prints go to a log."""
        return False

    def writable(self) -> bool:
        """See io.IOBase."""
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class JobLogHandler(logging.Handler):
    """Sends records of the logging module to the log of the running job."""

    def __init__(self, current: Callable[[], JobLog | None]) -> None:
        super().__init__()
        self._current = current

    def handle(self, record: logging.LogRecord) -> bool:
        """See logging.Handler. Without its lock: see the module."""
        if not self.filter(record):
            return False
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        log = self._current()
        if log is None:
            return
        try:
            log.add(_level(record.levelno), self.format(record), {"logger": record.name})
        except Exception:  # noqa: BLE001 - a record that cannot be formatted must not fail the job
            self.handleError(record)


class Capture:
    """Sends prints and log records to `current()`: the log of the running job, if any.

    Without `takes_prints`, prints go where they went, such as to the terminal of a debugger.
    """

    def __init__(self, current: Callable[[], JobLog | None], *, takes_prints: bool = True) -> None:
        streams = sys.stdout, sys.stderr
        if takes_prints:
            sys.stdout = JobOutput(sys.stdout, current)
            sys.stderr = JobOutput(sys.stderr, current, "warning")
        self._console = (*streams, sys.stdout, sys.stderr)
        self._handler = JobLogHandler(current)
        self.keep()

    def keep(self) -> None:
        """Put our handler back if an application has configured logging anew.

        Handlers of its root logger that write to stdout or stderr are removed, because each line
        would be in the job's log twice.
        """
        root = logging.getLogger()
        if self._handler in root.handlers:
            return
        for handler in root.handlers.copy():
            if getattr(handler, "stream", None) in self._console:
                root.removeHandler(handler)
        root.addHandler(self._handler)
        root.setLevel(min(root.level, logging.INFO))
        write_root_logger_too()


def _fields_text(fields: dict[str, object]) -> str:
    try:
        text = with_finite_numbers(
            json.dumps(fields, default=_plain, skipkeys=True, separators=(",", ":"))
        )
    except Exception as error:  # noqa: BLE001 - the __repr__ of a field may raise anything
        text = json.dumps({"fields_lost": f"{type(error).__name__}: {error}"})
    if len(text) > _MAX_LINE_CHARS:
        text = json.dumps({"fields_lost": f"{len(text)} bytes of JSON are too many for a line"})
    return text


def _plain(value: object) -> object:
    """Return the fields of a model or a dataclass, so that hidden ones are found; else its repr."""
    if isinstance(value, type):
        return repr(value)
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    dump = getattr(value, "model_dump", None)  # of pydantic, which many workers do not import
    return dump() if callable(dump) else repr(value)


def _level(number: int) -> str:
    return next((name for floor, name in _LEVELS if number >= floor), "debug")
