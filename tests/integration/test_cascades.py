"""The head of a long chain fails: a kill in the middle loses nothing, and others go on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store
from tests.variants import variants

ROOT = Path(__file__).parents[2]
LENGTH = int(os.environ.get("CHAIN_JOBS", "4000"))
BATCH = 10_000
LONG_S = 300.0  # what a busy machine may take for 30,000
SETTINGS = ("api.enabled=false", "pools.default.workers=1")
HEAD = NewJob("flaky", '{"failures": 9, "permanent": true}')


def submit_chain(store: Store) -> int:
    """Submit the chain without its head running; return the id of its head."""
    store.queues.pause("default")
    last = head = store.jobs.submit(HEAD).job.id
    while last < head + LENGTH - 1:
        length = min(BATCH, head + LENGTH - 1 - last)
        jobs = [NewJob("sleep", '{"seconds": 0}', ref="0", depends_on=(last,))]
        jobs += [
            NewJob("sleep", '{"seconds": 0}', ref=str(n), depends_on=(str(n - 1),))
            for n in range(1, length)
        ]
        last = store.jobs.submit_many(jobs)[-1]
    return head


def start(program: str, url: str) -> subprocess.Popen[bytes]:
    sets = [part for one in (f"database.url={url}", *SETTINGS) for part in ("--set", one)]
    return subprocess.Popen(
        [sys.executable, "-m", program, *sets],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("ORPHEUS_")},
    )


@pytest.fixture(scope="module")
def shared_chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A database with the chain, and the id of its head: each test has a copy."""
    database = tmp_path_factory.mktemp("chain") / "orpheus.db"
    store = open_store(f"sqlite:///{database}", create=True, durable=False)
    head = submit_chain(store)
    store.close()
    return database, head


@pytest.mark.parametrize("program", variants(["supervisor", "worker"], "worker"))
def test_a_long_cascade_survives_kills_and_lets_others_work(
    program: str, shared_chain: tuple[Path, int], tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    chain, head = shared_chain
    url = f"sqlite:///{shutil.copy(chain, tmp_path)}"
    store = open_store(url, durable=False)

    def cancelled() -> int:
        return store.stats.counts()[Status.CANCELLED]

    process = start(program, url)
    try:
        store.queues.resume("default")
        wait_for(cancelled, "the cascade to begin")
        process.kill()
        process.wait()
        assert store.maintenance.verify() == []
        other = store.jobs.submit(NewJob("sum_range", '{"n": 3}')).job.id
        process = start(program, url)
        wait_for(lambda: store.jobs.get(other).status is Status.DONE, "another job")
        wait_for(lambda: cancelled() == LENGTH - 1, "the whole chain to end", LONG_S)
        assert [one.outcome for one in store.jobs.attempts(head)] == ["failed"]
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert store.maintenance.verify() == []
    store.close()
