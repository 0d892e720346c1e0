"""Reloads, restarts, scaling and recycling under load: no job lost, no request refused."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.chaos.harness import Orpheus, show, until
from tests.chaos.histories import Look
from tests.machine import PATIENCE_S

Start = Callable[..., Orpheus]
TWO_WORKERS = {"pools.default.workers": "2"}
LONG = bool(os.environ.get("CHAOS_LONG"))
RELOADS = 1_000 if LONG else 5
RESTARTS = 200 if LONG else 8
AT_A_TIME = 2
STANDS_STILL = 30  # looks, one every 10 ms


@pytest.fixture
def by_file(orpheus: Orpheus) -> Iterator[Orpheus]:
    """With a file, and two workers, also afterwards."""
    yield orpheus
    if not orpheus.settings.items() >= TWO_WORKERS.items():
        orpheus.configure(TWO_WORKERS)
        until(lambda: len(orpheus.workers()) == 4, "two workers again")


class Load:
    """Two clients that submit short jobs, each on a connection of its own."""

    def __init__(self, orpheus: Orpheus) -> None:
        self._orpheus = orpheus
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._submit) for _ in range(2)]
        self.ids: list[int] = []
        self.problems: list[str] = []
        for one in self._threads:
            one.start()

    def _submit(self) -> None:
        job = {"type": "asked", "payload": {"request": 0, "index": 0, "does": "nothing"}}
        while not self._over.wait(0.05):
            try:
                with httpx2.Client(trust_env=False, verify=False, timeout=40) as client:
                    answer = client.post(f"{self._orpheus.url}/jobs", json=job)
            except httpx2.TransportError as error:
                self.problems.append(repr(error))
                continue
            if answer.status_code == 201:
                self.ids.append(int(answer.json()["id"]))
            else:
                self.problems.append(f"{answer.status_code} {answer.text}")

    def stop(self) -> None:
        self._over.set()
        for one in self._threads:
            one.join()


@contextmanager
def under_load(orpheus: Orpheus) -> Iterator[Load]:
    """At the end every job was run once, and no request was refused."""
    load = Load(orpheus)
    try:
        yield load
    finally:
        load.stop()
    assert not load.problems
    orpheus.until_drained(PATIENCE_S)
    with Look(orpheus.database) as tables:
        rows = tables.look(
            "SELECT status, count(*) FROM jobs WHERE type = 'asked' AND id >= ? GROUP BY status",
            min(load.ids),
        )
        outcomes = tables.look(
            "SELECT outcome, count(*) FROM attempts WHERE job_id >= ? GROUP BY outcome",
            min(load.ids),
        )
    assert rows == [("done", len(load.ids))]
    assert outcomes == [("succeeded", len(load.ids))]


def worker_pids(orpheus: Orpheus) -> set[int]:
    """Of the workers that are ready."""
    slots = orpheus.workers().values()
    return {one["pid"] for one in slots if one["pool"] and one["state"] == "ready"}


def descriptors_and_threads(orpheus: Orpheus) -> tuple[int, int]:
    """How many the supervisor has, once the number stands still."""
    supervisor = orpheus.supervisor
    found: deque[tuple[int, int]] = deque(maxlen=STANDS_STILL)

    def stands() -> bool:
        found.append((supervisor.num_fds(), supervisor.num_threads()))
        return len(found) == STANDS_STILL and len(set(found)) == 1

    until(stands, "the number of descriptors to stand still")
    return found[-1]


@pytest.mark.long  # policy/test_fleet.py retries a fatal slot; test_deployments.py mends real code
def test_every_slot_fails_to_import_then_the_module_is_mended_and_reloaded(
    by_file: Orpheus,
) -> None:
    orpheus = by_file
    job_id = orpheus.submit("sleep", seconds=0.5)
    orpheus.until_entered(job_id)
    (orpheus.folder / "break").touch()
    for pid in worker_pids(orpheus):
        os.kill(pid, signal.SIGKILL)
    for slot in ("default-1", "default-2"):
        orpheus.until_state("fatal", slot)
        assert "broken, as the test wants it" in orpheus.slot(slot)["reason"]
    (orpheus.folder / "break").unlink()
    orpheus.supervisor.send_signal(signal.SIGHUP)
    orpheus.until_ready()
    assert orpheus.until_ended(job_id)["status"] == "done"


def assert_no_more(before: tuple[int, int], after: tuple[int, int]) -> None:
    """The first wait for the write lock opens two descriptors, which stay: no others may come."""
    assert after[0] <= before[0] + 2
    assert after[1] <= before[1]


@pytest.mark.timeout(1200 if LONG else 300)
def test_many_reloads_leave_descriptors_and_threads_as_they_were(by_file: Orpheus) -> None:
    orpheus = by_file
    workers = worker_pids(orpheus)
    reload(orpheus, 2)
    before = descriptors_and_threads(orpheus)
    reload(orpheus, RELOADS)
    after = descriptors_and_threads(orpheus)
    show(f"{RELOADS} reloads: {before} descriptors and threads before, {after} after")
    assert_no_more(before, after)
    assert worker_pids(orpheus) == workers, "nothing of theirs has changed"


def reload(orpheus: Orpheus, times: int) -> None:
    """By SIGHUP, and every fifth time by saving the file with another retention."""
    done = orpheus.log().count('"config_reloaded"')
    for number in range(done + 1, done + times + 1):
        if number % 5:
            orpheus.supervisor.send_signal(signal.SIGHUP)
        else:
            orpheus.configure({"retention.events": str(1_000_000 + number)})
        _until_told(orpheus, number)


def _until_told(orpheus: Orpheus, reloads: int) -> None:
    told = f"reload {reloads}"
    until(lambda: orpheus.log().count('"config_reloaded"') >= reloads, told)


@pytest.mark.long  # integration/supervisor/test_recovery.py has the same of a light child
@pytest.mark.timeout(600 if LONG else 300)
def test_many_restarts_leave_descriptors_and_threads_as_they_were(by_file: Orpheus) -> None:
    orpheus = by_file
    kill_all_workers(orpheus)
    before = descriptors_and_threads(orpheus)
    for _ in range(RESTARTS // AT_A_TIME):
        kill_all_workers(orpheus)
    after = descriptors_and_threads(orpheus)
    show(f"{RESTARTS} restarts: {before} descriptors and threads before, {after} after")
    assert_no_more(before, after)


def kill_all_workers(orpheus: Orpheus) -> None:
    """And wait until others are ready in their place."""
    dead = worker_pids(orpheus)
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(worker_pids(orpheus) - dead) == len(dead), "every worker to be ready")


def test_a_rolling_restart_under_load_loses_no_job_and_refuses_no_request(by_file: Orpheus) -> None:
    orpheus = by_file
    before = {name: one["pid"] for name, one in orpheus.workers().items()}
    with under_load(orpheus) as load:
        until(lambda: len(load.ids) > 20, "the load")
        orpheus.supervisor.send_signal(signal.SIGUSR2)
        for name, pid in before.items():
            if name != "supervisor":
                orpheus.until_state("ready", name, not_pid=pid)

    def reasons() -> set[str]:
        exits = [
            one["last_exit"] for name, one in orpheus.workers().items() if name != "supervisor"
        ]
        return {one["reason"] if one else "" for one in exits}

    # The API that was replaced ends once its clients have their answers.
    until(lambda: reasons() == {"replaced"}, "each process to be replaced")


@pytest.mark.long  # integration/supervisor/test_reload.py has each, and test_orders.py TTIN
def test_pools_that_grow_and_shrink_under_load_lose_no_job(by_file: Orpheus) -> None:
    orpheus = by_file
    with under_load(orpheus) as load:
        until(lambda: len(load.ids) > 10, "the load")
        for workers in (4, 1):
            answer = orpheus.client.post("/pools/default/scale", json={"workers": workers})
            assert answer.status_code == 202
            _until_workers(orpheus, workers)
        orpheus.supervisor.send_signal(signal.SIGTTIN)
        _until_workers(orpheus, 2)
        orpheus.configure({"pools.default.workers": "3"})
        _until_workers(orpheus, 3)
    until(lambda: len(orpheus.workers()) == 5, "no slot more than is wanted")


def _until_workers(orpheus: Orpheus, n: int) -> None:
    until(lambda: len(worker_pids(orpheus)) == n, f"{n} workers")


@pytest.mark.long  # integration/worker/test_supervised.py recycles one after its job
def test_workers_recycled_under_load_lose_no_job(start: Start) -> None:
    orpheus = start({"pools.default.max_jobs": "30"})
    orpheus.until_ready()
    before = worker_pids(orpheus)
    with under_load(orpheus):
        until(lambda: not worker_pids(orpheus) & before, "both to have been replaced")
    orpheus.until_ready()
    exits = [one["last_exit"] for one in orpheus.workers().values() if one["pool"]]
    assert all("max_jobs" in one["reason"] for one in exits)
    assert orpheus.stop() == 0
