"""How an exit is described, and what one while stopping says of how it went."""

import pytest

from orpheus.shared.domain.processes import Role, SlotState, signal_name
from orpheus.supervisor.policy.exits import ExitClass, describe, was_cut_short
from orpheus.supervisor.policy.slot import Desired, Exit, Observation, Process, Slot

READY, STOPPING = SlotState.READY, SlotState.STOPPING


@pytest.mark.parametrize(
    ("state", "desired", "recycle", "exit", "reason"),
    [
        (READY, Desired.UP, None, Exit(code=1, evidence="a stack"), "exit code 1"),
        (READY, Desired.UP, None, Exit(code=4), "exit code 4"),
        (READY, Desired.UP, None, Exit(signal=15), "killed by SIGTERM"),
        (READY, Desired.UP, None, Exit(code=127), "exit code 127"),
        (
            READY,
            Desired.UP,
            None,
            Exit(code=127, evidence="x\nsh: no y"),
            "exit code 127: sh: no y",
        ),
        (STOPPING, Desired.DOWN, None, Exit(signal=15), "stopped"),
        (STOPPING, Desired.UP, "too large", Exit(code=0), "too large"),
        (STOPPING, Desired.UP, "too large", Exit(code=4), "too large, and released"),
        (STOPPING, Desired.DRAINED, "too large", Exit(code=4), "drained, and released"),
        (STOPPING, Desired.UP, None, Exit(code=4), "stopped, and released"),
    ],
)
def test_an_exit_is_described_by_what_was_wanted_and_how_it_ended(
    state: SlotState, desired: Desired, recycle: str | None, exit: Exit, reason: str
) -> None:
    slot = Slot("a-1", "a", Role.WORKER, state=state, desired=desired)
    told = describe(slot, Process("p", 0.0, recycle=recycle), exit, ExitClass.COUNTED)
    assert told.removesuffix(" what it had not finished") == reason


def test_what_a_process_reported_of_its_failure_is_in_the_reason() -> None:
    process = Process("p", 0.0, seen=Observation("p", failed="no module named jobs"))
    told = describe(Slot("a-1", "a", Role.WORKER), process, Exit(code=78), ExitClass.CONFIGURATION)
    assert told == "exit code 78: no module named jobs"


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


def test_signals_have_names() -> None:
    assert (signal_name(9), signal_name(40)) == ("SIGKILL", "signal 40")
