"""What a running Orpheus shows of the threads that run jobs."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import System, systems_below
from tests.integration.commands import command
from tests.integration.supervisor.configured import Configured
from tests.machine import wait_until

JOBS = """
import contextlib, time
from orpheus import Context, job

def compute() -> None:
    time.sleep(600)

@job
async def blocking(ctx: Context) -> None:
    compute()

@job
def nothing(ctx: Context) -> None:
    pass

@job(max_retries=0)
def deaf(ctx: Context) -> None:
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(60)
"""
CONFIGURATION = """
[jobs]
modules = ["jobs_that_await"]
cancel_grace = "500ms"
[pools.one]
workers = 1
queues = ["one"]
[pools.many]
workers = 1
concurrency = 8
queues = ["many"]
"""


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the jobs are."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "jobs_that_await.py").write_text(JOBS)
    return folder


@pytest.fixture(scope="module")
def shared_system(shared_folder: Path) -> Iterator[System]:
    """With a worker of one job, and a worker of many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(shared_folder))
        with systems_below(shared_folder) as start:
            running = Configured(start, shared_folder, CONFIGURATION)
            yield running.system
            assert running.system.stop() == 0


@pytest.fixture
def system(shared_system: System) -> Iterator[System]:
    """The same for all tests: none leaves a job, or a worker that has still to end."""
    yield shared_system
    for job in shared_system.get("/jobs?status=in_progress")["items"]:
        shared_system.client.post(f"/jobs/{job['id']}/cancel")
        shared_system.wait_for_job(job["id"])
    for job_id in [shared_system.submit("nothing", queue=pool) for pool in ("one", "many")]:
        assert shared_system.wait_for_job(job_id)["status"] == "done"
    shared_system.wait_until_ready()


def until_shown(system: System, slot: str, shows: Callable[[list[str]], Any]) -> list[str]:
    """The parts of a slot's stack, once `shows` finds what it looks for."""
    seen: list[str] = []

    def look() -> bool:
        seen[:] = str(system.get(f"/workers/{slot}/stack")["stack"]).split("\n\n")
        return bool(shows(seen))

    wait_until(look, f"the stack of {slot}: {seen}")
    return seen


@pytest.mark.parametrize("pool", ["one", "many"])
def test_where_a_job_stands_is_shown_first(
    system: System, pool: str, capsys: pytest.CaptureFixture[str]
) -> None:
    system.submit("blocking", queue=pool)
    thread, *others = until_shown(system, f"{pool}-1", lambda parts: "in compute" in parts[0])
    assert "hread 0x" in thread
    assert "in blocking" in thread
    assert any("in _listen" in other for other in others)
    argv = ("stack", f"{pool}-1", "--set", f"database.url=sqlite:///{system.database}", "--json")
    told = command(capsys, *argv)
    assert told.returncode == 0, told.stderr
    assert "in blocking" in json.loads(told.stdout)["stack"].split("\n\n")[0]


def test_where_a_killed_job_stood_is_kept(system: System) -> None:
    before = system.workers()["one-1"]["restarts"]
    job_id = system.submit("deaf", queue="one")
    until_shown(system, "one-1", lambda parts: "in deaf" in parts[0])
    assert system.client.post(f"/jobs/{job_id}/cancel").status_code == 202
    assert system.wait_for_job(job_id)["status"] == "cancelled"

    def evidence() -> str | None:
        slot = system.workers()["one-1"]
        return str(slot["last_exit"]["evidence"]) if slot["restarts"] > before else None

    text = wait_until(evidence, "the evidence")
    assert isinstance(text, str)
    fatal, own, *threads = text.split("\n\n")
    assert fatal == "Fatal Python error: Aborted"
    assert "in deaf" in own
    assert any("in _listen" in thread for thread in threads)
