"""What an exit while stopping says of how it went."""

import pytest

from orpheus.shared.domain.processes import Role, signal_name
from orpheus.supervisor.policy.exits import was_cut_short
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


def test_signals_have_names() -> None:
    assert (signal_name(9), signal_name(40)) == ("SIGKILL", "signal 40")
