"""The store's verbs against a dictionary: whatever is called in whatever order, both agree."""

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.machine import (
    MACHINE_BACKOFF,
    StoreMachine,
    machine_on,
    machine_settings,
)
from tests.simulation.postgres_world import PostgresWorld
from tests.simulation.world import World

EXAMPLES = int(os.environ.get("EXAMPLES", "20"))
EXAMPLES_ON_POSTGRES = int(os.environ.get("EXAMPLES_ON_POSTGRES", "3"))


@pytest.fixture
def machine() -> Iterator[type[StoreMachine]]:
    world = World(MACHINE_BACKOFF)
    yield machine_on(world)
    world.close()


@pytest.fixture
def machine_on_postgres(
    new_database: Callable[..., str], orpheus_template: str
) -> Iterator[type[StoreMachine]]:
    world = PostgresWorld(new_database(f"TEMPLATE {orpheus_template}"), MACHINE_BACKOFF)
    yield machine_on(world)
    world.close()


def test_the_store_does_what_a_dictionary_does(machine: type[StoreMachine]) -> None:
    run_state_machine_as_test(machine, settings=machine_settings(EXAMPLES))


def test_so_it_does_on_postgresql(machine_on_postgres: type[StoreMachine]) -> None:
    run_state_machine_as_test(machine_on_postgres, settings=machine_settings(EXAMPLES_ON_POSTGRES))
