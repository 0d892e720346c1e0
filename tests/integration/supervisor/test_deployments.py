"""New job code in a new folder: a symbolic link is switched, and SIGUSR2 sent."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import System

WaitFor = Callable[..., Any]
MODULE = "from orpheus import job\n\n\n@job\ndef version() -> int:\n    return {}\n"
FAILS_WHEN_TOLD = """
import pathlib, time

pathlib.Path("is imported").touch()
while not pathlib.Path("fail").exists():
    time.sleep(0.01)
import no_such_module
"""


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """`current`, which leads to the first release."""
    link = tmp_path / "current"
    release(tmp_path, 1)
    link.symlink_to("1")
    return link


def release(folder: Path, number: int, code: str = MODULE) -> None:
    (folder / str(number)).mkdir()
    (folder / str(number) / "versioned.py").write_text(code.format(number))


def switch(link: Path, number: int) -> None:
    new = link.with_name("new")
    new.symlink_to(str(number))
    new.replace(link)


@pytest.fixture
def running(start_system: Callable[..., System], link: Path) -> System:
    """One worker, started in the link."""
    system = start_system("jobs.modules=['versioned']", "pools.default.workers=1", cwd=link)
    system.wait_until_ready()
    assert version(system) == 1
    return system


def version(running: System) -> Any:
    return running.wait_for_job(running.submit("version"))["result"]


def replaced(running: System, wait_for: WaitFor) -> None:
    """Send SIGUSR2, and wait for another worker."""
    before = running.workers()["default-1"]["pid"]
    running.process.send_signal(signal.SIGUSR2)

    def is_new() -> bool:
        slot = running.workers()["default-1"]
        return bool(slot["state"] == "ready" and slot["pid"] != before)

    wait_for(is_new, "a new worker")


def test_code_that_does_not_import_leaves_everything_where_it_is_and_mended_code_is_run(
    running: System, link: Path, wait_for: WaitFor
) -> None:
    """A worker that crashes while it is looked at starts in the old folder, as one does later."""
    release(link.parent, 2, FAILS_WHEN_TOLD)
    switch(link, 2)
    running.process.send_signal(signal.SIGUSR2)
    wait_for((link / "is imported").exists, "the new code to be looked at")
    pid = running.workers()["default-1"]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: running.workers()["default-1"]["pid"] not in (None, pid), "a new worker")
    pid = running.workers()["default-1"]["pid"]
    assert Path(f"/proc/{pid}/cwd").readlink() == link.parent / "1"
    (link / "fail").touch()
    wait_for(lambda: "config_rejected" in running.log(), "the new code to be refused")
    assert version(running) == 1
    running.client.post("/workers/default-1/restart")
    wait_for(lambda: running.workers()["default-1"]["pid"] not in (None, pid), "a new worker")
    assert version(running) == 1
    release(link.parent, 3)
    switch(link, 3)
    shutil.rmtree(link.parent / "1")
    replaced(running, wait_for)
    assert version(running) == 3
    a_worker_whose_code_no_longer_imports_tells_the_file_and_the_line(running, link, wait_for)
    a_folder_that_is_gone_is_said_to_be(running, link, wait_for)
    assert running.stop() == 0


def a_folder_that_is_gone_is_said_to_be(running: System, link: Path, wait_for: WaitFor) -> None:
    log_at = len(running.log())
    shutil.rmtree(link.resolve())
    link.unlink()
    running.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: "config_rejected" in running.log()[log_at:], "the reload to be refused")
    assert "the current folder was deleted: restart Orpheus" in running.log()[log_at:]
    assert "import_failure.py" not in running.log()[log_at:]


def a_worker_whose_code_no_longer_imports_tells_the_file_and_the_line(
    running: System, link: Path, wait_for: WaitFor
) -> None:
    (link / "versioned.py").write_text("import broken\n")
    (link / "broken.py").write_text("\n\nimport no_such_module\n")
    running.client.post("/workers/default-1/restart")
    slot = wait_for(
        lambda: next((s for s in running.workers().values() if s["state"] == "fatal"), None),
        "the worker to be fatal",
    )
    last = slot["recent_exits"][0]
    assert last["reason"].endswith("ModuleNotFoundError: No module named 'no_such_module'")
    assert '/broken.py", line 3' in last["evidence"]
    assert "Traceback (most recent call last)" in last["evidence"]
