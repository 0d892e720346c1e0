"""1,000 schedules of clients, workers and a supervisor on the real store, with faults.

`SCHEDULES=20000 SEED=5000` runs that many, from that seed on. A failure prints its seed:
`SCHEDULES=1 SEED=<it> pytest tests/simulation/test_simulation.py` runs it again.
"""

import os
from collections import Counter

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Outcome
from tests.simulation.schedule import nothing_expires_because_all_stand_still, run_schedule
from tests.simulation.world import World

SCHEDULES = int(os.environ.get("SCHEDULES", "1000"))
FIRST_SEED = int(os.environ.get("SEED", "0"))
PARTS = 8
JOB_KINDS = {kind for kind in Kind if kind.startswith("job.") and kind is not Kind.JOB_PROGRESS}
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


@pytest.mark.timeout(120 + SCHEDULES // 10)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_schedule_keeps_the_invariants(world: World, part: int) -> None:
    for seed in range(FIRST_SEED + part, FIRST_SEED + SCHEDULES, PARTS):
        run_schedule(world, seed)


def test_nothing_expires_because_all_stand_still(world: World) -> None:
    nothing_expires_because_all_stand_still(world)


def test_a_seed_gives_the_same_trace_again(world: World, new_world: World) -> None:
    seeds = range(25)
    first = [run_schedule(world, seed) for seed in seeds]
    assert [run_schedule(new_world, seed) for seed in reversed(seeds)] == first[::-1]
    assert first[0] != first[1]


def test_schedules_reach_every_kind_of_event_outcome_and_fault(world: World) -> None:
    seen: Counter[object] = Counter()
    for seed in range(75):  # the rarest comes in every twelfth
        ran = run_schedule(world, seed)
        seen.update(event[2] for event in ran.events)
        seen.update(what for _, _, what, _ in ran.trace)
        seen.update(row[0] for row in world.look("SELECT outcome FROM attempts"))
    for expected in (JOB_KINDS, set(Outcome), FAULTS, {"schedule.fired", "queue.paused"}):
        assert not [one for one in expected if not seen[str(one)]]
