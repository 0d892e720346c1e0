"""Nothing is asked of a slot that is scaled away."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.processes import Order, Role, SlotState
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.errors import TransitionRefused
from orpheus.shared.operations.supervisor_requests import ask_for_slot
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Actor, Store
from orpheus.supervisor.loop.slot_records import slot_record
from orpheus.supervisor.policy.slot import Slot


@pytest.mark.parametrize("action", [RequestAction.RESTART, RequestAction.DRAIN])
def test_nothing_is_asked_of_a_slot_that_is_scaled_away(
    store: Store, clock: Any, action: RequestAction
) -> None:
    boss = own_record(clock, "ada", Role.SUPERVISOR, "supervisor", "life-1", ready=True)
    worker = own_record(clock, "ada", Role.WORKER, "long-2", "life-2", ready=True)
    for record in (boss, replace(worker, pool="long")):
        store.processes.register(record)
    leaving = Slot("long-2", "long", Role.WORKER, state=SlotState.DRAINING)
    slot = slot_record("ada", leaving, worker, None)
    store.processes.put_slots([replace(slot, order=Order.SCALED_AWAY)])
    with pytest.raises(TransitionRefused) as refused:
        ask_for_slot(store, Actor("cli:eve"), action, "long-2", None)
    assert str(refused.value) == (
        "long-2 was scaled away: its process ends and is not replaced "
        "(`orpheus scale long 2` brings it back, while the configuration has long)"
    )
    assert store.supervision.take_requests("ada") == []
