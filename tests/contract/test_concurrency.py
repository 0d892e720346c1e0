"""Several real processes on one database: nothing is leased twice, nothing is lost."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import open_store

JOBS = 800
# Each program imports what it needs once, and forks children that run at once.
RACE = """
import os, signal, sys

children = []
for number in range(int(sys.argv[2])):
    if not (child := os.fork()):
        race(number)
        os._exit(0)
    children.append(child)
assert not any([os.waitpid(child, 0)[1] for child in children])
"""
WORKER = """
import os, sys
from orpheus.shared.domain.jobs import Holder
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import open_store

def race(number):
    store = open_store(sys.argv[1])
    holder = Holder(f"w-{number}", f"w-{number}", 1)
    held = []
    while True:
        with store.write(durable=False):
            store.leases.finish([Finished(lease, Ending.SUCCEEDED, "null") for lease in held])
            held = store.leases.lease(holder, ("*",), 7, 30_000)
        os.write(1, "".join(f"{lease.job_id}\\n" for lease in held).encode())
        if not held:
            break
"""

SUBMITTER = """
import os, sys
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_store

def race(number):
    store = open_store(sys.argv[1])
    for n in range(60):
        created = store.jobs.submit(NewJob("noop", unique_key=f"key-{n}")).created
        os.write(1, f"{created}\\n".encode())
"""

OPENER = """
import sys
from orpheus.shared.storage import open_store

def race(number):
    open_store(sys.argv[1], create=True)
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all have the doorbells of a database that is no file."""
    monkeypatch.chdir(tmp_path)


def race(code: str, url: str, processes: int) -> list[str]:
    """What so many processes print, word by word; all of them must succeed."""
    command = [sys.executable, "-c", code + RACE, url, str(processes)]
    raced = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return raced.stdout.split()


def test_four_processes_lease_every_job_exactly_once(url: str) -> None:
    store = open_store(url, create=True)
    store.jobs.submit_many([NewJob("noop", priority=n % 3) for n in range(JOBS)])
    leased = Counter(race(WORKER, url, 4))
    assert len(leased) == JOBS
    assert set(leased.values()) == {1}
    assert store.stats.counts()[Status.DONE] == JOBS
    seqs = [event.seq for event in store.events.after(0, 100_000)]
    assert seqs == list(range(1, 3 * JOBS + 1))
    store.close()


def test_racing_submitters_make_one_job_for_each_unique_key(url: str) -> None:
    store = open_store(url, create=True)
    answers = race(SUBMITTER, url, 3)
    assert answers.count("True") == 60
    assert store.stats.counts()[Status.PENDING] == 60
    store.close()


def test_processes_that_open_a_new_database_together_all_succeed(url: str) -> None:
    assert race(OPENER, url, 4) == []
