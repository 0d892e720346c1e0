"""Durable functions of twenty steps, while workers, API and supervisor are killed at random.

Half of the signals come before a function waits for them, the others afterwards.
`DURABLE_FUNCTIONS=500` is the full number; `--long` sets it. `CHAOS_SEED=N`: other faults.
"""

import contextlib
import os
import random
import threading
from collections import Counter
from collections.abc import Callable

import psutil
import pytest

from orpheus.shared.storage import open_store
from tests.chaos.durable import MODULES, POOLS, LongStories
from tests.chaos.harness import Orpheus, show
from tests.machine import slowness

SEED = int(os.environ.get("CHAOS_SEED", "1"))
FUNCTIONS = int(os.environ.get("DURABLE_FUNCTIONS", "40"))
LEAST_FAULTS = 6
DRAIN_BOUND_S = 30 + FUNCTIONS * 0.5


class Kills:
    """Kills a process of an Orpheus."""

    def __init__(self, orpheus: Orpheus, chance: random.Random) -> None:
        self._orpheus = orpheus
        self._chance = chance
        self.first = ["worker", "api", "supervisor", "everything"]
        self.done: Counter[str] = Counter()

    def strike(self) -> None:
        """Kill something: first, each once."""
        what = (
            self.first.pop()
            if self.first
            else self._chance.choices(["worker", "api", "supervisor", "everything"], [8, 2, 1, 1])[
                0
            ]
        )
        self.done[what] += 1
        if what == "everything":
            self._orpheus.kill_everything()
            self._orpheus.start()
        elif what == "supervisor":
            self._orpheus.kill_supervisor()
            self._orpheus.start()
        else:
            kill_child(self._orpheus, what, self._chance)


def kill_child(orpheus: Orpheus, program: str, chance: random.Random) -> None:
    """Kill one of the processes of a program."""
    with contextlib.suppress(psutil.NoSuchProcess):
        found = [one for one in orpheus.supervisor.children() if program in one.cmdline()]
        if found:
            chance.choice(found).kill()


@pytest.mark.timeout(300 + 3 * DRAIN_BOUND_S)
def test_each_function_ends_once_and_does_nothing_kept_again(
    start: Callable[..., Orpheus],
) -> None:
    show(f"Durable functions: CHAOS_SEED={SEED} DURABLE_FUNCTIONS={FUNCTIONS}")
    chance = random.Random(SEED)
    pools = {"pools.beside.workers": "2", "pools.beside.concurrency": "4"}
    orpheus = start(MODULES | pools | {"pools.beside.queues": '["default"]'})
    orpheus.until_ready()
    url = f"sqlite:///{orpheus.database}"
    with contextlib.closing(open_store(url, pools=POOLS)) as store:
        stories = LongStories(store, orpheus.folder)
        stories.submit(orpheus, FUNCTIONS)
        kills = Kills(orpheus, chance)
        while sum(kills.done.values()) < LEAST_FAULTS or stories.are_unsent():
            stories.send_signals()
            threading.Event().wait(chance.uniform(0.1, 0.8))
            kills.strike()
        orpheus.until_healed()
        stories.check(DRAIN_BOUND_S * slowness())
    show(f"{FUNCTIONS} functions; killed: {dict(kills.done)}")
    assert orpheus.stop() in (0, 4)
