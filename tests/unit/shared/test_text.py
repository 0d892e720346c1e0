"""Text from outside on a terminal."""

from orpheus.shared.text import printable


def test_what_can_be_seen_is_left_alone() -> None:
    assert printable("Grüße, 世界 \\n") == "Grüße, 世界 \\n"


def test_what_cannot_be_seen_is_escaped() -> None:
    assert printable("a\n\x1b[0m\u202e\ud800") == "a\\n\\x1b[0m\\u202e\\ud800"
