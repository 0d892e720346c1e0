"""The process that keeps the output of all programs stands still, or is given a hostile pattern."""

import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.integration.programs.conftest import Programs, program, shell
from tests.machine import freeze, wait_until

Start = Callable[..., Programs]
ATTENTIVE = "[heartbeats]\ninterval = '200ms'\ntimeout = '2s'\n"
WRITES = """
import os, pathlib, time
for number in range(10**9):
    os.write(1, b"x" * 4095 + b"\\n")
    pathlib.Path({!r}).write_text(str(number))
    time.sleep(0.002)
"""


def keeper_of(running: Programs) -> psutil.Process:
    children = psutil.Process(running.system.process.pid).children()
    [keeper] = [child for child in children if "output_process" in str(child.cmdline())]
    return keeper


def goes_on(progress: Path) -> None:
    """Wait until the program has written more than its pipe and a read of the keeper hold."""

    def written() -> int:
        return int(progress.read_text() or 0) if progress.exists() else 0

    before = written()
    wait_until(lambda: written() > before + 100, "the program to go on writing")


def test_programs_go_on_when_the_keeper_of_their_output_stands_still(
    programs: Start, tmp_path: Path
) -> None:
    progress = tmp_path / "progress"
    running = programs(
        [ATTENTIVE, program("writes", sys.executable, "-c", WRITES.format(str(progress)))]
    )
    pid = running.slot("writes-1")["pid"]
    goes_on(progress)
    first = keeper_of(running)
    freeze(first.pid)
    goes_on(progress)
    assert keeper_of(running) != first
    assert running.system.log().count("output_process_hung") == 1
    assert running.slot("writes-1")["pid"] == pid and running.slot("writes-1")["restarts"] == 0
    assert not running.slot("supervisor")["degraded"]


def test_a_pattern_that_takes_for_ever_holds_up_no_other_program(programs: Start) -> None:
    evil = program("evil", *shell(f"echo {'a' * 40}b; exec sleep 600"), ready={"line": "^(a+)+$"})
    good = program("good", *shell("while :; do echo up; sleep 0.2; done"), ready={"line": "up"})
    running = programs([ATTENTIVE, "[supervisor]\nstart_timeout = '5s'\n", evil, good])
    running.until("good-1", "ready")
    assert "output_process_hung" in running.system.log()
