"""`python -m supervisor` with the real API and real workers: starts that fail, and failures."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from orpheus.shared.storage import open_store
from tests.machine import PATIENCE_S, slowness

StartSystem = Callable[..., Any]


def run_to_its_end(folder: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    """Start Orpheus where it must refuse to run."""
    database = f"database.url=sqlite:///{folder}/data/orpheus.db"
    sets = [part for one in (database, "api.port=0", *settings) for part in ("--set", one)]
    return subprocess.run(
        [sys.executable, "-m", "orpheus.supervisor", *sets],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("ORPHEUS_")},
    )


def test_a_job_module_that_does_not_import_is_exit_78_with_its_error_first(tmp_path: Path) -> None:
    ended = run_to_its_end(tmp_path, 'jobs.modules=["no_such_module"]')
    assert ended.returncode == 78
    error, searched = ended.stderr.splitlines()
    assert error == (
        "orpheus: jobs.modules: no_such_module does not import: "
        "ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert searched.startswith("orpheus: looked in: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_signal_while_a_job_module_is_imported_ends_the_start_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals, wait_for: Callable[..., Any]
) -> None:
    (tmp_path / "slow_jobs.py").write_text(
        "import pathlib, time\npathlib.Path('importing').touch()\ntime.sleep(60)\n"
    )
    sets = f"database.url=sqlite:///{tmp_path}/orpheus.db", 'jobs.modules=["slow_jobs"]'
    with subprocess.Popen(
        [sys.executable, "-m", "orpheus.supervisor", "--set", "api.port=0"]
        + [part for one in sets for part in ("--set", one)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    ) as process:
        try:
            wait_for((tmp_path / "importing").exists, "the import")
            [describing] = psutil.Process(process.pid).children(recursive=True)
            for to_reload in (signal.SIGHUP, signal.SIGUSR2):  # is done after the start
                process.send_signal(to_reload)
            process.send_signal(number)
            assert process.wait(PATIENCE_S) == (-number if number == signal.SIGKILL else 0)
            wait_for(lambda: has_ended(describing), "the describing child to be gone")
        finally:
            process.kill()


def test_everything_is_small_ready_and_ends_in_order_whoever_else_is_started(
    start_system: StartSystem, tmp_path: Path
) -> None:
    """Meanwhile a second start is exit 75 and kills nothing, through a symbolic link, too."""
    system = start_system("pools.default.workers=1")
    ended = run_to_its_end(system.database.parent.parent)
    assert ended.returncode == 75
    assert "already running" in ended.stderr
    system.wait_until_ready()
    workers = system.workers()
    assert list(workers) == ["api", "default-1", "supervisor"]
    assert {one["state"] for one in workers.values()} == {"ready"}
    assert psutil.Process(system.process.pid).memory_info().rss < 60 * 2**20
    link = tmp_path / "elsewhere" / "data" / "orpheus.db"
    link.parent.mkdir(parents=True, mode=0o700)
    link.symlink_to(system.database)
    ended = run_to_its_end(tmp_path / "elsewhere")
    assert ended.returncode == 75, ended.stderr
    assert "already running: another process holds" in ended.stderr
    after = {slot: one["pid"] for slot, one in system.workers().items()}
    assert after == {slot: one["pid"] for slot, one in workers.items()}
    assert list(link.parent.iterdir()) == [link]
    kept = system.database.parent / "supervisor.json"
    assert kept.exists()
    assert system.stop(signal.SIGINT) == 0
    assert not kept.exists()


def test_a_killed_api_refuses_no_connection(start_system: StartSystem) -> None:
    """And a job that outlasts the stop is released then, and the exit code is 4."""
    system = start_system("pools.default.workers=1", "supervisor.stop_timeout=0.5")
    system.wait_until_ready()
    refused: list[Exception] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.02):
            try:
                get_on_new_connection(f"{system.url}/healthz")
            except httpx2.ConnectError as error:
                refused.append(error)
            except httpx2.TransportError:  # cut off in the middle: that one was with the dead API
                pass

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        while (answer := get_on_new_connection(f"{system.url}/workers")).status_code != 200:
            pass  # as below
        items = answer.json()["items"]
        api = psutil.Process(next(one["pid"] for one in items if one["slot"] == "api"))
        api.kill()
        killed_s = time.monotonic()
        api.wait(PATIENCE_S)
        while get_on_new_connection(f"{system.url}/healthz").status_code != 200:
            pass  # the supervisor answers 503 in its place while it is slow to come back
        assert time.monotonic() - killed_s < 5 * slowness(), "P10 says 3 s"
    finally:
        stop.set()
        asking.join()
    assert not refused
    ends_with_4_as_a_job_is_released(system)


def ends_with_4_as_a_job_is_released(system: Any) -> None:
    system.wait_until_ready()
    job = system.submit("sleep", {"seconds": 60})
    while system.get(f"/jobs/{job}")["status"] != "in_progress":
        threading.Event().wait(0.01)
    assert system.stop() == 4
    with contextlib.closing(open_store(f"sqlite:///{system.database}")) as store:
        [first] = store.jobs.attempts(job)
    assert first.outcome == "released"


def has_ended(process: psutil.Process) -> bool:
    """Whoever adopted it may not have reaped it yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def get_on_new_connection(url: str) -> httpx2.Response:
    with httpx2.Client(trust_env=False, timeout=PATIENCE_S) as client:
        return client.get(url)
