"""Logging for every program: structlog, with the standard library's loggers (uvicorn's) joined in.

A log line must never cost a main loop its turn. A terminal that is held with Ctrl-S, or a pipe
whose reader stopped, blocks whoever writes to it: of a supervisor, this would be every heartbeat
check and restart. So a line is rendered where it is logged, put on a bounded queue, and written
by one daemon thread; while that thread is stuck and the queue full, lines are dropped and
counted, and the count is logged once the output flows again. Nothing here raises.

On a terminal a line is meant for eyes, elsewhere it is one JSON object. Either way control
characters are escaped, so that no value can forge a line or move a cursor, and long values cut.
"""

import atexit
import contextlib
import json
import logging
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any, cast

from orpheus.shared.text import printable


@contextlib.contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Make `import module` fail for a while."""
    hide = module not in sys.modules
    if hide:
        sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hide:
            del sys.modules[module]


with _hidden("rich"):  # structlog would import it for tracebacks we don't draw: 5 MB, 0.1 s
    import structlog
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

_STDERR = 2  # not a duplicate: SQLite never opens a database as 0, 1 or 2, should a job close ours
_MOST_QUEUED_LINES = 4_096
_BATCH_BYTES = 65_536
_FLUSH_S = 1.0
_LONGEST_VALUE = 8_192
_CUT = "…(cut)"

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}

_Line = dict[str, Any]
_Renderer = Callable[[_Line], str]


class _Writer(threading.Thread):
    """Writes queued lines to stderr; the only thread that may be held up by it."""

    def __init__(self, renderer: _Renderer, name: str) -> None:
        super().__init__(name="log-writer", daemon=True)
        self._render = renderer
        self._process = name
        # SimpleQueue.put is one C call: a job's time-out raised amid it leaves no lock held.
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self.dropped = 0

    def put(self, line: str) -> None:
        """Queue a line, or drop and count it if too many wait."""
        if self._lines.qsize() < _MOST_QUEUED_LINES:
            self._lines.put(line)
        else:
            self.dropped += 1

    def stop(self) -> None:
        """Write what is queued, for a bounded time."""
        self._lines.put(None)
        self.join(_FLUSH_S)

    def run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        reported = 0
        running = True
        while running:
            batch, running = self._next_batch()
            self._write(batch)
            if self.dropped != reported:
                count, reported = self.dropped - reported, self.dropped
                line = _stamped("warning", "log_lines_dropped", self._process)
                self._write(self._render({**line, "count": count}) + "\n")

    def _next_batch(self) -> tuple[str, bool]:
        """What waits, up to a bound; and whether there may be more."""
        line = self._lines.get()
        batch: list[str] = []
        size = 0
        while line is not None:
            batch += (line, "\n")
            size += len(line)
            if size >= _BATCH_BYTES:
                break
            try:
                line = self._lines.get_nowait()
            except Empty:
                break
        return "".join(batch), line is not None

    def _write(self, text: str) -> None:
        data = memoryview(text.encode(errors="backslashreplace"))
        while data:
            try:
                data = data[os.write(_STDERR, data) :]
            except BlockingIOError:  # somebody made the shared terminal non-blocking
                select.select([], [_STDERR], [])
            except OSError:  # nobody reads any more
                return


class _Configuration:
    """What a line needs to know; changed by `configure_logging`, read by every logger."""

    def __init__(self, level: int, renderer: _Renderer, process: str) -> None:
        self.level = level
        self.render = renderer
        self.process = process
        self.writer: _Writer | None = None


class _Bridge(logging.Handler):
    """Hands the records of standard loggers to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = min(50, max(10, record.levelno // 10 * 10))
            message = record.getMessage()
            get_logger().log(level, message, logger=record.name, exc_info=record.exc_info)
        except Exception:  # noqa: BLE001 - a record that cannot be formatted is still a record
            get_logger().error("log_record_unreadable", logger=record.name)


class _Output:
    """Where structlog leaves a rendered line, whatever its level."""

    def msg(self, line: str) -> None:
        writer = _configuration.writer
        if writer is not None:
            writer.put(line)

    debug = info = warning = error = critical = msg


def configure_logging(level: str, format: str, name: str) -> None:
    """Start logging to stderr. `name` is the slot's; `format`: auto, console or json.

    `auto` is console on a terminal. May be called again, with other values. Before the first
    call, and after `stop_logging`, lines are discarded.
    """
    global _configuration
    stop_logging()
    is_terminal = os.isatty(_STDERR)
    console = format == "console" or (format == "auto" and is_terminal)
    renderer = _console_renderer(is_terminal) if console else _render_json
    configuration = _Configuration(_LEVELS[level], renderer, name)
    configuration.writer = _Writer(renderer, name)
    configuration.writer.start()
    _configuration = configuration
    root = logging.getLogger()
    root.addHandler(_bridge)
    root.setLevel(configuration.level)
    logging.raiseExceptions = False


def stop_logging() -> None:
    """Write what is queued, for at most a second, and stop. Safe to call twice."""
    writer, _configuration.writer = _configuration.writer, None
    if writer is not None:
        logging.getLogger().removeHandler(_bridge)
        writer.stop()


def get_logger() -> FilteringBoundLogger:
    """A logger: `log.info("job_done", job=5)`. May be made before `configure_logging`."""
    return cast("FilteringBoundLogger", structlog.get_logger().bind())


def _drop_below_level(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if _configuration.writer is None or _LEVELS.get(method, 50) < _configuration.level:
        raise structlog.DropEvent
    return event


def _render(_: WrappedLogger, method: str, event: EventDict) -> str:
    """The whole line as text, whatever the values are."""
    try:
        return _configuration.render(_line_of(method, event))
    except Exception:  # noqa: BLE001 - a value whose repr fails must not fail its logger
        name = str(event.get("event"))
        return _configuration.render(
            {**_stamped(method, name, _configuration.process), "fields": "unreadable"}
        )


def _line_of(level: str, event: EventDict) -> _Line:
    line = _stamped(level, event.get("event", ""), _configuration.process)
    exception = _exception_text(event.get("exc_info"))
    for key, value in event.items():
        if key not in ("event", "exc_info"):
            line[key if key not in line else f"{key}_"] = _value(value)
    if exception is not None:
        line["exception"] = exception
    return line


def _stamped(level: str, event: Any, process: str) -> _Line:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    return {"at": at, "level": level, "event": _shortened(str(event)), "process": process}


def _exception_text(exc_info: Any) -> str | None:
    if isinstance(exc_info, tuple):
        exception = exc_info[1]
    elif isinstance(exc_info, BaseException):
        exception = exc_info
    else:
        exception = sys.exc_info()[1] if exc_info else None
    if exception is None:
        return None
    text = "".join(traceback.format_exception(exception)).rstrip()
    # The end says what went wrong.
    return text if len(text) <= _LONGEST_VALUE else _CUT + text[-_LONGEST_VALUE:]


def _value(value: Any) -> Any:
    """As JSON can say it, and no longer than allowed."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return _shortened(value)
    try:
        text = json.dumps(value, default=repr, allow_nan=False)
    except ValueError:
        text = repr(value)
        return _shortened(text)
    return value if len(text) <= _LONGEST_VALUE else _shortened(text)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + _CUT


def _render_json(line: _Line) -> str:
    return json.dumps(line, default=repr)  # ASCII only: every control character is escaped


def _console_renderer(coloured: bool) -> _Renderer:
    def paint(code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if coloured else text

    def render(line: _Line) -> str:
        now_s = time.time()
        clock = time.strftime("%H:%M:%S", time.localtime(now_s))
        level = line["level"]
        fields = {key: line[key] for key in line if key not in ("at", "level", "event", "process")}
        exception = fields.pop("exception", None)
        parts = [
            paint("2", f"{clock}.{int(now_s % 1 * 1000):03}"),
            paint(_COLOURS[level], f"{level:<7}"),
            paint("36", f"{line['process']:<10}"),
            paint("1", printable(line["event"])),
            *(f"{paint('2', printable(key) + '=')}{_shown(fields[key])}" for key in fields),
        ]
        text = " ".join(parts)
        if exception is not None:
            text += "".join(f"\n    {printable(row)}" for row in exception.split("\n"))
        return text

    return render


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=repr, ensure_ascii=False)
    if isinstance(value, str) and (" " in value or not value):
        text = f'"{value}"'
    return printable(text)


_configuration = _Configuration(_LEVELS["info"], _render_json, "")
_bridge = _Bridge()
structlog.configure(
    processors=[_drop_below_level, _render],
    wrapper_class=structlog.make_filtering_bound_logger("debug"),
    logger_factory=lambda *_: _Output(),
    cache_logger_on_first_use=True,
)
atexit.register(stop_logging)
