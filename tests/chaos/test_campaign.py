"""Mixed jobs under random faults; then everything heals and drains, and every invariant holds.

First, each fault strikes once that may well lose something: deaths, and what becomes of the files.
`CHAOS_SEED=N CHAOS_SECONDS=600 pytest tests/chaos/test_campaign.py` runs another, longer one. The
seed fixes jobs and faults and when they strike, not what the processes make of it.
"""

import contextlib
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.chaos.applications import Applications
from tests.chaos.checked import WatchedRun
from tests.chaos.clients import KEYED, MOST_OF_A_KEY, SHARED, Client, some_jobs
from tests.chaos.harness import (
    BEAT_TIMEOUT_S,
    LEASE_TTL_S,
    START_TIMEOUT_S,
    Orpheus,
    lives,
    show,
)
from tests.chaos.histories import ClientLog
from tests.machine import PATIENCE_S, slowness

SEED = int(os.environ.get("CHAOS_SEED", "1"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "10"))
WORKERS = 2
"""Of each of two pools: one job at a time, and four at once."""
CLIENTS = 2
BATCH = 10
MOST_S = START_TIMEOUT_S + 5  # it may have been stopped while it started
LONG_STOP_S = BEAT_TIMEOUT_S + 1
SECRET = "hush-5f1d8c3e"
DRAIN_BOUND_S = 120.0


class Faults:
    """What may be done to a run, each by its name."""

    def __init__(self, orpheus: Orpheus, applications: Applications, chance: random.Random) -> None:
        self._orpheus = orpheus
        self._applications = applications
        self._chance = chance
        self.done: list[str] = []
        self.first = [
            self.kill_a_worker,
            self.kill_the_api,
            self.kill_everything,
            self.stop_a_worker,
            self.delete_the_index_of_the_wal,
            self.move_the_database_away_while_a_worker_dies,
        ]
        chance.shuffle(self.first)

    def strike(self) -> None:
        """One of them."""
        weights = {
            self.kill_a_worker: 8,
            self.stop_a_worker: 6,
            self.stop_a_worker_again_and_again: 2,
            self.kill_the_api: 3,
            self.stop_the_api: 2,
            self.stop_the_supervisor: 2,
            self.kill_the_supervisor: 2,
            self.kill_the_supervisor_beside_a_stopped_worker: 1,
            self.kill_everything: 1,
            self.kill_the_application: 4,
            self.stop_everything: 2,
            self.delete_the_index_of_the_wal: 2,
            self.move_the_database_away_while_a_worker_dies: 2,
        }
        if self.first:
            fault = self.first.pop()
        else:
            fault = self._chance.choices(list(weights), list(weights.values()))[0]
        self.done.append(fault.__name__)
        with contextlib.suppress(psutil.NoSuchProcess):
            fault()

    def _pids(self, module: str) -> list[int]:
        found = []
        for child in self._orpheus.supervisor.children():
            with contextlib.suppress(psutil.Error):
                if module in child.cmdline():
                    found.append(child.pid)
        return sorted(found)

    def _a_worker(self) -> int:
        pids = self._pids("worker")
        if not pids:
            raise psutil.NoSuchProcess(0)
        return self._chance.choice(pids)

    def _the_api(self) -> int:
        pids = self._pids("api")
        if not pids:
            raise psutil.NoSuchProcess(0)
        return pids[0]

    def _while_stopped(self, pid: int) -> None:
        seconds = self._chance.choice((0.2, 1.0, LONG_STOP_S, LEASE_TTL_S))
        process = self._orpheus.freeze(pid)
        threading.Timer(seconds, _resume, (process,)).start()

    def kill_a_worker(self) -> None:
        psutil.Process(self._a_worker()).kill()

    def stop_a_worker(self) -> None:
        self._while_stopped(self._a_worker())

    def stop_a_worker_again_and_again(self) -> None:
        """Whoever continues it, it is stopped again: it must be ended."""
        process = self._orpheus.freeze(self._a_worker())
        end_s = time.monotonic() + MOST_S
        while lives(process) and time.monotonic() < end_s:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                    process.suspend()
            threading.Event().wait(0.02)
        assert not lives(process), f"a worker that stays stopped lives after {MOST_S} s"

    def kill_the_api(self) -> None:
        psutil.Process(self._the_api()).kill()

    def stop_the_api(self) -> None:
        self._while_stopped(self._the_api())

    def stop_the_supervisor(self) -> None:
        process = self._orpheus.freeze(self._orpheus.process.pid)
        threading.Event().wait(self._chance.choice((0.5, LONG_STOP_S, LEASE_TTL_S)))
        process.resume()

    def kill_the_supervisor(self) -> None:
        self._orpheus.kill_supervisor()
        threading.Event().wait(self._chance.choice((0, 0, 0.5, 2)))
        self._orpheus.start()

    def kill_the_supervisor_beside_a_stopped_worker(self) -> None:
        self._orpheus.freeze(self._a_worker())
        self.kill_the_supervisor()

    def kill_everything(self) -> None:
        self._orpheus.kill_everything()
        self._orpheus.start()

    def kill_the_application(self) -> None:
        self._applications.kill()

    def stop_everything(self) -> None:
        """For longer than a lease, as a paused container: nobody is to be blamed for it."""
        supervisor = self._orpheus.supervisor
        family = [supervisor, *supervisor.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        threading.Event().wait(LEASE_TTL_S + 1)
        for process in family:
            _resume(process)

    def delete_the_index_of_the_wal(self) -> None:
        """Whoever finds it missing stops writing: two indexes of one WAL would lose jobs."""
        Path(f"{self._orpheus.database}-shm").unlink(missing_ok=True)

    def move_the_database_away_while_a_worker_dies(self) -> None:
        """Its next process cannot open it; no other may be created in its place."""
        files = [Path(f"{self._orpheus.database}{end}") for end in ("", "-wal", "-shm")]
        there = [(file, file.rename(f"{file}.away")) for file in files if file.exists()]
        try:
            self.kill_a_worker()
            threading.Event().wait(self._chance.choice((0.2, 1, 3)))
        finally:
            for file, away in there:
                assert not file.exists() or file.name.endswith("-shm"), f"{file} was created anew"
                away.rename(file)


def _resume(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.resume()


def _be_a_client(client: Client, chance: random.Random, over: threading.Event) -> None:
    """Submit, and cancel one in ten, until it is over."""
    while not over.is_set():
        ids = client.submit(some_jobs(chance, BATCH, SECRET))
        for job_id in ids:
            if chance.random() < 0.1:
                client.cancel(job_id)
        over.wait(chance.uniform(0.2, 1.0))
    client.close()


@contextlib.contextmanager
def clients_at_work(url: str, log: ClientLog, chance: random.Random) -> Iterator[None]:
    """Clients that submit and cancel meanwhile; at the end what was not answered is undecided."""
    over = threading.Event()
    clients = [
        threading.Thread(
            target=_be_a_client, args=(Client(url, log, over), random.Random(chance.random()), over)
        )
        for _ in range(CLIENTS)
    ]
    for one in clients:
        one.start()
    try:
        yield
    finally:
        over.set()
        for one in clients:
            one.join(PATIENCE_S)


@pytest.mark.timeout(SECONDS + 400)
def test_nothing_is_lost_whatever_strikes(start: Callable[..., Orpheus]) -> None:
    show(f"Campaign: CHAOS_SEED={SEED} CHAOS_SECONDS={SECONDS:g}")
    chance = random.Random(SEED)
    orpheus = start(
        {
            "pools.default.workers": str(WORKERS),
            "pools.beside.workers": str(WORKERS),
            "pools.beside.concurrency": "4",
            "pools.beside.queues": json.dumps(SHARED),
            f"queues.{KEYED}.max_running_per_key": str(MOST_OF_A_KEY),
        }
    )
    watched = WatchedRun(orpheus)
    log = watched.log
    with (
        Applications(orpheus.folder, f"sqlite:///{orpheus.database}") as applications,
        clients_at_work(orpheus.url, log, chance),
    ):
        faults = Faults(orpheus, applications, chance)
        end_s = time.monotonic() + SECONDS
        while faults.first or time.monotonic() < end_s:
            threading.Event().wait(chance.uniform(0.2, 1.5))
            faults.strike()
    log.requests += applications.requests()
    drained_s = watched.check_once_healed(DRAIN_BOUND_S, SECRET)
    n = sum(len(request.ids) for request in log.requests)
    faults_done = ", ".join(f"{name} {times}" for name, times in Counter(faults.done).items())
    show(f"{n} jobs, {len(log.answers)} answers; drained in {drained_s:.1f} s; {faults_done}")
    assert n >= 10 * SECONDS / slowness(), "too few jobs for the time"
    assert orpheus.stop() in (0, 4)
