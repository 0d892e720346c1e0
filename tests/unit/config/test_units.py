"""Sizes are bytes, or text with a binary unit."""

import pytest

from orpheus.config.units import parse_size_bytes


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [(1, 1), ("64KiB", 65_536), ("1 MiB", 2**20), ("2GiB", 2**31), ("100", 100), ("5B", 5)],
)
def test_a_size_is_read(written: object, size_bytes: int) -> None:
    assert parse_size_bytes(written) == size_bytes


@pytest.mark.parametrize("written", ["1MB", "MiB", "1.5MiB", "-1", "", True, 1.0, None, []])
def test_anything_else_is_refused_with_a_sentence(written: object) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size_bytes(written)
