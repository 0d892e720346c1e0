"""The world that schedules run in: one database for many of them."""

from collections.abc import Callable, Iterator

import pytest

from tests.simulation.postgres_world import PostgresWorld
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


@pytest.fixture
def postgres_world(new_database: Callable[..., str], orpheus_template: str) -> Iterator[World]:
    """Emptied by each schedule."""
    one = PostgresWorld(new_database(f"TEMPLATE {orpheus_template}"))
    yield one
    one.close()
