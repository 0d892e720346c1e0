"""Programs as jobs under a supervisor: none outlives its worker, and none costs it its life."""

import contextlib
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import System

WaitFor = Callable[..., Any]


def test_no_program_outlives_its_worker_or_the_run_and_none_costs_the_worker_its_life(
    start_system: Callable[..., System], tmp_path: Path, wait_for: WaitFor
) -> None:
    leaving, deaf = tmp_path / "leaving", tmp_path / "deaf"
    scripts = {
        "leaving": f"setsid sleep 600 & echo $! >> {leaving}; echo $$ >> {leaving}; wait",
        "deaf": f"trap '' TERM; echo $$ > {deaf}; exec sleep 600",
        "strays": "env -i setsid sleep 1000 >/dev/null 2>&1 </dev/null & sleep 0.3",
    }
    commands = ", ".join(
        f'{{name="{name}", argv={json.dumps(["sh", "-c", script])}, max_retries=1}}'
        for name, script in scripts.items()
    )
    settings = ("pools.default.workers=1", "jobs.cancel_grace=500ms")
    system = start_system(*settings, f"commands=[{commands}]")
    system.wait_until_ready()
    one_whose_worker_is_killed_is_killed_before_the_job_runs_again(system, leaving, wait_for)
    system.wait_until_ready()
    one_that_ignores_its_cancel_costs_no_worker_its_life(system, deaf, wait_for)
    what_a_job_leaves_outside_its_group_and_environment_ends_with_the_run(system, wait_for)


def pids_in(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def one_whose_worker_is_killed_is_killed_before_the_job_runs_again(
    system: System, file: Path, wait_for: WaitFor
) -> None:
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


def one_that_ignores_its_cancel_costs_no_worker_its_life(
    system: System, file: Path, wait_for: WaitFor
) -> None:
    before = system.workers()["default-1"]["pid"]
    job_id = system.submit("deaf")
    [pid] = wait_for(lambda: pids_in(file), "the program")
    assert system.client.post(f"/jobs/{job_id}/cancel").status_code == 202
    assert system.wait_for_job(job_id)["status"] == "cancelled"
    assert not psutil.pid_exists(pid)
    assert system.workers()["default-1"]["pid"] == before


def what_a_job_leaves_outside_its_group_and_environment_ends_with_the_run(
    system: System, wait_for: WaitFor
) -> None:
    supervisor = psutil.Process(system.process.pid)

    def adopted() -> list[psutil.Process]:
        found = []
        for child in supervisor.children():
            with contextlib.suppress(psutil.Error):  # what the others left has just ended
                if child.cmdline() == ["sleep", "1000"]:
                    found.append(child)
        return found

    assert system.wait_for_job(system.submit("strays"))["status"] == "done"
    escaped = wait_for(adopted, "the supervisor to adopt what was left behind")
    try:
        assert system.stop(signal.SIGTERM) == 0
        assert not any(one.is_running() for one in escaped)
    finally:
        for one in escaped:
            with contextlib.suppress(psutil.Error):
                one.kill()
