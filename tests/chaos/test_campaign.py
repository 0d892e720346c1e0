"""Mixed jobs under random faults; then everything heals and drains, and every invariant holds.

`CHAOS_SEED=N CHAOS_SECONDS=600 pytest tests/chaos/test_campaign.py` runs another, longer one. The
seed fixes jobs and faults and when they strike, not what the processes make of it.
"""

import contextlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.chaos.clients import Client, Subscriber, some_jobs
from tests.chaos.harness import (
    BEAT_TIMEOUT_S,
    LEASE_TTL_S,
    START_TIMEOUT_S,
    Orpheus,
    lives,
    show,
    until,
)
from tests.chaos.histories import ClientLog, Look
from tests.chaos.invariants import check_everything
from tests.machine import PATIENCE_S, slowness

SEED = int(os.environ.get("CHAOS_SEED", "1"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "40"))
WORKERS = 4
CLIENTS = 2
BATCH = 10
MOST_S = START_TIMEOUT_S + 5  # it may have been stopped while it started
LONG_STOP_S = BEAT_TIMEOUT_S + 1
SECRET = "hush-5f1d8c3e"
DRAIN_BOUND_S = 120.0


class Faults:
    """What may be done to a run, each by its name."""

    def __init__(self, orpheus: Orpheus, chance: random.Random) -> None:
        self._orpheus = orpheus
        self._chance = chance
        self.done: list[str] = []

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
        }
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
    orpheus = start({"pools.default.workers": str(WORKERS)})
    orpheus.until_ready()
    supervisor_fds = orpheus.supervisor.num_fds()
    log, faults = ClientLog(), Faults(orpheus, chance)
    subscriber = Subscriber(orpheus.url)
    subscriber.start()
    with clients_at_work(orpheus.url, log, chance):
        end_s = time.monotonic() + SECONDS
        while time.monotonic() < end_s:
            threading.Event().wait(chance.uniform(0.2, 1.5))
            faults.strike()
    orpheus.thaw_all()
    orpheus.until_ready()
    drained_s = orpheus.until_drained(DRAIN_BOUND_S)
    orpheus.until_ready()
    last_seq = _last_seq(orpheus)
    until(lambda: subscriber.seqs and subscriber.seqs[-1] >= last_seq, "the last event")
    subscriber.stop()
    n = sum(len(request.ids) for request in log.requests)
    faults_done = ", ".join(f"{name} {times}" for name, times in Counter(faults.done).items())
    show(f"{n} jobs, {len(log.answers)} answers; drained in {drained_s:.1f} s; {faults_done}")
    with orpheus.evidence(
        log,
        subscriber.seqs,
        supervisor_fds=supervisor_fds,
        drained_s=drained_s,
        drain_bound_s=DRAIN_BOUND_S,
        secret=SECRET,
    ) as evidence:
        check_everything(evidence)
    assert not subscriber.problems
    assert n >= 10 * SECONDS / slowness(), "too few jobs for the time"
    assert orpheus.stop() in (0, 4)


def _last_seq(orpheus: Orpheus) -> int:
    with Look(orpheus.database) as tables:
        return int(tables.look("SELECT max(seq) FROM events")[0][0])
