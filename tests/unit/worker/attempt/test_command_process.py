"""A program and its group, as the worker that started them ends them."""

import sys

from orpheus.worker.attempt.command_process import CommandProcess

LARGE = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
memory = b"x" * 400_000_000
print("ready", flush=True)
signal.pause()
"""
"""The kernel needs a while to end it: its memory has to be freed first."""


def test_a_program_that_was_killed_does_not_run_any_more() -> None:
    program = CommandProcess([sys.executable, "-c", LARGE], "", {})
    assert program.stdout.read(5) == b"ready"
    program.kill()
    try:
        assert program.is_gone()
    finally:
        program.reap()
