"""A job's log: what it keeps, and how prints and logging reach it."""

import dataclasses
import io
import json
import logging
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from orpheus.worker.attempt.job_log import JobLog, JobLogHandler, JobOutput


def lines(log: JobLog) -> list[tuple[str, str, Any]]:
    return [(one.level, one.line, json.loads(one.fields)) for one in log.take()]


def test_lines_are_kept_with_level_and_fields_until_they_are_taken() -> None:
    log = JobLog()
    log.debug("a")
    log.info("b", path="x", n=1)
    log.warning("c", line="a field may be called like ours", level=2)
    log.error("d")
    assert lines(log) == [
        ("debug", "a", {}),
        ("info", "b", {"path": "x", "n": 1}),
        ("warning", "c", {"line": "a field may be called like ours", "level": 2}),
        ("error", "d", {}),
    ]
    assert lines(log) == []


@dataclasses.dataclass
class Card:
    number: str


class Order(BaseModel):
    card: Card


class Batch(msgspec.Struct):
    orders: list[Order]


def test_a_model_in_a_field_is_kept_as_its_fields_so_that_hidden_ones_are_found() -> None:
    log = JobLog()
    log.info("paying", batch=Batch([Order(card=Card("4711"))]), kind=Order, now=1j)
    ((_, _, fields),) = lines(log)
    assert fields["batch"] == {"orders": [{"card": {"number": "4711"}}]}
    assert fields["kind"].endswith("Order'>") and fields["now"] == "1j"


def test_restored_lines_come_before_newer_ones() -> None:
    log = JobLog()
    log.info("a")
    log.info("b")
    taken = log.take()
    log.info("c")
    log.restore(taken)
    assert [line for _, line, _ in lines(log)] == ["a", "b", "c"]


def test_after_ten_thousand_lines_one_says_that_the_rest_is_dropped() -> None:
    log = JobLog()
    for number in range(10_100):
        log.info(str(number))
    kept = lines(log)
    assert len(kept) == 10_000
    assert "the rest is dropped" in kept[-1][1]
    assert kept[-2][1] == "9998"


@pytest.mark.parametrize("character", ["x", "é", "€"])
def test_after_a_mebibyte_one_line_says_that_the_rest_is_dropped(character: str) -> None:
    log = JobLog()
    for _ in range(200):
        log.info(character * 10_000)
    kept = lines(log)
    assert 1_000_000 < sum(len(line.encode()) for _, line, _ in kept) <= 1_048_576
    assert "the rest is dropped" in kept[-1][1]


def test_numbers_that_json_lacks_become_texts() -> None:
    log = JobLog()
    inf = float("inf")
    log.info("a", loss=float("nan"), bounds=[-inf, {"most": inf}], name="NaN", n=2**70)
    ((_, _, fields),) = lines(log)
    assert fields == {
        "loss": "NaN",
        "bounds": ["-Infinity", {"most": "Infinity"}],
        "name": "NaN",
        "n": 2**70,
    }


def test_prints_become_lines_also_the_last_without_a_newline() -> None:
    log = JobLog()
    terminal = io.StringIO()
    output = JobOutput(terminal, lambda: log)
    print("one", 1, file=output)
    print("two\nthree", end="", file=output)
    log.finish_lines()
    log.finish_lines()
    assert [line for _, line, _ in lines(log)] == ["one 1", "two", "three"]
    assert terminal.getvalue() == ""


def test_what_is_printed_outside_a_job_goes_to_the_terminal() -> None:
    terminal = io.StringIO()
    print("hello", file=JobOutput(terminal, lambda: None), flush=True)
    assert terminal.getvalue() == "hello\n"


def test_records_of_the_logging_module_become_lines() -> None:
    log = JobLog()
    logger = logging.Logger("some.library")  # noqa: LOG001 - one of its own
    logger.addHandler(JobLogHandler(lambda: log))
    logger.info("n is %d", 3)
    logger.critical("gone")
    logger.log(15, "between")
    assert lines(log) == [
        ("info", "n is 3", {"logger": "some.library"}),
        ("error", "gone", {"logger": "some.library"}),
        ("debug", "between", {"logger": "some.library"}),
    ]


@pytest.mark.parametrize(("text", "kept"), [("a\0b", "a\\x00b"), ("\ud800é", "\\ud800é")])
def test_text_that_the_database_cannot_hold_is_escaped(text: str, kept: str) -> None:
    log = JobLog()
    log.info(text)
    assert lines(log)[0][1] == kept
