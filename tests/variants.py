"""Which variants of a test every run has, and which only one with `--long` (docs/testing.md)."""

from collections.abc import Iterable
from typing import Any

import pytest


def variants(all_of_them: Iterable[Any], *usual: Any) -> list[Any]:
    """Return values for `parametrize`: all are run with `--long`, and otherwise the usual ones.

    Each is a tuple where `parametrize` has several names.

    Raises:
        AssertionError: a usual one is not among all of them.
    """
    values = list(all_of_them)
    assert all(one in values for one in usual)
    return [one if one in usual else _long(one) for one in values]


def _long(value: Any) -> Any:
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, marks=pytest.mark.long)
