"""What a child does first, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

from orpheus.shared.process.channel import Channel
from tests.machine import PATIENCE_S, wait_until

REPORT = """
    import json, os, signal, sys, faulthandler
    from orpheus.shared.process.child_start import enter_child
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
            timeout=PATIENCE_S,
            check=False,
        )
    ours.close()
    return ended


def handover(folder: Path, supervisor_pid: int) -> dict[str, Any]:
    return {
        "slot": "default-1",
        "incarnation": "a1",
        "settings": {"pool": "default"},
        "supervisor_pid": supervisor_pid,
        "crash_file": str(folder / "a1.crash"),
        "stack_file": str(folder / "a1.stack"),
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
    assert "Fatal Python error: Aborted" in (tmp_path / "a1.crash").read_text()


STUCK = """
    import ctypes, sys
    from orpheus.shared.process.child_start import enter_child
    start = enter_child(int(sys.argv[1]))

    def stuck_in_c():
        ctypes.PyDLL(None).sleep(60)  # the GIL is held; a signal ends the sleep

    print("stuck", flush=True)
    stuck_in_c()
    print("on it goes", flush=True)
"""


def test_a_process_whose_c_code_holds_the_gil_still_shows_its_stack(tmp_path: Path) -> None:
    ours, theirs = Channel.pair()
    with theirs:
        ours.send({"handover": handover(tmp_path, os.getpid())})
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(STUCK), str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdout=subprocess.PIPE,
            text=True,
        )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "stuck\n"
        ask_until_the_stack_names(child, "in stuck_in_c", tmp_path / "a1.stack")
        wait_until(lambda: ended_by_a_signal(child), "the end of the call into C")
        assert child.returncode == 0
        assert child.stdout.read() == "on it goes\n"
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        ours.close()
    assert (tmp_path / "a1.stack").stat().st_mode & 0o777 == 0o600


def ended_by_a_signal(child: "subprocess.Popen[str]") -> bool:
    """Send one more: the first may have come just before the call, which then goes on."""
    child.send_signal(signal.SIGUSR1)
    return child.poll() is not None


def ask_until_the_stack_names(
    child: "subprocess.Popen[str]", function: str, stack_file: Path
) -> None:
    """Once is enough when it is there already."""
    give_up_at = time.monotonic() + 20
    while function not in (stack := stack_file.read_text()):
        assert time.monotonic() < give_up_at, stack
        child.send_signal(signal.SIGUSR1)
        time.sleep(0.05)
