"""What has outlived its rules goes by itself: under a supervisor, and under a worker alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store

ROOT = Path(__file__).parents[2]
SETTINGS = (
    "retention.done=10000",
    "retention.cancelled=0",
    "retention.events=1000",
    "api.enabled=false",
    "pools.default.workers=1",
)


EVENTS_OF_A_JOB = 10
"""More than `kept` has: its own may come after the sweep, and stay until the next one."""


def is_swept(store: Store) -> bool:
    kept = store.events.last_seq() - store.events.oldest_seq() + 1
    return not store.stats.counts()[Status.CANCELLED] and kept <= 1_000 + EVENTS_OF_A_JOB


@pytest.mark.parametrize("program", ["supervisor", "worker"])
def test_whoever_runs_sweeps(program: str, tmp_path: Path, wait_for: Callable[..., Any]) -> None:
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    store = open_store(url, create=True, durable=False)
    kept = store.jobs.submit(NewJob("sum_range", '{"n": 3}')).job.id
    with store.write(durable=False):
        for job_id in store.jobs.submit_many([NewJob("sum_range", '{"n": 3}')] * 1_500):
            store.jobs.cancel(job_id)
    sets = [part for one in (f"database.url={url}", *SETTINGS) for part in ("--set", one)]
    with subprocess.Popen(
        [sys.executable, "-m", program, *sets],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("ORPHEUS_")},
    ) as process:
        try:
            wait_for(lambda: is_swept(store), "everything to be swept")
            if program == "supervisor":
                told = "SELECT value FROM supervisor_gauges WHERE name = 'retention_lag_s'"
                wait_for(lambda: store._database.value(told) == 0, "that nothing is late")
            wait_for(lambda: store.jobs.get(kept).status is Status.DONE, "the job that is left")
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert store.maintenance.verify() == []
    store.close()
