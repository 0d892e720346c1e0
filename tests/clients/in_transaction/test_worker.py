"""A real worker runs the job of an application's transaction once that commits, and not before."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orpheus import Client
from orpheus.client import JobRequest
from orpheus.shared.errors import InvalidJob
from tests.machine import PATIENCE_S


@pytest.fixture
def config(folder: Path, postgresql_url: str) -> Iterator[Path]:
    """The configuration of a worker that runs alone."""
    path = folder / "orpheus.toml"
    path.write_text(f'[database]\nurl = "{postgresql_url}"\n')
    worker = subprocess.Popen(
        [sys.executable, "-m", "orpheus.worker", "--config", str(path)],
        cwd=folder,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("ORPHEUS_")},
    )
    yield path
    worker.terminate()
    worker.wait(PATIENCE_S)


def test_a_worker_runs_the_job_after_the_commit_only(
    config: Path, postgresql_url: str, wait_for: Callable[..., Any]
) -> None:
    def runs() -> bool:
        try:
            return client.wait(client.submit("wordcount", {"text": "a b"}), PATIENCE_S).ended
        except InvalidJob:  # it has not described its job types yet
            return False

    with (
        Client(config=config) as client,
        psycopg.connect(postgresql_url) as connection,
        Client(connection=connection, config=config) as in_transaction,
    ):
        wait_for(runs, "the worker")
        first = in_transaction.submit("sum_range", {"n": 4})
        flow = [
            JobRequest("sum_range", {"n": 5}, depends_on=(first.id,), ref="second"),
            JobRequest("sum_range", {"n": 6}, depends_on=("second",)),
        ]
        second, third = in_transaction.submit_many(flow)
        assert runs(), "others run meanwhile"
        assert in_transaction.get(first).status == "pending"
        connection.commit()
        assert client.wait(first, PATIENCE_S).result == {"sum": 10}
        assert client.wait(second, PATIENCE_S).result == {"sum": 15}
        assert client.wait(third, PATIENCE_S).result == {"sum": 21}
        kinds = [event.kind for event in client.events(second)]
        assert kinds == ["job.enqueued", "job.unblocked", "job.started", "job.done"]
