"""Several real processes on one database: nothing is leased twice, nothing is lost."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import open_store

JOBS = 800
WORKER = """
import sys
from orpheus.shared.domain.jobs import Holder
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import open_store

url, name = sys.argv[1:]
store = open_store(url)
holder = Holder(name, name, 1)
held = []
while True:
    with store.write(durable=False):
        store.leases.finish([Finished(lease, Ending.SUCCEEDED, "null") for lease in held])
        held = store.leases.lease(holder, ("*",), 7, 30_000)
    for lease in held:
        print(lease.job_id)
    if not held:
        break
"""

SUBMITTER = """
import sys
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_store

store = open_store(sys.argv[1])
for n in range(60):
    print(store.jobs.submit(NewJob("noop", unique_key=f"key-{n}")).created)
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all have the doorbells of a database that is no file."""
    monkeypatch.chdir(tmp_path)


def start(code: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_four_processes_lease_every_job_exactly_once(url: str) -> None:
    store = open_store(url, create=True)
    store.jobs.submit_many([NewJob("noop", priority=n % 3) for n in range(JOBS)])
    workers = [start(WORKER, url, f"w-{n}") for n in range(4)]
    leased = Counter(
        line for worker in workers for line in worker.communicate(timeout=60)[0].split()
    )
    assert all(worker.returncode == 0 for worker in workers)
    assert len(leased) == JOBS
    assert set(leased.values()) == {1}
    assert store.stats.counts()[Status.DONE] == JOBS
    seqs = [event.seq for event in store.events.after(0, 100_000)]
    assert seqs == list(range(1, 3 * JOBS + 1))
    store.close()


def test_racing_submitters_make_one_job_for_each_unique_key(url: str) -> None:
    store = open_store(url, create=True)
    racers = [start(SUBMITTER, url) for _ in range(3)]
    answers = [line for racer in racers for line in racer.communicate(timeout=60)[0].split()]
    assert answers.count("True") == 60
    assert store.stats.counts()[Status.PENDING] == 60
    store.close()


def test_processes_that_open_a_new_database_together_all_succeed(url: str) -> None:
    code = (
        "import sys; from orpheus.shared.storage import open_store; "
        "open_store(sys.argv[1], create=True)"
    )
    racers = [start(code, url) for _ in range(4)]
    for racer in racers:
        racer.communicate(timeout=60)
    assert [racer.returncode for racer in racers] == [0] * 4
