"""A job may change the current directory: nothing else of the worker depends on it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Status

Start = Callable[..., Any]
JOBS = Path(__file__).parent / "jobs"
"""Where the workers of these tests start."""


@pytest.fixture
def start(database: Any, start_alone: Start, tmp_path: Path) -> Start:
    """Starts a worker whose database and configuration file have relative paths."""
    config = tmp_path / "orpheus.toml"
    config.write_text("[jobs]\nmax_retries = 2\n")
    url = f"sqlite:///{os.path.relpath(database.file, JOBS)}"
    return lambda: start_alone({"database.url": url}, "--config", os.path.relpath(config, JOBS))


@pytest.fixture
def wander(database: Any, tmp_path: Path) -> Callable[..., Any]:
    """Runs a job that changes the directory; the job when it has ended."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    def run(spin: bool = False, **fields: Any) -> Any:
        payload = json.dumps({"folder": str(folder), "spin": spin})
        return database.wait(database.submit("wandering", payload, **fields))

    return run


def test_each_attempt_starts_where_the_worker_does_and_finds_the_database_also_after_restarts(
    database: Any,
    start: Start,
    wander: Callable[..., Any],
    tmp_path: Path,
    wait_for: Callable[..., Any],
) -> None:
    """A worker restarts itself after a timeout."""
    worker = start().wait_until_ready()
    wandered = [wander() for _ in range(2)]
    assert [one.status for one in wandered] == [Status.DONE] * 2
    assert [json.loads(one.result) for one in wandered] == [str(JOBS), str(JOBS)]
    assert database.wait(database.submit("nap")).status is Status.DONE
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert wander(spin=True, timeout_s=0.5, max_retries=1).status is Status.FAILED
    assert database.wait(database.submit("nap")).status is Status.DONE
    wait_for(lambda: worker.log().count("worker_ready") == 3, "two restarts")
