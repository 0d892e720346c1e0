"""What has outlived its rules goes by itself: under a supervisor, and under a worker alone."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store
from tests.integration.commands import program

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


@pytest.mark.parametrize("name", ["supervisor", "worker"])
def test_whoever_runs_sweeps(name: str, tmp_path: Path, wait_for: Callable[..., Any]) -> None:
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    store = open_store(url, create=True, durable=False)
    kept = store.jobs.submit(NewJob("sum_range", '{"n": 3}')).job.id
    with store.write(durable=False):
        for job_id in store.jobs.submit_many([NewJob("sum_range", '{"n": 3}')] * 1_500):
            store.jobs.cancel(job_id)
    with program(name, f"database.url={url}", *SETTINGS) as process:
        try:
            wait_for(lambda: is_swept(store), "everything to be swept")
            if name == "supervisor":
                told = "SELECT value FROM supervisor_gauges WHERE name = 'retention_lag_s'"
                wait_for(lambda: store._database.value(told) == 0, "that nothing is late")
            wait_for(lambda: store.jobs.get(kept).status is Status.DONE, "the job that is left")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode == 0
        finally:
            process.kill()
    assert store.maintenance.verify() == []
    store.close()
