"""What a child does first, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from shared.channel import Channel

REPORT = """
    import json, os, signal, sys, faulthandler
    from shared.child_start import enter_child
    start = enter_child(int(sys.argv[1]))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    print(json.dumps({
        "slot": start.slot,
        "settings": start.handover["settings"],
        "term": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
        "chld": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
        "blocked": len(blocked),
        "inherited": os.get_inheritable(start.channel.fileno()),
        "stacks": faulthandler.is_enabled(),
    }), flush=True)
"""


def run_child(
    code: str, handover: dict[str, Any] | None, before: str = ""
) -> subprocess.CompletedProcess[str]:
    ours, theirs = Channel.pair()
    with theirs:
        if handover is None:
            ours.close()
        else:
            ours.send({"handover": handover})
        script = before + textwrap.dedent(code)
        ended = subprocess.run(
            [sys.executable, "-c", script, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    ours.close()
    return ended


def handover(folder: Path, supervisor_pid: int) -> dict[str, Any]:
    return {
        "slot": "default-1",
        "incarnation": "life",
        "settings": {"pool": "default"},
        "supervisor_pid": supervisor_pid,
        "crash_file": str(folder / "life.crash"),
    }


def test_a_child_knows_its_slot_and_has_every_signal_at_its_default(tmp_path: Path) -> None:
    ignoring = (
        "import signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})\n"
    )
    ended = run_child(REPORT, handover(tmp_path, os.getpid()), ignoring)
    assert json.loads(ended.stdout) == {
        "slot": "default-1",
        "settings": {"pool": "default"},
        "term": True,
        "chld": True,
        "blocked": 0,
        "inherited": False,
        "stacks": True,
    }


def test_a_child_whose_parent_is_another_process_ends(tmp_path: Path) -> None:
    ended = run_child(REPORT, handover(tmp_path, supervisor_pid=1))
    assert ended.returncode == 1
    assert "gone" in ended.stderr


def test_a_child_whose_supervisor_died_before_the_handover_ends() -> None:
    assert run_child(REPORT, None).returncode == 1


def test_the_stack_of_an_abort_is_in_the_crash_file(tmp_path: Path) -> None:
    code = REPORT + "    os.abort()\n"
    ended = run_child(code, handover(tmp_path, os.getpid()))
    assert ended.returncode == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in (tmp_path / "life.crash").read_text()
