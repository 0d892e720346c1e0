"""Text from outside on a terminal."""

import pytest

from orpheus.shared.text import first_line, printable, with_fields


def test_what_cannot_be_seen_is_escaped() -> None:
    assert printable("a\n\x1b[0m\u202e\ud800") == "a\\n\\x1b[0m\\u202e\\ud800"


def test_of_several_lines_the_first_is_told_with_a_mark_for_the_rest() -> None:
    assert first_line("one\n") == first_line("one") == "one"
    assert first_line("one\ntwo") == first_line("\none\n\ntwo") == "one …"
    assert first_line("x" * 9, 5) == "xxxx…"
    assert first_line("xxxxx", 5) == "xxxxx"


def test_a_log_line_has_its_fields_behind_it() -> None:
    assert with_fields("printed", '{"page": 7, "of": "a book"}') == 'printed page=7 of="a book"'
    assert with_fields("printed", "{}") == "printed"
    assert with_fields("sizes", r'{"\udce9\n": 1}') == r"sizes \udce9\n=1", "any JSON can carry it"


@pytest.mark.parametrize("fields", ["", '{"page": ', "[1]", "[" * 100_000])
def test_fields_that_are_none_leave_the_line_as_it_is(fields: str) -> None:
    assert with_fields("printed", fields) == "printed"
