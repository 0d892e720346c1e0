"""Identity and adoption, with real processes."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from orpheus.shared.process.child_start import INCARNATION_VARIABLE
from orpheus.shared.process.clock import create_time_s, is_alive
from orpheus.shared.storage import state_files
from orpheus.supervisor.linux.adoption import (
    incarnation_of,
    incarnation_prefix,
    kill_incarnation,
    kill_processes_of,
)
from orpheus.supervisor.linux.sampling import sample
from orpheus.supervisor.policy.slot import OsStatus
from tests.machine import PATIENCE_S

ADOPTION = Path(__file__).parent / "children" / "adoption.py"
SLEEP = [sys.executable, "-c", "print(flush=True); import time; time.sleep(1000)"]


@pytest.fixture
def marked() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A process that carries an incarnation."""
    incarnation = uuid.uuid4().hex
    environment = {**os.environ, INCARNATION_VARIABLE: incarnation}
    with subprocess.Popen(SLEEP, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield incarnation, process
        process.kill()


def test_every_process_of_an_incarnation_is_killed(
    marked: tuple[str, "subprocess.Popen[bytes]"],
) -> None:
    incarnation, process = marked
    assert kill_incarnation(incarnation) == 1
    assert process.wait(PATIENCE_S) == -9
    assert kill_incarnation(incarnation) == 0


def test_a_recycled_pid_is_not_the_same_process(
    marked: tuple[str, "subprocess.Popen[bytes]"],
) -> None:
    _, process = marked
    created_s = create_time_s(process.pid)
    assert is_alive(process.pid, created_s)
    assert not is_alive(process.pid, created_s - 100)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process.pid, created_s), "a zombie is not alive"


def test_a_sample_tells_cpu_memory_and_run_state(
    marked: tuple[str, "subprocess.Popen[bytes]"],
) -> None:
    process = psutil.Process(marked[1].pid)
    first = sample(process.pid)
    assert (first.cpu_percent, first.os_status) == (None, OsStatus.RUNNING)
    assert first.rss_bytes > 2**20
    process.suspend()
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    second = sample(process.pid, first)
    assert second.os_status is OsStatus.STOPPED
    assert second.cpu_percent is not None
    assert second.cpu_percent >= 0


def test_a_process_whose_main_thread_has_ended_is_still_found(
    wait_for: Callable[..., Any],
) -> None:
    incarnation = uuid.uuid4().hex
    exit_thread = {"x86_64": 60}.get(os.uname().machine, 93)  # the system call exit
    program = (
        "import ctypes, threading, time; "
        "threading.Thread(target=time.sleep, args=(1000,)).start(); "
        f"ctypes.CDLL(None).syscall({exit_thread}, 0)"
    )
    environment = {**os.environ, INCARNATION_VARIABLE: incarnation}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as process:
        try:
            own = psutil.Process(process.pid)
            wait_for(lambda: own.status() == psutil.STATUS_ZOMBIE, "the main thread to end")
            assert incarnation_of(process.pid) == incarnation
            assert kill_incarnation(incarnation) == 1
            assert process.wait(PATIENCE_S) == -9
        finally:
            process.kill()


def test_the_processes_of_a_database_are_found_whatever_their_incarnation(tmp_path: Path) -> None:
    database = state_files(f"sqlite:///{tmp_path}/orpheus.db")
    other = state_files(f"sqlite:///{tmp_path}/other.db")
    prefix = incarnation_prefix(database)
    elsewhere = state_files(f"sqlite:///{tmp_path}/./orpheus.db", f"{tmp_path}/state")
    assert incarnation_prefix(elsewhere) == prefix
    assert incarnation_prefix(other) != prefix
    environment = {**os.environ, INCARNATION_VARIABLE: f"{prefix}any"}
    with subprocess.Popen(["sleep", "1000"], env=environment) as process:
        try:
            assert kill_processes_of(other) == 0
            assert kill_processes_of(database) == 1
            assert process.wait(PATIENCE_S) == -9
        finally:
            process.kill()


# What only a process of its own can show: children/adoption.py, which tells in JSON what it saw.


def run_adoption(case: str, *launcher: str) -> dict[str, Any]:
    argv = [*launcher, sys.executable, str(ADOPTION), case]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def as_pid_1() -> tuple[str, ...]:
    """Runs a program as PID 1 of its own. Where that is not permitted: skip, but fail in CI."""
    launcher = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    try:
        tried = subprocess.run([*launcher, "true"], capture_output=True, text=True, check=False)
        trouble = tried.stderr if tried.returncode else ""
    except OSError as error:
        trouble = str(error)
    if trouble:
        reason = f"cannot run a program as PID 1 (unshare --pid, as root): {trouble}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return launcher


def test_adopted_processes_without_group_or_incarnation_are_killed_at_the_end() -> None:
    told = run_adoption("kill_adopted")
    assert sorted(told["escaped"]) == told["killed"]
    assert told["left"] == [], "the killed are reaped, and what they leave is killed as well"
    assert told["own_runs"]
    assert told["again"] == []


def test_a_child_from_before_we_were_the_supervisor_can_be_spared() -> None:
    told = run_adoption("inherited")
    assert told["inherited"]
    assert told["killed"] == []


def test_foreign_zombies_are_reaped_and_the_exit_of_an_own_child_is_left() -> None:
    told = run_adoption("reap_adopted")
    assert told["zombies_left"] == 0
    assert told["own_code"] == 7


def test_as_pid_1_running_foreign_processes_are_left_alone(as_pid_1: tuple[str, ...]) -> None:
    told = run_adoption("foreign", *as_pid_1)
    assert told["pid"] == 1
    assert told["adopted"]
    assert told["killed"] == []
