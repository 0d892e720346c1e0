"""Which requests of operators are carried out, and what each turn does."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.supervisor.loop.orders import Orders
from orpheus.supervisor.policy.slot import Desired, Slot


@pytest.mark.parametrize("action", [RequestAction.RESTART, RequestAction.DRAIN])
def test_the_key_of_a_companion_is_no_slot(action: RequestAction) -> None:
    """A replacement `api+` must not be taken for the slot `api`."""
    api = Slot("api", None, Role.API, state=SlotState.READY)
    before = {"api": api, "api+": Slot("api", None, Role.API, state=SlotState.BACKOFF)}
    loop = SimpleNamespace(slots=dict(before), is_stopping=False, listen=lambda *_: None)
    request = Request(1, action, "host-1", "api+")
    source = SimpleNamespace(fileno=lambda: 0, take_requests=lambda: [request])
    unused = cast("Any", source)
    orders = Orders(cast("Any", loop), unused, unused, unused, unused, unused, unused, unused)
    orders._answer_requests()
    assert loop.slots == before
    assert loop.slots["api"].desired is Desired.UP


def test_an_outbox_without_a_thread_is_tried_again_in_each_turn() -> None:
    turns: list[bool] = []
    nothing = SimpleNamespace(
        fileno=lambda: 0,
        listen=lambda *_: None,
        slots={},
        is_stopping=False,
        listener=None,
        take=list,
        turn=lambda: turns.append(True),
    )
    orders = Orders(*[cast("Any", nothing)] * 9)
    orders._take_configuration()
    assert turns == [True]
