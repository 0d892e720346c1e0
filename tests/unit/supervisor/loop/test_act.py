"""What is logged as a warning."""

import pytest

from orpheus.shared.domain.processes import Role
from orpheus.shared.domain.programs import RestartPolicy
from orpheus.supervisor.loop.act import needs_attention
from orpheus.supervisor.policy import fleet
from orpheus.supervisor.policy.slot import Report, Rules, Slot
from tests.unit.supervisor.policy.driver import Driver


def program(restart: RestartPolicy) -> Driver:
    one = Driver(Rules(ready_after_s=0.0, restart=restart))
    one.slot = Slot("web-1", "web", Role.PROGRAM)
    one.turn()
    return one


def is_warning(one: Driver) -> bool:
    [report] = [action for action in one.actions if isinstance(action, Report)]
    return needs_attention(one.slot, report)


@pytest.mark.parametrize(
    ("restart", "code", "warning"),
    [
        (RestartPolicy.ALWAYS, 0, True),
        (RestartPolicy.ON_FAILURE, 0, False),
        (RestartPolicy.ON_FAILURE, 1, True),
        (RestartPolicy.NEVER, 0, False),
        (RestartPolicy.NEVER, 1, True),
    ],
)
def test_the_end_of_a_program_that_did_its_work_is_no_warning(
    restart: RestartPolicy, code: int, warning: bool
) -> None:
    one = program(restart)
    one.exit(code=code)
    assert is_warning(one) == warning


def test_an_end_that_was_asked_for_is_no_warning_and_one_that_hangs_is() -> None:
    one = program(RestartPolicy.ALWAYS)
    one.turn(1.0)
    one.see(unhealthy="no answer")
    assert is_warning(one)
    drained = program(RestartPolicy.ALWAYS)
    drained.slot = fleet.drain(drained.slot)
    drained.turn()
    drained.exit(code=3)
    assert not is_warning(drained)
