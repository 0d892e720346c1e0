"""The -shm file is deleted again and again under load, and processes start anew meanwhile."""

import os
import threading
from collections import Counter
from pathlib import Path

import httpx2

from orpheus.shared.storage import open_store
from tests.chaos.harness import LEASE_TTL_S, Orpheus, until

ROUNDS = 20 if os.environ.get("CHAOS_LONG") else 2
JOBS_PER_ROUND = 20
JOB = {"type": "asked", "payload": {"request": 0, "index": 0, "does": "nothing"}}


class Clients:
    """Three clients that submit jobs one by one and write down what was acknowledged."""

    def __init__(self, url: str) -> None:
        self.acknowledged: list[int] = []
        self.refused: Counter[int] = Counter()
        self._url = url
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._submit) for _ in range(3)]
        for thread in self._threads:
            thread.start()

    def _submit(self) -> None:
        with httpx2.Client(base_url=self._url, trust_env=False, timeout=40) as client:
            while not self._over.wait(0.03):
                answer = client.post("/jobs", json=JOB)
                if answer.status_code == 201:
                    self.acknowledged.append(int(answer.json()["id"]))
                else:
                    self.refused[answer.status_code] += 1

    def until_more(self, what: str) -> None:
        enough = len(self.acknowledged) + JOBS_PER_ROUND
        until(lambda: len(self.acknowledged) > enough, what)

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_no_acknowledged_job_is_lost_when_the_shm_file_is_deleted(orpheus: Orpheus) -> None:
    shm = Path(f"{orpheus.database}-shm")
    clients = Clients(orpheus.url)
    try:
        for _ in range(ROUNDS):
            pid = orpheus.slot()["pid"]
            clients.until_more("some jobs")
            shm.unlink()
            os.kill(pid, 9)  # the next worker opens the database while others have the old file
            clients.until_more("jobs after it")
            until(shm.exists, "a new file")
            orpheus.until_state("ready", not_pid=pid)
    finally:
        clients.stop()
    assert set(clients.refused) <= {503}, clients.refused
    orpheus.until_drained(60)
    assert len(set(clients.acknowledged)) == len(clients.acknowledged), "an id was given twice"
    store = open_store(f"sqlite:///{orpheus.database}")
    statuses = [store.jobs.get(one).status for one in clients.acknowledged]  # NotFound: lost
    problems = store.maintenance.verify()
    store.close()
    assert set(statuses) == {"done"}
    assert problems == []


def test_a_running_job_goes_on_and_writing_does_not_wait_for_its_end(orpheus: Orpheus) -> None:
    """Its main thread cannot close its connection; another thread of the worker does."""
    job_id = orpheus.submit("sleep", seconds=LEASE_TTL_S + 4)
    run = orpheus.until_entered(job_id)
    shm = Path(f"{orpheus.database}-shm")
    shm.unlink()
    until(shm.exists, "a new file")
    until(lambda: orpheus.client.post("/jobs", json=JOB).status_code == 201, "a job to be taken")
    assert orpheus.until_ended(orpheus.submit())["status"] == "done"
    assert orpheus.job(job_id)["status"] == "in_progress"
    assert orpheus.until_ended(job_id)["status"] == "done"
    assert [attempt["pid"] for attempt in orpheus.job(job_id)["attempts"]] == [run.pid]
