"""Which variants of a test every run has, and which only one with `--long` (docs/testing.md)."""

from collections.abc import Iterable
from typing import Any

import pytest


def variants(all_of_them: Iterable[Any], *usual: Any) -> list[Any]:
    """Return values for `parametrize`: all are run with `--long`, and otherwise the usual ones.

    Raises:
        AssertionError: a usual one is not among all of them.
    """
    values = list(all_of_them)
    assert all(one in values for one in usual)
    return [one if one in usual else pytest.param(one, marks=pytest.mark.long) for one in values]
