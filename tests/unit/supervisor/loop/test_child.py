"""What a handle does with its process."""

import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orpheus.shared.process.channel import Channel
from orpheus.shared.process.crash_cell import Cell
from orpheus.supervisor.loop.child import ChildHandle
from orpheus.supervisor.policy.slot import ProcessCommand


def handle_of(process: "subprocess.Popen[bytes]", folder: Path) -> ChildHandle:
    ours, theirs = Channel.pair()
    theirs.close()
    state: Any = SimpleNamespace(
        cell=lambda _: folder / "cell",
        crash=lambda _: folder / "crash",
        stack=lambda _: folder / "stacks",
    )
    pidfd = os.pidfd_open(process.pid)
    return ChildHandle("life-1", process, pidfd, ours, state, tells_stacks=False)


@pytest.mark.parametrize(
    ("program", "is_running", "in_job"),
    [("true", True, True), ("false", False, True), ("true", False, False)],
    ids=["the job has ended it", "it failed", "it ended by itself: a result was refused"],
)
def test_a_process_ended_in_a_job_if_its_cell_names_one(
    tmp_path: Path, program: str, is_running: bool, in_job: bool
) -> None:
    cell = Cell.create(tmp_path / "cell")
    cell.enter(10, job_id=3)
    if not is_running:
        cell.leave(10)
    process = subprocess.Popen([program], start_new_session=True)
    handle = handle_of(process, tmp_path)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    exit = handle.peek_exit()
    handle.reap()
    assert exit is not None
    assert exit.in_job == in_job
    assert exit.jobs == ((3,) if is_running else ())


def test_a_worker_that_can_answer_gets_no_signal_for_its_stacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler of the signal may crash a process whose threads go on."""
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)  # it would die of it
    ours, theirs = Channel.pair()
    its_own = Channel.from_fd(theirs.detach())
    now_s = 1_000.0
    monkeypatch.setattr("orpheus.supervisor.loop.child.time.monotonic", lambda: now_s)
    handle = handle_of(process, tmp_path)
    handle.channel.close()
    handle.channel, handle._tells_stacks = ours, True

    def asked() -> bool:
        """Ask; return whether it lives. It hears of it in any case."""
        handle.send(ProcessCommand.DUMP)
        assert its_own.receive() == [{"do": "stack"}]
        return process.poll() is None

    try:
        assert asked() and asked(), "twice within a moment"
        (tmp_path / "stacks").write_text("its answer")
        now_s += 3
        assert asked(), "it has answered"
        now_s += 3
        asked()
        assert process.wait(10) == -signal.SIGUSR1, "it has written nothing since"
    finally:
        process.kill()
        handle.reap()
        its_own.close()
