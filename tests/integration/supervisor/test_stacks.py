"""What a running Orpheus shows of jobs that await: their coroutines, and its threads as ever."""

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
import asyncio, contextlib, time
from orpheus import Context, job

async def ask_the_other_side() -> None:
    await asyncio.Event().wait()

@job
async def report(ctx: Context) -> None:
    await ask_the_other_side()

def compute() -> None:
    time.sleep(600)

@job
async def blocking(ctx: Context) -> None:
    compute()

@job
def nothing(ctx: Context) -> None:
    pass

@job(max_retries=0)
async def deaf(ctx: Context) -> None:
    while True:
        with contextlib.suppress(BaseException):
            await ask_the_other_side()
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


def has_coroutines(parts: list[str]) -> bool:
    """Whether the worker wrote them itself: one that is not heard of for 2.5 s gets a signal."""
    return any(one.startswith("Coroutine of job") for one in parts)


@pytest.mark.parametrize("pool", ["one", "many"])
def test_where_a_job_awaits_is_shown_first(
    system: System, pool: str, shared_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = system.submit("report", queue=pool)
    own, *others = until_shown(system, f"{pool}-1", lambda parts: "in report" in parts[0])
    heading, *frames = own.splitlines()
    assert heading.startswith(f"Coroutine of job {job_id} (report), which waits")
    module = shared_folder / "jobs_that_await.py"
    line = JOBS.splitlines().index("    await asyncio.Event().wait()") + 1
    assert f'  File "{module}", line {line} in ask_the_other_side' in frames
    assert "hread 0x" in others[0], "the threads, too"
    assert any("in _listen" in thread for thread in others)
    argv = ("stack", f"{pool}-1", "--set", f"database.url=sqlite:///{system.database}", "--json")
    told = command(capsys, *argv)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["stack"].startswith(heading)


@pytest.mark.parametrize("pool", ["one", "many"])
def test_a_job_that_blocks_the_loop_is_shown_by_its_thread(system: System, pool: str) -> None:
    if pool == "many":
        system.submit("report", queue=pool)
        until_shown(system, "many-1", lambda parts: "in report" in parts[0])
    job_id = system.submit("blocking", queue=pool)
    thread, *others = until_shown(
        system, f"{pool}-1", lambda parts: has_coroutines(parts) and "in compute" in parts[0]
    )
    assert "hread 0x" in thread
    assert "in blocking" in thread
    running = [one for one in others if one.startswith(f"Coroutine of job {job_id} (blocking)")]
    assert ", which runs now" in running[0]
    assert any("in ask_the_other_side" in one for one in others) == (pool == "many")


@pytest.mark.parametrize("pool", ["one", "many"])
def test_where_a_killed_job_awaited_is_kept(system: System, pool: str) -> None:
    before = system.workers()[f"{pool}-1"]["restarts"]
    job_id = system.submit("deaf", queue=pool)
    until_shown(system, f"{pool}-1", lambda parts: "in deaf" in parts[0])
    assert system.client.post(f"/jobs/{job_id}/cancel").status_code == 202
    assert system.wait_for_job(job_id)["status"] == "cancelled"

    def evidence() -> str | None:
        slot = system.workers()[f"{pool}-1"]
        return str(slot["last_exit"]["evidence"]) if slot["restarts"] > before else None

    text = wait_until(evidence, "the evidence")
    assert isinstance(text, str)
    fatal, own, *threads = text.split("\n\n")
    assert fatal == "Fatal Python error: Aborted"
    assert own.startswith(f"Coroutine of job {job_id} (deaf), which waits")
    assert "in ask_the_other_side" in own
    assert any("in _listen" in one for one in threads)
