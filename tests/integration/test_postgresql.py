"""Orpheus on PostgreSQL, with real processes: the same product, whoever dies."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus import Client
from orpheus.shared.errors import InvalidJob
from tests.conftest import ROOT, processes_of
from tests.integration.commands import command
from tests.machine import slowness

StartSystem = Callable[..., Any]
PASSWORD = "not-to-be-shown"


@pytest.fixture
def settings(postgresql_url: str, tmp_path: Path) -> tuple[str, ...]:
    """Those of one host. The server of the tests takes any password."""
    url = postgresql_url.replace("orpheus@", f"orpheus:{PASSWORD}@")
    return f"database.url={url}", f"database.state_dir={tmp_path}/state", "pools.default.workers=1"


def operator(
    capsys: pytest.CaptureFixture[str], settings: tuple[str, ...], *argv: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line."""
    sets = [part for one in settings for part in ("--set", one)]
    return command(capsys, *argv, *sets)


def pid_of_worker_with(system: Any, job_id: int, wait_for: Callable[..., Any]) -> int:
    """The process of the worker that runs a job."""

    def running() -> Any:
        system.wait_until_ready()
        found = (one for one in system.workers().values() if (one["job"] or {}).get("id") == job_id)
        return next((one["pid"] for one in found), None)

    return int(wait_for(running, f"job {job_id} to run"))


def test_everything_runs_whoever_is_killed(
    start_system: StartSystem,
    settings: tuple[str, ...],
    wait_for: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = start_system(*settings)
    first.wait_until_ready()
    sum_id = first.submit("sum_range", {"n": 100_000})
    assert first.wait_for_job(sum_id)["result"] == {"sum": 5_000_050_000}
    assert first.client.get("/").status_code == 200
    assert first.get("/stats")["counts"]["done"] == 1

    seconds = max(2, slowness())  # each is to be seen to run, and to run still when it is killed
    slept_id = first.submit("sleep", {"seconds": seconds})
    os.kill(pid_of_worker_with(first, slept_id, wait_for), signal.SIGKILL)
    attempts = first.wait_for_job(slept_id)["attempts"]
    assert [one["outcome"] for one in attempts] == ["crashed", "succeeded"]

    left_id = first.submit("sleep", {"seconds": 1 + seconds})
    pid_of_worker_with(first, left_id, wait_for)
    os.kill(first.process.pid, signal.SIGKILL)
    second = start_system(*settings)
    job = second.wait_for_job(left_id)
    assert job["status"] == "done"
    assert [one["outcome"] for one in job["attempts"]][-1] == "succeeded"
    second.wait_until_ready()
    assert not processes_of(first.mark), "what the first one left is gone"

    status = operator(capsys, settings, "status")
    assert "All is well." in status.stdout, status.stdout + status.stderr
    assert operator(capsys, settings, "db", "check").returncode == 0
    verified = operator(capsys, settings, "db", "verify")
    assert verified.returncode == 0, verified.stdout
    backup = operator(capsys, settings, "db", "backup", "all.sql")
    assert backup.returncode == 1
    assert "pg_dump --schema=orpheus" in backup.stderr
    waited = operator(capsys, settings, "submit", "wordcount", "text=one two", "--wait", "--json")
    assert waited.returncode == 0, waited.stderr
    assert second.stop() == 0
    commands = [one.stdout + one.stderr for one in (status, verified, backup, waited)]
    assert PASSWORD not in "".join([first.log(), second.log(), *commands])


def test_a_client_and_a_worker_alone_need_no_supervisor(
    settings: tuple[str, ...], tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    file = tmp_path / "orpheus.toml"
    database = dict(one.partition("=")[::2] for one in settings[:2])
    lines = [f'{name.partition(".")[2]} = "{value}"' for name, value in database.items()]
    file.write_text("\n".join(["[database]", *lines]))
    worker = subprocess.Popen(
        [sys.executable, "-m", "orpheus.worker", "--config", str(file)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        with Client(config=str(file)) as client:

            def submitted() -> Any:
                with contextlib.suppress(InvalidJob):  # the worker has not stored its types yet
                    return client.submit("wordcount", {"text": "one two three"})
                return None

            job = wait_for(submitted, "the job type to be known")
            assert client.wait(job, timeout=30).result == {"count": 3}
    finally:
        worker.terminate()
        assert worker.wait(30) == 0
