"""The same schedules on PostgreSQL, where several transactions are open at once.

`SCHEDULES_ON_POSTGRES=500 SEED=1000` runs that many, from that seed on. A failure prints its seed.
"""

import os

import pytest

from tests.simulation.postgres_world import PostgresWorld
from tests.simulation.schedule import kind_of, run_schedule

SCHEDULES = int(os.environ.get("SCHEDULES_ON_POSTGRES", "3"))
FIRST_SEED = int(os.environ.get("SEED", "0"))


@pytest.mark.timeout(120 + 10 * SCHEDULES)
def test_every_schedule_keeps_the_invariants(postgres_world: PostgresWorld) -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + SCHEDULES):
        run_schedule(postgres_world, seed, kind=kind_of(seed))
