"""Programs as jobs under a supervisor: none outlives its worker, and none costs it its life."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import System, systems_below

WaitFor = Callable[..., Any]


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs write their pids."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def shared_system(shared_folder: Path) -> Iterator[System]:
    """With one worker and two shell scripts as job types; it ends in order after the tests."""
    leaving, deaf = shared_folder / "leaving", shared_folder / "deaf"
    scripts = {
        "leaving": f"setsid sleep 600 & echo $! >> {leaving}; echo $$ >> {leaving}; wait",
        "deaf": f"trap '' TERM; echo $$ > {deaf}; exec sleep 600",
    }
    commands = ", ".join(
        f'{{name="{name}", argv={json.dumps(["sh", "-c", script])}, max_retries=1}}'
        for name, script in scripts.items()
    )
    with systems_below(shared_folder) as start:
        settings = ("pools.default.workers=1", "jobs.cancel_grace=500ms")
        system = start(*settings, f"commands=[{commands}]")
        yield system
        assert system.stop(signal.SIGTERM) == 0


@pytest.fixture
def system(shared_system: System) -> System:
    """The same for all tests: each ends its job, and waits for its worker."""
    shared_system.wait_until_ready()
    return shared_system


def pids_in(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def test_a_program_whose_worker_is_killed_is_killed_before_the_job_runs_again(
    system: System, shared_folder: Path, wait_for: WaitFor
) -> None:
    file = shared_folder / "leaving"
    job_id = system.submit("leaving")
    first = wait_for(lambda: pids_in(file) if len(pids_in(file)) == 2 else None, "the program")
    psutil.Process(system.workers()["default-1"]["pid"]).kill()
    wait_for(lambda: len(pids_in(file)) == 4, "its second attempt")
    assert not any(psutil.pid_exists(pid) for pid in first)
    assert [one["outcome"] for one in system.get(f"/jobs/{job_id}")["attempts"]] == [
        "crashed",
        None,
    ]
    assert system.client.post(f"/jobs/{job_id}/cancel").status_code == 202
    assert system.wait_for_job(job_id)["status"] == "cancelled"


def test_a_program_that_ignores_its_cancel_costs_no_worker_its_life(
    system: System, shared_folder: Path, wait_for: WaitFor
) -> None:
    file = shared_folder / "deaf"
    before = system.workers()["default-1"]["pid"]
    job_id = system.submit("deaf")
    [pid] = wait_for(lambda: pids_in(file), "the program")
    assert system.client.post(f"/jobs/{job_id}/cancel").status_code == 202
    assert system.wait_for_job(job_id)["status"] == "cancelled"
    assert not psutil.pid_exists(pid)
    assert system.workers()["default-1"]["pid"] == before
