"""Quantities in words."""

import pytest

from orpheus.shared.domain.words import ago, without_durations


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-7200, "in 2 h"),
        (-8, "in 8 s"),
        (-5, "just now"),
        (0.9, "just now"),
        (1, "1 s ago"),
        (42, "40 s ago"),
        (60, "1 min ago"),
        (7500, "2 h ago"),
    ],
)
def test_just_now_is_within_a_second_and_a_time_that_is_still_to_come_is_told_as_such(
    seconds: float, told: str
) -> None:
    assert ago(seconds) == told


def test_a_text_that_only_grows_older_stays_equal() -> None:
    texts = {without_durations(f"drained by ada {ago(age)}") for age in (0, 7, 42, 3600)}
    assert len(texts) == 1
