"""The store's verbs against a dictionary: whatever is called in whatever order, both agree."""

from collections.abc import Iterator

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.machine import (
    MACHINE_BACKOFF,
    StoreMachine,
    machine_on,
    machine_settings,
)
from tests.simulation.world import World


@pytest.fixture
def machine() -> Iterator[type[StoreMachine]]:
    world = World(MACHINE_BACKOFF)
    yield machine_on(world)
    world.close()


def test_the_store_does_what_a_dictionary_does(machine: type[StoreMachine]) -> None:
    run_state_machine_as_test(machine, settings=machine_settings())
