"""How figures are written for people."""

import pytest

from orpheus.supervisor.cli.output import duration, mebibytes, since


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (0, "0 s"),
        (0.012, "12 ms"),
        (1, "1 s"),
        (3.24, "3.2 s"),
        (60, "1 min"),
        (245, "4 min 5 s"),
        (7_380, "2 h 3 min"),
        (3_605, "1 h"),
        (439_200, "5 d 2 h"),
    ],
)
def test_a_span_of_time_is_told_in_the_units_that_matter(
    seconds: float | None, text: str | None
) -> None:
    assert duration(seconds) == text


def test_a_moment_is_told_from_now() -> None:
    assert since(1_000, 3_000) == "2 s ago"
    assert since(3_000, 1_000) == "in 2 s"
    assert since(None, 0) is None


def test_memory_is_told_in_mebibytes() -> None:
    assert mebibytes(44_565_504) == "42.5 MiB"
