"""The process of a program: nothing is left of a start that fails."""

import gc
import os
from typing import Any, cast

import psutil
import pytest
from msgspec.structs import replace

from orpheus.shared.domain.programs import ProgramSettings
from orpheus.supervisor.programs.checks import HttpChecks
from orpheus.supervisor.programs.handle import ProgramHandle
from orpheus.supervisor.programs.output import ProgramOutput
from tests.machine import wait_until

ENDED = os.WEXITED | os.WNOWAIT | os.WNOHANG
SLEEP = ProgramSettings("web", ("sleep", "600"), ready_after_s=0.0)


class NoOutput:
    """Stands in for the output process."""

    def make_pipes(self, incarnation: str) -> tuple[int, int]:
        return os.open(os.devnull, os.O_WRONLY), os.open(os.devnull, os.O_WRONLY)

    def begin(self, *_: object) -> None: ...

    def end(self, incarnation: str) -> None: ...


def spawn(program: ProgramSettings) -> ProgramHandle:
    output = cast("ProgramOutput", NoOutput())
    return ProgramHandle.spawn("web-1", program, "life-1", output, lambda: None)


def test_a_start_that_fails_late_leaves_neither_process_nor_descriptor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(HttpChecks, "start", fail)
    gc.collect()  # or what an earlier test left is closed meanwhile
    me = psutil.Process()
    children, descriptors = me.children(), me.num_fds()
    with pytest.raises(RuntimeError, match="thread"):
        spawn(SLEEP)
    assert me.children() == children
    assert me.num_fds() <= descriptors


def test_its_folder_is_entered_by_its_own_process_and_holds_nobody_else_up() -> None:
    handle = spawn(replace(SLEEP, cwd="/no/such/folder"))
    ended = wait_until(lambda: os.waitid(os.P_PIDFD, handle.pidfd, ENDED), "its end")
    handle.reap()
    assert ended.si_status == 127
