"""200 jobs in five layers, 5 % failing, a worker killed every half second: all end as predicted."""

import random

import pytest

from orpheus.shared.domain.jobs import NewJob
from tests.simulation.clients import Client
from tests.simulation.dag import draw_graph, ends_of
from tests.simulation.engine import Faults, Steps, Wait
from tests.simulation.histories import LIVE
from tests.simulation.schedule import Schedule, run_schedule
from tests.simulation.world import World
from tests.variants import variants

SUCCEEDS = NewJob("asked", '{"does": "ok", "ms": 150}', max_retries=50)
FAILS = NewJob("asked", '{"does": "permanent", "ms": 20}', max_retries=50)
FAULTS = Faults(preempt=0.02, stop=0.01, wall_jump=0.002)
KILL_EVERY_MS = 500


class GraphSchedule(Schedule):
    """One client submits the graph and waits; somebody kills workers until all have ended."""

    def client_steps(self, chance: random.Random) -> list[Steps]:
        return [self._submit_and_wait(draw_graph(chance, SUCCEEDS, FAILS)), self._kill(chance)]

    def _submit_and_wait(self, graph: list[NewJob]) -> Steps:
        yield from Client(self.simulation, self.clients, 0).submit_graph(graph)
        while self._is_live():
            yield Wait(500)
        ends = [self.fold.jobs[job_id].status for job_id in self.clients.requests[0].ids]
        assert ends == ends_of(graph, FAILS)

    def _kill(self, chance: random.Random) -> Steps:
        while not self.fold.jobs or self._is_live():
            lives = [life.actor for life in self.supervisor.living() if life.actor is not None]
            if lives:
                self.simulation.kill(chance.choice(lives))
            yield Wait(KILL_EVERY_MS)

    def _is_live(self) -> bool:
        return any(
            job.status in LIVE for job in self.fold.jobs.values() if job.body["type"] == "asked"
        )


@pytest.mark.parametrize("seed", variants(range(5), 0))
def test_a_graph_ends_as_predicted_while_workers_are_killed(world: World, seed: int) -> None:
    ran = run_schedule(world, seed, FAULTS, GraphSchedule)
    assert sum(what == "dies" for _, _, what, _ in ran.trace) >= 10
