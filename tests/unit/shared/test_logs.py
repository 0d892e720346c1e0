"""Logging: what a line looks like, and that a blocked stderr holds nobody up."""

import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared import logs
from orpheus.shared.logs import configure_logging, get_logger, leave_out_logging_while, stop_logging
from tests.machine import slowness

ROOT = Path(__file__).parents[3]
Lines = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def logging_stopped_and_restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    level, raises = logging.root.level, logging.raiseExceptions
    # It complains, whenever they are collected, of tasks that an earlier test has left.
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)
    yield
    stop_logging()
    logging.root.setLevel(level)
    logging.raiseExceptions = raises


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Lines:
    """Stops logging and gives the lines that reached stderr."""

    def written() -> list[str]:
        stop_logging()
        return capfd.readouterr().err.splitlines()

    return written


def _json(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_elsewhere_than_on_a_terminal_a_line_is_one_json_object(lines: Lines) -> None:
    configure_logging("info", "auto", "default-1")
    get_logger().info("job_done", job=5, took_s=0.25, tags=["a"])
    (line,) = _json(lines())
    at = line.pop("at")
    assert line == {
        "level": "info",
        "event": "job_done",
        "process": "default-1",
        "job": 5,
        "took_s": 0.25,
        "tags": ["a"],
    }
    assert at[10] == "T"
    assert at.endswith("Z")
    assert len(at) == len("2026-01-31T12:00:00.000Z")


def test_the_console_shows_the_slot_and_the_fields(lines: Lines) -> None:
    configure_logging("info", "console", "default-1")
    get_logger().warning("job_slow", job=5, why="two words")
    (line,) = lines()
    assert line.endswith("[warning ] default-1  job_slow job=5 why='two words'")


def test_what_a_job_says_stands_behind_its_name(lines: Lines) -> None:
    configure_logging("info", "console", "default-1")
    get_logger().info("hello\n", said_by="greet#1")
    (line,) = lines()
    assert line.endswith("[info    ] default-1  greet#1 hello\\n")


def test_what_is_logged_while_the_log_of_a_job_has_it_is_left_out(lines: Lines) -> None:
    configure_logging("info", "json", "default-1")
    running: list[str] = []
    leave_out_logging_while(lambda: running)
    library = logging.getLogger("some.library")
    library.warning("idle")
    running.append("greet#1")
    library.warning("in a job")
    get_logger().info("echo")
    assert [line["event"] for line in _json(lines())] == ["idle", "echo"]


def test_in_short_what_happens_at_each_reload_is_left_out(lines: Lines) -> None:
    for level in ("info", "debug"):
        configure_logging(level, "json", "supervisor", in_short=True)
        get_logger().info("worker_exited", cause="replaced", level_=level)
        get_logger().warning("worker_exited", cause="crashed")
    assert [line["cause"] for line in _json(lines())] == ["crashed", "replaced", "crashed"]


def test_lines_below_the_level_are_left_out_also_after_the_level_changed(lines: Lines) -> None:
    log = get_logger()
    configure_logging("warning", "json", "api")
    log.info("no")
    log.error("yes")
    configure_logging("debug", "json", "api")
    log.debug("now")
    assert [line["event"] for line in _json(lines())] == ["yes", "now"]


def test_standard_loggers_take_the_same_way(lines: Lines) -> None:
    configure_logging("info", "json", "api")
    logging.getLogger("some.library").info("started on %s", "8000")
    logging.getLogger("some.library").debug("detail")
    (line,) = _json(lines())
    assert (line["event"], line["logger"], line["process"]) == (
        "started on 8000",
        "some.library",
        "api",
    )


def test_an_exception_comes_with_its_traceback(lines: Lines) -> None:
    configure_logging("info", "json", "api")
    try:
        raise LookupError("here")
    except LookupError:
        get_logger().exception("failed")
        logging.getLogger("other").exception("failed too")
    for line in _json(lines()):
        assert line["level"] == "error"
        assert line["exception"].startswith("Traceback (most recent call last)")
        assert line["exception"].endswith("LookupError: here")


@pytest.mark.parametrize("format", ["json", "console"])
def test_no_value_can_forge_a_line_or_move_the_cursor(format: str, lines: Lines) -> None:
    configure_logging("info", format, "api")
    get_logger().info("a\nb", text="x\r\n\x1b[2J\x9b\u2028\u202e", **{"k\n": 1})
    (line,) = lines()
    assert line.isprintable()


@pytest.mark.parametrize("format", ["json", "console"])
def test_long_values_are_cut(format: str, lines: Lines) -> None:
    configure_logging("info", format, "api")
    get_logger().info("big", text="x" * 1_000_000, items=["y" * 1_000_000])
    (line,) = lines()
    assert 16_000 < len(line) < 20_000


class _Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("format", ["json", "console"])
def test_no_value_makes_logging_raise(format: str, lines: Lines) -> None:
    configure_logging("info", format, "api")
    log = get_logger()
    log.info("unspeakable", value=_Unspeakable())
    log.info("not_json", number=float("nan"), huge=10**5000, half="\ud800", raw=b"\xff")
    log.info("taken", at=1, level=2, process=3)
    logging.getLogger("x").warning("%d", "not a number")
    written = lines()
    assert len(written) == 4
    assert "unspeakable" in written[0]
    assert "at_" in written[2]


def test_a_blocked_stderr_holds_nobody_up_and_the_loss_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(logs, "_STDERR", writing)
    monkeypatch.setattr(logs, "_MAX_QUEUED_LINES", 100)
    configure_logging("info", "json", "supervisor")
    log = get_logger()
    began = time.monotonic()
    for n in range(5_000):  # many times what the pipe and the queue hold
        log.info("line", n=n, padding="x" * 200)
    assert time.monotonic() - began < 5 * slowness()
    text = b""
    while _accounted_for(text) < 5_000:  # now somebody reads
        assert select.select([reading], [], [], 10)[0], "the writer did not go on"
        text += os.read(reading, 65_536)
    numbers = [line["n"] for line in _whole(text) if "n" in line]
    assert numbers == sorted(numbers)
    assert 100 <= len(numbers) < 5_000
    assert _accounted_for(text) == 5_000
    stop_logging()
    os.close(reading)
    os.close(writing)


def _whole(text: bytes) -> list[dict[str, Any]]:
    return _json(text.decode().rpartition("\n")[0].splitlines())


def _accounted_for(text: bytes) -> int:
    """Lines that were written, or counted as dropped."""
    return sum(line.get("count", 1) for line in _whole(text))


def test_stopping_with_a_blocked_stderr_takes_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(logs, "_STDERR", writing)
    monkeypatch.setattr(logs, "_FLUSH_S", 0.1)
    configure_logging("info", "json", "supervisor")
    writer = next(thread for thread in threading.enumerate() if thread.name == "log-writer")
    for _ in range(1_000):
        get_logger().info("line", padding="x" * 200)
    stop_logging()
    os.close(reading)  # frees the thread: nobody will ever read
    writer.join(10)
    assert not writer.is_alive()
    os.close(writing)


def test_a_program_that_ends_without_stopping_has_its_lines_written_and_never_loads_rich() -> None:
    program = (
        "import sys; from orpheus.shared.logs import *; configure_logging('info', 'json', 'x');"
        "get_logger().info('last', rich='rich' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    assert json.loads(ended.stderr)["rich"] is False
