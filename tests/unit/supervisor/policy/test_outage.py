"""When clients of the API are told that it does not run."""

from dataclasses import replace

import pytest

from orpheus.shared.domain.processes import LastExit, Role, SlotState
from orpheus.supervisor.policy.outage import is_api_out
from orpheus.supervisor.policy.slot import Desired, Process, Slot

API = Slot("api", None, Role.API)
WORKER = Slot("default-1", "default", Role.WORKER, state=SlotState.FATAL, failures=9)
STARTING = Process("one", 1.0)
READY = Process("one", 1.0, ready_s=2.0)
NO_DATABASE = LastExit(1, "exit code 74", signal=None, code=74, evidence=None)


@pytest.mark.parametrize(
    ("api", "is_out"),
    [
        (API, False),
        (replace(API, state=SlotState.STARTING, process=STARTING), False),
        (replace(API, state=SlotState.BACKOFF, failures=1), False),
        (replace(API, state=SlotState.BACKOFF, failures=2), True),
        (replace(API, state=SlotState.STARTING, process=STARTING, failures=2), True),
        (replace(API, state=SlotState.READY, process=READY, failures=2), False),
        (replace(API, state=SlotState.KILLING, process=READY, failures=2), False),
        (replace(API, state=SlotState.BACKOFF, exits=(NO_DATABASE,)), True),
        (replace(API, state=SlotState.READY, process=READY, exits=(NO_DATABASE,)), False),
        (replace(API, state=SlotState.FATAL), True),
        (replace(API, state=SlotState.DOWN, desired=Desired.DRAINED), True),
        (replace(API, state=SlotState.DRAINING, process=READY, desired=Desired.DRAINED), False),
    ],
)
def test_it_is_out_if_it_keeps_failing_or_was_drained(api: Slot, is_out: bool) -> None:
    assert is_api_out([WORKER, api]) is is_out


def test_its_replacement_may_fail_while_it_serves() -> None:
    serving = replace(API, state=SlotState.READY, process=READY)
    failing = replace(API, state=SlotState.BACKOFF, failures=5)
    assert not is_api_out([serving, failing])


def test_without_an_api_nobody_waits_for_it() -> None:
    assert not is_api_out([WORKER])
