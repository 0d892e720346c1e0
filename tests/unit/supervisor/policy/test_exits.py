"""What an exit while stopping says of how it went."""

import pytest

from orpheus.shared.domain.processes import Role, signal_name
from orpheus.supervisor.policy.exits import job_thread_first, was_cut_short
from orpheus.supervisor.policy.slot import Exit


@pytest.mark.parametrize(
    ("exit", "cut_short"),
    [
        (Exit(code=0), False),
        (Exit(code=1), False),
        (Exit(code=4), True),
        (Exit(signal=15), False),
        (Exit(signal=6), True),
        (Exit(signal=9), True),
    ],
)
def test_only_force_or_unfinished_work_makes_the_exit_code_4(exit: Exit, cut_short: bool) -> None:
    assert was_cut_short(exit, Role.WORKER) is cut_short


@pytest.mark.parametrize(
    ("exit", "cut_short"),
    [
        (Exit(code=4), False),
        (Exit(code=143), False),
        (Exit(signal=2), False),
        (Exit(signal=9), True),
    ],
)
def test_of_a_program_only_a_kill_makes_the_exit_code_4(exit: Exit, cut_short: bool) -> None:
    assert was_cut_short(exit, Role.PROGRAM) is cut_short


STACKS = """Fatal Python error: Aborted

Thread 0x0001 (most recent call first):
  File "/x/worker/control/control_thread.py", line 9 in _listen

Current thread 0x0002 (most recent call first):
  File "/x/worker/leasing/renewal.py", line 9 in run

Thread 0x0003 (most recent call first):
  File "/x/jobs.py", line 2 in crunch
  File "/x/worker/attempt/executor.py", line 9 in run
"""


def test_the_stack_of_the_jobs_thread_comes_first() -> None:
    order = [line for line in job_thread_first(STACKS).splitlines() if "0x" in line]
    assert [line.partition(" (")[0] for line in order] == [
        "Thread 0x0003",
        "Current thread 0x0002",
        "Thread 0x0001",
    ]
    assert job_thread_first(STACKS).startswith("Fatal Python error: Aborted\n\nThread 0x0003")
    assert job_thread_first("") == ""


def test_signals_have_names() -> None:
    assert (signal_name(9), signal_name(40)) == ("SIGKILL", "signal 40")
