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
from orpheus.supervisor.policy.slot import (
    Announce,
    Cause,
    ProcessEnded,
    Rules,
    Slot,
)
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
