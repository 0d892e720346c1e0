"""JSON text that every reader can read."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from orpheus.shared.domain.json_values import json_pointer, with_finite_numbers

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
