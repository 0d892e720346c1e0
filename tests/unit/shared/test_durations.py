"""Durations are read alike everywhere."""

import contextlib
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orpheus.shared.durations import LONGEST_S, PATTERN, parse_duration_s, parse_moment


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0),
        ("500ms", 0.5),
        ("30s", 30),
        ("15m", 900),
        ("7d", 604_800),
        ("365d", LONGEST_S),
        ("0.5", 0.5),
        (" 1.5 s ", 1.5),
        (timedelta(minutes=1, milliseconds=5), 60.005),
    ],
)
def test_a_number_is_seconds_and_a_text_has_a_unit(written: object, seconds: float) -> None:
    assert parse_duration_s(written) == pytest.approx(seconds)


@given(st.from_regex(PATTERN))
def test_what_has_the_pattern_is_read_unless_it_is_too_long(text: str) -> None:
    written = text.removesuffix("\n")  # Python's $ also stands before a last newline
    with contextlib.suppress(ValueError):
        assert 0 <= parse_duration_s(written) <= LONGEST_S
        return
    with pytest.raises(ValueError, match="between 0 and 365 days"):
        parse_duration_s(written)


def test_milliseconds_are_exact() -> None:
    assert [parse_duration_s(f"{n}ms") for n in (700, 1_100)] == [0.7, 1.1]


@pytest.mark.parametrize(
    "written",
    [
        -1,
        "-1s",
        "366d",
        LONGEST_S + 1,
        math.nan,
        math.inf,
        10**400,
        "",
        "s",
        "1 fortnight",
        "1h30m",
        "١s",
        True,
        None,
        [],
        {},
    ],
)
def test_anything_else_is_refused_with_a_sentence(written: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration_s(written)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("2026-01-31T12:00:00", "lacks its time zone"),
        ("2026-13-31T12:00:00Z", "is not an RFC 3339 time"),
        ("1969-12-31T12:00:00Z", "must be from 1970"),
        (timedelta(days=400), "must be from 0 to 365 days ago"),
        ("soon", "is neither a time"),
    ],
)
def test_what_is_wrong_with_a_moment_is_said_of_its_form(written: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_moment(written)
