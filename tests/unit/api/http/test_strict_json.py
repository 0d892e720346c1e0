"""The strict JSON gate."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orpheus.api.http.problems import Refusal
from orpheus.api.http.strict_json import parse
from orpheus.shared.domain.limits import MAX_DEPTH

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda children: st.lists(children) | st.dictionaries(st.text("ab~/é"), children),
    max_leaves=30,
)


def refused(body: bytes) -> Refusal:
    with pytest.raises(Refusal) as raised:
        parse(body)
    return raised.value


@given(VALUES)
def test_every_value_that_can_be_kept_is_read_as_it_is(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


def test_the_outermost_level_is_the_first_and_the_limit_is_allowed() -> None:
    parse(nested(MAX_DEPTH))
    parse(nested(MAX_DEPTH, '{"a":', "}"))
    assert refused(nested(MAX_DEPTH + 1)).status == 400
    assert refused(nested(MAX_DEPTH + 1, '{"a":', "}")).status == 400


def test_many_shallow_brackets_are_not_deep() -> None:
    assert len(parse(b"[" + b"[],{}," * 500 + b"1]")) == 1001
    assert parse(b'"' + b"[" * 100 + b'"') == "[" * 100


def test_nesting_that_would_exhaust_the_stack_is_a_400() -> None:
    assert refused(nested(200_000)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"nul", b"NaN", b"[Infinity]", b"-Infinity", b"01", b"+1", b".5", b"//"),
        *(
            b"{'a':1}",
            b'"\t"',
            b"[1,]",
            b'{"a":1,}',
            b"1 2",
            b"\xff",
            b'"\xc0\x80"',
            b"\xef\xbb\xbf1",
        ),
    ],
)
def test_what_is_not_json_is_a_400(body: bytes) -> None:
    assert refused(body).status == 400


@pytest.mark.parametrize(
    "body", [b'{"a":1,"a":1}', b'[{"b":{"a":1,"c":2,"a":3}}]', b'{"a":1,"\\u0061":2}']
)
def test_a_key_that_stands_twice_is_a_400_that_names_it(body: bytes) -> None:
    assert '"a"' in refused(body).detail


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"18446744073709551616", ""),
        (b'{"a":[1,-9223372036854775809]}', "/a/1"),
        (b'{"a~b":{"c/d":1e400}}', "/a~0b/c~1d"),
        (b'["\\ud83d"]', "/0"),
        (b'["\\udc00\\ud83d"]', "/0"),
        (b'{"a":"x\\u0000y"}', "/a"),
    ],
)
def test_what_cannot_be_kept_is_a_422_at_its_pointer(body: bytes, pointer: str) -> None:
    refusal = refused(body)

    assert refusal.status == 422
    assert [problem.pointer for problem in refusal.problems] == [pointer]


def test_every_trouble_is_named_up_to_a_bound() -> None:
    assert len(refused(b"[" + b"1e999," * 3 + b"1]").problems) == 3
    assert len(refused(b"[" + b"1e999," * 500 + b"1]").problems) == 100
