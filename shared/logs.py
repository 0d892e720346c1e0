"""Write log lines of structlog and of the standard library's loggers to stderr, without blocking.

A terminal that is paused with Ctrl-S, or a pipe whose reader stopped, blocks every process that
writes to it. In the supervisor this would stop all heartbeat checks and restarts. So a line is
rendered by the thread that logs it, put on a bounded queue, and written by one daemon thread. While
that thread is blocked and the queue is full, lines are dropped and counted, and the count is logged
once the output works again. Logging never raises.

On a terminal a line is made for people, elsewhere it is one JSON object. In both, control
characters are escaped, so that no value can forge a line or move the cursor, and long values are
cut.

structlog renders, and the standard library's QueueHandler and QueueListener carry the lines. Three
things are different from theirs: the queue is bounded and drops lines instead of waiting for room;
the handler takes no lock, because a job's timeout may be raised at any point and would leave it
locked; and the listener is stopped within a bounded time.
"""

import atexit
import json
import logging
import os
import select
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from importlib import import_module
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from types import ModuleType
from typing import Any, cast

from orpheus.shared.helper_threads import without_signals
from orpheus.shared.moments import rfc3339
from orpheus.shared.text import printable


class _Later(ModuleType):
    """Import the module of its name when something of it is used."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self.__name__), name)


# structlog would import `rich` for tracebacks that we do not draw, and `asyncio` for methods that
# we do not call: 40 ms and 5 MB in each worker.
_hidden = {"rich": cast("Any", None), "asyncio": _Later("asyncio")}
_hidden = {name: _hidden[name] for name in _hidden.keys() - sys.modules.keys()}
sys.modules |= _hidden
import structlog  # noqa: E402
from structlog.dev import (  # noqa: E402
    Column,
    ConsoleRenderer,
    KeyValueColumnFormatter,
    LogLevelColumnFormatter,
    plain_traceback,
)
from structlog.stdlib import BoundLogger, ProcessorFormatter  # noqa: E402
from structlog.typing import EventDict, Processor  # noqa: E402

for _name in _hidden:
    del sys.modules[_name]

_STDERR = 2
_MAX_QUEUED_LINES = 4_096
_FLUSH_S = 1.0
_MAX_VALUE_CHARS = 8_192
_CUT = "…(cut)"
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}
_ROUTINE = frozenset(
    f"worker_{what}" for what in ("draining", "ended", "exited", "started", "stopping")
)
_RESERVED = ("at", "level", "process")


class _Queue(QueueHandler):
    """Render a record and put it on the queue, or drop and count it if the queue is full."""

    def __init__(self, renderer: "_Renderer") -> None:
        # SimpleQueue.put is one call into C: a timeout raised during it leaves no lock held.
        self.lines: SimpleQueue[logging.LogRecord] = SimpleQueue()
        super().__init__(cast("Any", self.lines))
        self.setFormatter(renderer)
        self.dropped = 0

    def createLock(self) -> None:  # noqa: N802 - the standard library's name
        """Use no lock: `enqueue` needs none."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Emit without the lock, which the standard library needs from Python 3.13 on."""
        passed = bool(self.filter(record))
        if passed:
            self.emit(record)
        return passed

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never wait for room."""
        if self.lines.qsize() < _MAX_QUEUED_LINES:
            self.lines.put(record)
        else:
            self.dropped += 1


class _Writer(QueueListener):
    """Write queued lines to stderr; stderr can block only its thread."""

    _thread: Any  # the standard library's, set by `start`

    def __init__(self, queue: _Queue, renderer: "_Renderer") -> None:
        super().__init__(cast("Any", queue.lines))
        self._queue = queue
        self._renderer = renderer
        self._dropped_before = 0

    def start(self) -> None:
        """Start the thread. It handles no signals: they are for the main thread."""
        with without_signals():
            super().start()
        self._thread.name = "log-writer"

    def handle(self, record: logging.LogRecord) -> None:
        """Write one line, and how many were dropped since the last one."""
        self._write(f"{record.msg}\n")
        count = self._queue.dropped - self._dropped_before
        if count:
            self._dropped_before += count
            line = self._renderer.line("warning", "log_lines_dropped", {"count": count})
            self._write(f"{line}\n")

    def stop(self) -> None:
        """Write what is queued, for a bounded time."""
        self.enqueue_sentinel()
        self._thread.join(_FLUSH_S)

    def _write(self, text: str) -> None:
        data = memoryview(text.encode(errors="backslashreplace"))
        while data:
            try:
                if _file_of(_output_fd) != _output_file:
                    return  # a job closed it: it may be a database now
                data = data[os.write(_output_fd, data) :]
            except BlockingIOError:  # another program made the shared terminal non-blocking
                select.select([], [_output_fd], [])
            except OSError:  # its reader has gone
                return


class _Renderer(ProcessorFormatter):
    """Render a record as one line of text, whatever its values are."""

    def __init__(self, render: Processor, process: str) -> None:
        self._render = render
        self._process = process
        super().__init__(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
            processors=[
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                lambda _, __, event: self._complete(event),
                render,
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; one without its fields if a value or message cannot be shown."""
        try:
            return super().format(record)
        except Exception:  # noqa: BLE001 - a value whose repr fails must not fail the code that logs
            event = (
                record.msg.get("event") if isinstance(record.msg, dict) else "log_record_invalid"
            )
            fields = {"logger": record.name, "fields": "unreadable"}
            return self.line(record.levelname.lower(), str(event), fields)

    def line(self, level: str, event: str, fields: Mapping[str, Any]) -> str:
        """Return a line that no logger wrote."""
        complete = self._complete({"level": level, "event": event, **fields})
        return cast("str", self._render(None, level, complete))

    def _complete(self, event: EventDict) -> EventDict:
        line: EventDict = {
            "at": rfc3339(time.time_ns() // 1_000_000),
            "level": event.pop("level"),
            "event": _cut(str(event.pop("event"))),
            "process": self._process,
        }
        exception = event.pop("exception", None)
        line.update((key, _value(value)) for key, value in event.items())
        if exception is not None:  # its end says what went wrong
            long = len(exception) > _MAX_VALUE_CHARS
            line["exception"] = _CUT + exception[-_MAX_VALUE_CHARS:] if long else exception
        return line


def _value(value: Any) -> Any:
    """Return a value that JSON can hold and that is not too long."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return _cut(value)
    try:
        text = json.dumps(value, default=repr, allow_nan=False)
    except ValueError:
        return _cut(repr(value))
    return value if len(text) <= _MAX_VALUE_CHARS else _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_CHARS else text[:_MAX_VALUE_CHARS] + _CUT


# ASCII only, so every control character is escaped.
_render_json = structlog.processors.JSONRenderer(serializer=partial(json.dumps, ensure_ascii=True))


def _console_renderer(coloured: bool) -> Processor:
    def style(code: str) -> str:
        return f"\x1b[{code}m" if coloured else ""

    def column(code: str, width: int = 0) -> KeyValueColumnFormatter:
        return KeyValueColumnFormatter(None, style(code), style("0"), str, width)

    levels = {level: style(code) for level, code in _COLOURS.items()}
    columns = [
        Column("", KeyValueColumnFormatter(style("2"), "", style("0"), _shown)),
        Column("at", column("2")),
        Column("level", LogLevelColumnFormatter(levels, style("0"))),
        Column("process", column("36", width=10)),
        Column("event", column("1")),
        Column("said_by", column("35")),
        Column("said", column("")),
    ]
    draw = ConsoleRenderer(columns=columns, exception_formatter=plain_traceback)

    def render(logger: Any, method: str, line: EventDict) -> str:
        exception = line.pop("exception", "")
        line = {printable(key): value for key, value in line.items()}
        line["at"] = datetime.now().astimezone().isoformat(timespec="milliseconds")[11:23]
        line["event"] = printable(line["event"])
        if "said_by" in line:  # the words of a job, not the name of an event
            line["said"] = line.pop("event")
        rows = [f"\n    {printable(row)}" for row in exception.splitlines()]
        return str(draw(logger, method, line)) + "".join(rows)

    return render


def _shown(value: Any) -> str:
    plain = isinstance(value, str) and value.isprintable() and value and " " not in value
    return str(value) if plain else printable(repr(value))


def configure_logging(level: str, format: str, name: str, *, in_short: bool = False) -> None:
    """Start logging to stderr. `name` is the slot's; `format`: auto, console or json.

    `auto` is console on a terminal. `in_short` leaves out what happens at each reload of code.
    May be called again, with other values. Before the first call, and after `stop_logging`, lines
    are discarded.
    """
    global _output
    stop_logging()
    write_logs_to(_STDERR)
    is_terminal = os.isatty(_STDERR)
    console = format == "console" or (format == "auto" and is_terminal)
    renderer = _Renderer(_console_renderer(is_terminal) if console else _render_json, name)
    queue = _Queue(renderer)
    if in_short and level.upper() == "INFO":
        queue.addFilter(_is_news)
    queue.setLevel(level.upper())  # the log of a job takes more from the root logger
    writer = _Writer(queue, renderer)
    writer.start()
    _output = queue, writer
    _orpheus.addHandler(queue)
    write_root_logger_too()
    for logger in (_orpheus, logging.getLogger()):
        logger.setLevel(level.upper())
    _orpheus.disabled = False
    logging.raiseExceptions = False


def _is_news(record: logging.LogRecord) -> bool:
    event = record.msg.get("event") if isinstance(record.msg, dict) else None
    return event not in _ROUTINE or record.levelno > logging.INFO


def write_root_logger_too() -> None:
    """Write what the root logger gets, also after an application has configured logging anew."""
    if _output is not None:
        logging.getLogger().addHandler(_output[0])


def leave_out_logging_while(said_elsewhere: Callable[[], object]) -> None:
    """Leave out what others log by the logging module while `said_elsewhere()` is true."""
    if _output is not None:
        ours = dict  # what structlog makes of a message
        _output[0].addFilter(lambda record: isinstance(record.msg, ours) or not said_elsewhere())


def write_logs_to(fd: int) -> None:
    """Write lines to `fd` from now on, until it leads to another file."""
    global _output_fd, _output_file
    _output_fd, _output_file = fd, _file_of(fd)


def _file_of(fd: int) -> tuple[int, int] | None:
    """Return device and inode; None if the descriptor is closed."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def stop_logging() -> None:
    """Write what is queued, for at most a second, and stop. Safe to call twice."""
    global _output
    if _output is None:
        return
    (queue, writer), _output = _output, None
    _orpheus.disabled = True
    for logger in (_orpheus, logging.getLogger()):
        logger.removeHandler(queue)
    writer.stop()


def get_logger() -> BoundLogger:
    """Return a logger: `log.info("job_done", job=5)`. May be made before `configure_logging`."""
    return BoundLogger(_orpheus, processors, {})


def _rename_reserved(_: Any, __: str, event: EventDict) -> EventDict:
    for key in _RESERVED:
        if key in event:
            event[f"{key}_"] = event.pop(key)
    return event


_output: tuple[_Queue, _Writer] | None = None
_output_fd, _output_file = _STDERR, _file_of(_STDERR)
# It is in a tree of its own. An application that configures logging disables all loggers of the
# standard tree, and a job's log takes what the root of that one gets.
_orpheus = logging.RootLogger(logging.WARNING)
_orpheus.manager = logging.Manager(_orpheus)
_orpheus.disabled = True
# For our loggers alone: `structlog.configure` would change those of the application, too.
processors: list[Processor] = [
    structlog.stdlib.filter_by_level,
    _rename_reserved,
    structlog.stdlib.add_log_level,
    ProcessorFormatter.wrap_for_formatter,
]
atexit.register(stop_logging)
