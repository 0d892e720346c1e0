"""JSON text that every reader can read."""

import json
import subprocess
import sys
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from orpheus.shared.domain.json_values import json_pointer, with_finite_numbers
from tests.machine import PATIENCE_S

OF_ENUMS = """
from enum import Enum, IntEnum
from http import HTTPStatus

from orpheus.client.requests import one_body
from orpheus.shared.errors import InvalidJob
from orpheus.shared.job_types.request import JobRequest

class Size(IntEnum):
    LEAST, MOST, UNDER, OVER = -(2**63), 2**64 - 1, -(2**63) - 1, 2**64

class Colour(str, Enum):
    RED, BAD = "red", "\\0"

kept = [HTTPStatus.OK, Size.LEAST, Size.MOST, Colour.RED, {HTTPStatus.OK: 1, Colour.RED: 2}]
print(one_body(JobRequest("x", {"kept": kept}, priority=HTTPStatus.OK)).decode())
try:
    one_body(JobRequest("x", {"a": Size.UNDER, "b": Size.OVER, "c": Colour.BAD}))
except InvalidJob as refused:
    print(*(f"{one.pointer} {one.detail}" for one in refused.problems), sep="\\n")
"""

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def without_constants(value: Any) -> Any:
    """The value with NaN and infinities as their names."""
    match value:
        case float() if value != value or value in (float("inf"), float("-inf")):
            return json.dumps(value)
        case list():
            return [without_constants(one) for one in value]
        case dict():
            return {name: without_constants(one) for name, one in value.items()}
    return value


@given(values)
def test_only_nan_and_infinities_are_changed(value: Any) -> None:
    text = with_finite_numbers(json.dumps(value))
    assert json.loads(text) == without_constants(value)


@given(st.dictionaries(st.text(), st.floats() | st.text()))
def test_a_strict_reader_takes_it(value: dict[str, Any]) -> None:
    msgspec.json.decode(with_finite_numbers(json.dumps(value)))


def test_pointers_escape_what_rfc_6901_reserves() -> None:
    assert json_pointer([]) == ""
    assert json_pointer(["a/b", 0, "c~d", ""]) == "/a~1b/0/c~0d/"
    assert json_pointer(["\ud800"]) == "/\\ud800"


def test_a_member_of_an_enum_is_its_value() -> None:
    """In a process of its own, which can be ended: it once went through all 64-bit integers."""
    ran = subprocess.run(
        [sys.executable, "-c", OF_ENUMS],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    body, *refused = ran.stdout.splitlines()
    kept = [200, -(2**63), 2**64 - 1, "red", {"200": 1, "red": 2}]
    assert json.loads(body) == {"type": "x", "payload": {"kept": kept}, "priority": 200}
    assert refused == [
        "/payload/a is an integer over 64 bits",
        "/payload/b is an integer over 64 bits",
        "/payload/c contains a NUL character",
    ]
