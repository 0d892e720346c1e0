"""Results and errors as text."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from orpheus.shared.job_types.context import PermanentError
from orpheus.worker.attempt.outcomes import error_of, payload_text, result_text


def test_a_result_is_compact_json() -> None:
    value = {"sum": 5000050000, "words": ["é", None, True, 1.5], "pair": (1, 2)}
    assert result_text(value) == ('{"sum":5000050000,"words":["é",null,true,1.5],"pair":[1,2]}')
    assert result_text(None) == "null"


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": {"b": [{2}, object()]}}, r"result\.a\.b\[1\] is of type object"),
        ({"ratio": math.nan}, r"result\.ratio is nan"),
        ({object(): 3}, "result has a key of type object"),
        ({"text": "\ud800"}, r"result\.text has a lone surrogate"),
        ({"at": {"ratio": Decimal(1), "inf": [math.inf]}}, r"result\.at\.inf\[0\] is inf"),
        (nested(100_000), "nested too deep"),
    ],
)
def test_what_json_cannot_hold_is_refused_naming_the_field(value: Any, problem: str) -> None:
    with pytest.raises(PermanentError, match=problem):
        result_text(value)


@dataclass
class Invoice:
    amount: Decimal
    due: date
    tags: set[str]


def test_a_result_that_must_be_run_through_is_refused_and_not_run() -> None:
    """It may be a file or a cursor, which is closed by now, and it may have no end."""
    rows = (1 / 0 for _ in "a")
    with pytest.raises(PermanentError, match="the result is an iterator: return a list"):
        result_text(rows)
    with pytest.raises(ZeroDivisionError):
        next(rows)


def test_a_result_may_be_what_a_payload_may_be() -> None:
    value = {"invoice": Invoice(Decimal("1.50"), date(2026, 1, 2), {"new"}), "raw": [b"\xff"]}
    kept = '{"invoice":{"amount":"1.50","due":"2026-01-02","tags":["new"]},"raw":["_w=="]}'
    assert result_text(value) == kept
    with pytest.raises(PermanentError, match=r"payload\.invoice is of type Invoice"):
        payload_text(value)


def test_a_result_over_one_mebibyte_is_refused_with_its_size() -> None:
    assert len(result_text("x" * 1_048_574)) == 1_048_576
    with pytest.raises(PermanentError, match=r"1,048,577 bytes"):
        result_text("x" * 1_048_575)
    with pytest.raises(PermanentError, match=r"2,000,002 bytes"):
        result_text("é" * 1_000_000)


def raised_by(code: Callable[[], object]) -> BaseException:
    try:
        code()
    except BaseException as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


def test_an_error_keeps_type_message_and_traceback() -> None:
    error = error_of(raised_by(lambda: dict[str, int]()["key"]))
    assert (error.type, error.message) == ("KeyError", "'key'")
    assert error.traceback is not None
    assert error.traceback.startswith("Traceback")
    assert "test_outcomes.py" in error.traceback


def test_long_messages_and_tracebacks_keep_both_ends() -> None:
    error = error_of(ValueError("begin " + "€" * 100_000 + " end"))
    assert error.message.startswith("begin ")
    assert error.message.endswith(" end")
    assert len(error.message.encode()) <= 8_192
    assert error.traceback is not None
    assert len(error.traceback.encode()) <= 65_536


def test_text_that_the_database_cannot_hold_is_escaped() -> None:
    error = error_of(ValueError("a\ud800b\0c"))
    assert error.message == "a\\ud800b\\x00c"
