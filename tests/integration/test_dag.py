"""A graph of 200 jobs in real processes, workers killed all the while: it ends as predicted.

The usual run has it with the real store in tests/simulation, and real processes in the campaign of
tests/chaos, where one job in four waits for another.
"""

import itertools
import json
import os
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, Outcome
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.storage import Store, open_store
from tests.simulation.dag import draw_graph, ends_of

SETTINGS = (
    "pools.default.workers=3",
    "supervisor.crash_loop_failures=1000",
    "supervisor.restart_backoff_max=1s",
    "jobs.backoff_max=1s",
)
SUCCEEDS = NewJob("sleep", json.dumps({"seconds": 0.1}), max_retries=50)
FAILS = NewJob("flaky", json.dumps({"failures": 900, "permanent": True}), max_retries=50)
KILL_EVERY_S = 0.7


def wait_for_all(store: Store, system: Any, chance: random.Random) -> int:
    """Kill workers until every job has ended; how many times."""
    over = threading.Event()
    for turn in itertools.count():
        counts = store.stats.counts()
        if sum(counts[status] for status in TERMINAL) == sum(counts.values()):
            break
        assert turn < 120, counts
        system.kill_a_worker(chance)
        over.wait(KILL_EVERY_S)
    return turn


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_graph_ends_as_predicted_while_workers_are_killed(
    start_system: Callable[..., Any],
) -> None:
    chance = random.Random(int(os.environ.get("SEED", "1")))
    system = start_system(*SETTINGS)
    system.wait_until_ready()
    store = open_store(f"sqlite:///{system.database}", pools={"default": ("*",)})
    graph = draw_graph(chance, SUCCEEDS, FAILS)
    ids = store.jobs.submit_many(graph)
    assert wait_for_all(store, system, chance) >= 3
    jobs = [store.jobs.get(job_id) for job_id in ids]
    assert [job.status for job in jobs] == ends_of(graph, FAILS)
    outcomes = [attempt.outcome for job_id in ids for attempt in store.jobs.attempts(job_id)]
    assert Outcome.CRASHED in outcomes
    assert set(outcomes) <= {Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CRASHED, Outcome.LOST}
    store.close()
    assert system.stop(signal.SIGINT) == 0
    assert "Traceback" not in system.log()
