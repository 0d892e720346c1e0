"""The world that schedules run in: one database file for many of them."""

from collections.abc import Iterator

import pytest

from tests.simulation.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Emptied by each schedule."""
    one = World()
    yield one
    one.close()


@pytest.fixture
def new_world() -> Iterator[World]:
    """For a test that breaks it."""
    one = World()
    yield one
    one.close()
