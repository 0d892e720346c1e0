"""Identity and adoption, with real processes."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import psutil
import pytest

from shared.child_start import INCARNATION_VARIABLE
from shared.clock import create_time_s
from supervisor.kernel import bearers, is_alive, kill_bearers
from supervisor.sampling import sample
from supervisor.slot import OsStatus

SLEEP = [sys.executable, "-c", "print(flush=True); import time; time.sleep(1000)"]


@pytest.fixture
def bearer() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A process that carries an incarnation."""
    incarnation = uuid.uuid4().hex
    environment = {**os.environ, INCARNATION_VARIABLE: incarnation}
    with subprocess.Popen(SLEEP, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield incarnation, process
        process.kill()


def test_a_process_is_found_by_the_incarnation_in_its_environment(
    bearer: tuple[str, "subprocess.Popen[bytes]"],
) -> None:
    incarnation, process = bearer
    assert bearers({incarnation}) == {process.pid: incarnation}
    assert not bearers({"another"})


def test_every_bearer_of_a_dead_life_is_killed(
    bearer: tuple[str, "subprocess.Popen[bytes]"],
) -> None:
    incarnation, process = bearer
    assert kill_bearers({incarnation}) == 1
    assert process.wait(5) == -9
    assert kill_bearers({incarnation}) == 0


def test_a_recycled_pid_is_not_the_same_life(
    bearer: tuple[str, "subprocess.Popen[bytes]"],
) -> None:
    _, process = bearer
    created_s = create_time_s(process.pid)
    assert is_alive(process.pid, created_s)
    assert not is_alive(process.pid, created_s - 100)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process.pid, created_s), "a zombie does not live"


def test_a_sample_tells_cpu_memory_and_run_state(
    bearer: tuple[str, "subprocess.Popen[bytes]"],
) -> None:
    process = psutil.Process(bearer[1].pid)
    first = sample(process)
    assert (first.cpu_percent, first.os_status) == (None, OsStatus.RUNNING)
    assert first.rss_bytes > 2**20
    process.suspend()
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    second = sample(process, first)
    assert second.os_status is OsStatus.STOPPED
    assert second.cpu_percent is not None
    assert second.cpu_percent >= 0
