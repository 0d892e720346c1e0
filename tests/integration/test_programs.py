"""Programs as jobs under a supervisor: none outlives its worker, and none costs it its life."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

StartSystem = Callable[..., Any]
WaitFor = Callable[..., Any]


def command(script: str) -> str:
    """A setting that makes a shell script the job type `script`."""
    argv = json.dumps(["sh", "-c", script])
    return f'commands=[{{name="script", argv={argv}, max_retries=1}}]'


def pids_in(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def test_a_program_whose_worker_is_killed_is_killed_before_the_job_runs_again(
    start_system: StartSystem, tmp_path: Path, wait_for: WaitFor
) -> None:
    file = tmp_path / "pids"
    script = f"setsid sleep 600 & echo $! >> {file}; echo $$ >> {file}; wait"
    system = start_system("pools.default.workers=1", command(script))
    system.wait_until_ready()
    job_id = system.submit("script")
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
    assert system.stop() == 0


def test_a_program_that_ignores_its_cancel_costs_no_worker_its_life(
    start_system: StartSystem, tmp_path: Path, wait_for: WaitFor
) -> None:
    file = tmp_path / "pids"
    script = f"trap '' TERM; echo $$ > {file}; exec sleep 600"
    system = start_system("pools.default.workers=1", "jobs.cancel_grace=500ms", command(script))
    system.wait_until_ready()
    before = system.workers()["default-1"]["pid"]
    job_id = system.submit("script")
    [pid] = wait_for(lambda: pids_in(file), "the program")
    assert system.client.post(f"/jobs/{job_id}/cancel").status_code == 202
    assert system.wait_for_job(job_id)["status"] == "cancelled"
    assert not psutil.pid_exists(pid)
    assert system.workers()["default-1"]["pid"] == before
    assert system.stop(signal.SIGTERM) == 0
