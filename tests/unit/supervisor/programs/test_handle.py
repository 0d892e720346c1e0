"""The process of a program: nothing is left of a start that fails, and new checks begin at once."""

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

    def set_limits(self, *_: object) -> None: ...

    def is_ready(self, incarnation: str) -> bool:
        return False

    def drain(self, *_: object) -> None: ...

    def last_lines(self, incarnation: str) -> str:
        return ""


def spawn(program: ProgramSettings) -> ProgramHandle:
    output = cast("ProgramOutput", NoOutput())
    return ProgramHandle.spawn("web-1", program, "life-1", output, lambda: None)


def test_a_start_that_fails_late_leaves_neither_process_nor_descriptor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(HttpChecks, "start", fail)
    me = psutil.Process()
    before = me.children(), me.num_fds()
    with pytest.raises(RuntimeError, match="thread"):
        spawn(SLEEP)
    assert (me.children(), me.num_fds()) == before


def test_its_folder_is_entered_by_its_own_process_and_holds_nobody_else_up() -> None:
    handle = spawn(replace(SLEEP, cwd="/no/such/folder"))
    ended = wait_until(lambda: os.waitid(os.P_PIDFD, handle.pidfd, ENDED), "its end")
    handle.reap()
    assert ended.si_status == 127


@pytest.mark.parametrize(
    ("way", "told"),
    [
        (
            {"ready_http": "http://127.0.0.1:{instance}/up"},
            "http://127.0.0.1:1/up: connection refu",
        ),
        ({"ready_line": "up on \\d+"}, "no line of its output has matched 'up on \\\\d+'"),
        ({"ready_after_s": 30.0}, "it is ready once it has run for 30 s"),
    ],
)
def test_one_that_is_not_ready_says_what_it_waits_for(way: dict[str, Any], told: str) -> None:
    handle = spawn(replace(SLEEP, **{"ready_after_s": None, **way}))

    def says_it() -> bool:
        said = handle.messages(has_exited=False, serves=False)
        return any(one["say"] == "unready" and told in one["reason"] for one in said)

    wait_until(says_it, told)
    assert not handle.messages(has_exited=False, serves=True)
    handle.reap()
