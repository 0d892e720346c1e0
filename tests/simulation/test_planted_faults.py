"""The test of the tests: each fault planted in the store turns a checker red, and soon."""

from collections.abc import Iterator

import pytest
from hypothesis import Phase
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.engine import Faults
from tests.simulation.machine import MACHINE_BACKOFF, machine_on, machine_settings
from tests.simulation.planted import FAULTS, FIRST_SEEDS, OF_FUNCTIONS, PLANTS, stalls_unnoticed
from tests.simulation.schedule import (
    FunctionSchedule,
    Schedule,
    ScheduleFailed,
    nothing_expires_because_all_stand_still,
    run_schedule,
)
from tests.simulation.world import World
from tests.variants import variants

MOST_SCHEDULES = 200
FOUND_BY_THE_MODEL = (
    "token check dropped",
    "late finish accepted",
    "order by id only",
    "unique key unchecked",
    "one retry too few",
    "counts not kept",
    "cell ignored",
    "expiry ignored",
    "keys free at the end",
    "started jobs replaced",
)
SOON_FOUND_BY_THE_MODEL = ("unique key unchecked",)


def run_many(world: World, faults: Faults | None, first_seed: int, kind: type[Schedule]) -> None:
    for seed in range(first_seed, first_seed + MOST_SCHEDULES):
        run_schedule(world, seed, faults, kind)


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_found(
    name: str, new_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, invariants = PLANTS[name]
    plant(monkeypatch, new_world)
    kind = FunctionSchedule if name in OF_FUNCTIONS else Schedule
    with pytest.raises(ScheduleFailed, match=rf"seed \d+: .*({invariants})"):
        run_many(new_world, FAULTS.get(name), FIRST_SEEDS.get(name, 0), kind)


def test_a_stall_that_is_not_noticed_expires_leases(
    new_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalls_unnoticed(monkeypatch, new_world)
    with pytest.raises(AssertionError, match="leases expired"):
        nothing_expires_because_all_stand_still(new_world, 5)


@pytest.fixture
def machine_world() -> Iterator[World]:
    world = World(MACHINE_BACKOFF)
    yield world
    world.close()


@pytest.mark.parametrize("name", variants(FOUND_BY_THE_MODEL, *SOON_FOUND_BY_THE_MODEL))
def test_the_model_finds_it_too(
    name: str, machine_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    PLANTS[name][0](monkeypatch, machine_world)
    only_generated = machine_settings(
        phases=(Phase.generate,), database=None, derandomize=True, report_multiple_bugs=False
    )
    # The second is that of a refusal which the model expects and the store does not give.
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run_state_machine_as_test(machine_on(machine_world), settings=only_generated)
