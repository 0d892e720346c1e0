"""The output process as the supervisor sees it: it may fail to start, and holds nothing up."""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.programs import ProgramSettings
from orpheus.shared.storage import state_files
from orpheus.supervisor.linux.process_stat import ProcessStat
from orpheus.supervisor.policy.slot import OsStatus, Rules
from orpheus.supervisor.programs import output as module
from orpheus.supervisor.programs.message import Packets, close_all
from orpheus.supervisor.programs.output import ProgramOutput

WEB = ProgramSettings("web", ("web",))


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProgramOutput]:
    """With processes that only sleep; whoever waits for one starts it again at once."""
    monkeypatch.setattr(module, "_ARGV", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(module, "_START_AGAIN_S", 0.0)
    one = ProgramOutput(state_files(f"sqlite:///{tmp_path}/orpheus.db", ""), "life-0")
    yield one
    one.stop(0.0)


def begin(output: ProgramOutput, number: int = 1) -> None:
    life = f"life-{number}"
    ends = output.make_pipes(life)
    close_all(ends)
    output.begin(life, f"web-{number}", WEB, number)


def test_a_restart_that_finds_no_descriptor_left_is_tried_again_and_harms_nobody(
    output: ProgramOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(output)
    assert output.pid is not None
    first = output.pid
    os.kill(first, 9)

    def fail(*_: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as none_left:
        none_left.setattr(socket, "socketpair", fail)
        while output.pid == first:
            output.turn()
        output.turn()
        assert output.pid is None
    output.turn()
    assert output.pid not in (None, first)


def test_one_that_says_nothing_while_it_starts_has_the_time_of_a_start_and_is_then_replaced(
    output: ProgramOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Rules(start_timeout_s=60.0, beat_timeout_s=15.0)
    begin(output)
    first = output.pid
    output.judge(rules, 0.0)
    output.judge(rules, 59.0)
    output.rebase(100.0)  # the supervisor did not run meanwhile
    output.judge(rules, 159.0)
    assert (output.pid, output.trouble) == (first, "")
    status = OsStatus.UNINTERRUPTIBLE  # it waits for the disk
    monkeypatch.setattr(module, "process_stat", lambda _: ProcessStat(status, 0.0, 0))
    output.judge(rules, 160.0)
    assert output.pid == first and "does not answer" in output.trouble
    status = OsStatus.RUNNING
    output.judge(rules, 160.0)
    assert output.pid is None
    output.turn()
    assert output.pid not in (None, first) and output.trouble, "until the new one has answered"
    output.end("life-1")
    output._reap()
    output.turn()
    assert output.trouble == ""


def test_descriptors_that_are_closed_before_they_could_be_sent_are_not_sent() -> None:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours, theirs = map(Packets, ends)
    filled = 0
    while not ours._unsent:
        ours.send({"say": filled})
        filled += 1
    fds = os.pipe()
    ours.send({"say": "these"}, fds)
    ours.send({"say": "last"})
    ours.withdraw(fds)
    close_all(fds)
    found: list[Any] = []
    while {"say": "last"} not in found:
        found += [message for message, _ in theirs.receive()]
        ours.flush()
        assert not ours.closed
    assert {"say": "these"} not in found and len(found) == filled + 1
    for one in (ours, theirs):
        one.close()
