"""Many schedules of clients, workers and a supervisor on the real store, with faults.

`SCHEDULES=20000 SEED=5000` runs that many, from that seed on. A failure prints its seed:
`SCHEDULES=1 SEED=<it> pytest tests/simulation/test_simulation.py` runs it again.
"""

import os
from collections.abc import Iterator

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Outcome
from tests.simulation.schedule import (
    Ran,
    kind_of,
    nothing_expires_because_all_stand_still,
    run_schedule,
)
from tests.simulation.world import World

SCHEDULES = int(os.environ.get("SCHEDULES", "60"))
STANDSTILLS = int(os.environ.get("STANDSTILLS", "5"))
FIRST_SEED = int(os.environ.get("SEED", "0"))
ENOUGH = 60  # the rarest of what can happen comes in every twelfth schedule
PARTS = 4 if SCHEDULES >= 400 else 1
JOB_KINDS = {kind for kind in Kind if kind.startswith("job.") and kind is not Kind.JOB_PROGRESS}
TYPE_KINDS = {Kind.TYPE_QUARANTINED, Kind.TYPE_RELEASED}
FAULTS = {
    "crash",
    "busy",
    "full",
    "stopped",
    "wall clock jumps",
    "reboot",
    "all stand still",
    "goes first",
    "submit: the API died",
    "submit: the answer is lost",
}


def what_it_reached(ran: Ran, world: World) -> Iterator[str]:
    """Yield the kinds of events, the outcomes of attempts, and what the engine and clients did."""
    yield from (str(event[2]) for event in ran.events)
    yield from (what for _, _, what, _ in ran.trace)
    yield from (row[0] for row in world.look("SELECT DISTINCT outcome FROM attempts"))


@pytest.mark.timeout(300 + SCHEDULES // 10)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_schedule_keeps_the_invariants(world: World, part: int) -> None:
    """And together they reach every kind of event, outcome and fault."""
    seeds = range(FIRST_SEED + part, FIRST_SEED + SCHEDULES, PARTS)
    reached: set[str] = set()
    for seed in seeds:
        reached.update(what_it_reached(run_schedule(world, seed, kind=kind_of(seed)), world))
    if len(seeds) >= ENOUGH:
        expected = {*JOB_KINDS, *Outcome, *FAULTS, "schedule.fired", "queue.paused", *TYPE_KINDS}
        assert expected - reached == set()


def test_nothing_expires_because_all_stand_still(world: World) -> None:
    nothing_expires_because_all_stand_still(world, STANDSTILLS)


def test_a_seed_gives_the_same_trace_again(world: World, new_world: World) -> None:
    seeds = range(1, 3)
    first = [run_schedule(world, seed, kind=kind_of(seed)) for seed in seeds]
    again = [run_schedule(new_world, seed, kind=kind_of(seed)) for seed in reversed(seeds)]
    assert again == first[::-1]
    assert first[0] != first[1]
