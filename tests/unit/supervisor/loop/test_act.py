"""What is recorded, and what is logged as a warning."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orpheus.shared.domain.processes import LastExit, Role
from orpheus.shared.domain.programs import RestartPolicy
from orpheus.shared.process.state_files import StateFiles
from orpheus.supervisor.loop.act import Children, needs_attention
from orpheus.supervisor.policy import fleet
from orpheus.supervisor.policy.slot import (
    Announce,
    Cause,
    ProcessCommand,
    ProcessEnded,
    Rules,
    SendCommand,
    Slot,
)
from tests.captured_logs import capture_logs
from tests.unit.supervisor.policy.driver import Driver


def program(restart: RestartPolicy) -> Driver:
    one = Driver(Rules(ready_after_s=0.0, restart=restart))
    one.slot = Slot("web-1", "web", Role.PROGRAM)
    one.turn()
    return one


def is_warning(one: Driver) -> bool:
    [news] = [action for action in one.actions if isinstance(action, Announce)]
    return needs_attention(one.slot, news)


@pytest.mark.parametrize(
    ("restart", "code", "warning"),
    [
        (RestartPolicy.ALWAYS, 0, True),
        (RestartPolicy.ON_FAILURE, 0, False),
        (RestartPolicy.ON_FAILURE, 1, True),
        (RestartPolicy.NEVER, 0, False),
        (RestartPolicy.NEVER, 1, True),
    ],
)
def test_the_end_of_a_program_that_did_its_work_is_no_warning(
    restart: RestartPolicy, code: int, warning: bool
) -> None:
    one = program(restart)
    one.exit(code=code)
    assert is_warning(one) == warning


def test_an_end_that_was_asked_for_is_no_warning_and_one_that_hangs_is() -> None:
    one = program(RestartPolicy.ALWAYS)
    one.turn(1.0)
    one.see(unhealthy="no answer")
    assert is_warning(one)
    drained = program(RestartPolicy.ALWAYS)
    drained.slot = fleet.drain(drained.slot)
    drained.turn()
    drained.exit(code=3)
    assert not is_warning(drained)


def test_a_process_that_was_stopped_and_is_continued_is_told_in_the_log(tmp_path: Path) -> None:
    """If it is stopped again soon, it is killed: then this tells of the first time."""
    sent: list[ProcessCommand] = []
    files = StateFiles("orpheus.db", str(tmp_path / "orpheus.db"), tmp_path / "lock")
    children = Children(files, cast("Any", None))
    child = SimpleNamespace(pid=7, send=lambda command, _: sent.append(command))
    children.handles["life-1"] = cast("Any", child)
    with capture_logs() as told:
        slot = Slot("a-1", "a", Role.WORKER)
        children.perform(slot, SendCommand(ProcessCommand.CONTINUE, "life-1"))
    assert sent == [ProcessCommand.CONTINUE]
    [warning] = [one for one in told if one["log_level"] == "warning"]
    assert (warning["event"], warning["slot"], warning["pid"]) == ("process_continued", "a-1", 7)
    os.close(children.bell_fd)


def test_an_exit_is_recorded_though_its_process_cannot_be_reaped(tmp_path: Path) -> None:
    """Else its job would wait until the lease expires, and its row would stay."""

    def fail() -> None:
        raise OSError("Read-only file system")

    recorded: list[ProcessEnded] = []
    files = StateFiles("orpheus.db", str(tmp_path / "orpheus.db"), tmp_path / "lock")
    recorder = SimpleNamespace(end_process=recorded.append)
    children = Children(files, cast("Any", recorder))
    children.handles["life-1"] = cast("Any", SimpleNamespace(reap=fail))
    last_exit = LastExit(1, "exit code 1", signal=None, code=1, evidence=None)
    ended = ProcessEnded("a-1", "life-1", last_exit, Cause.CRASHED)
    with pytest.raises(OSError, match="Read-only"):  # the loop logs it
        children.perform(Slot("a-1", "a", Role.WORKER), ended)
    assert recorded == [ended]
    os.close(children.bell_fd)
