"""Nothing is asked of a slot that is scaled away."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.processes import Order, Role, SlotRecord, SlotState
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.errors import TransitionRefused
from orpheus.shared.operations.supervisor_requests import ask_for_slot
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Actor, Store


def _with_slots_that_leave(store: Store, clock: Any) -> None:
    """Of two workers of `long` one is scaled away, and so is the only one of `wide`."""
    boss = own_record(clock, "ada", Role.SUPERVISOR, "supervisor", "life-1", ready=True)
    store.processes.register(boss)
    slots = [
        SlotRecord(
            "ada", name, name.partition("-")[0], Role.WORKER, state, False, "", 7, name,
            None, None, 1, 0, (), order=order,
        )
        for name, state, order in (
            ("long-1", SlotState.READY, None),
            ("long-2", SlotState.DRAINING, Order.SCALED_AWAY),
            ("wide-1", SlotState.DRAINING, Order.SCALED_AWAY),
        )
    ]  # fmt: skip
    store.processes.put_slots(slots)
    for one in slots:
        worker = own_record(clock, "ada", Role.WORKER, one.slot, one.slot, ready=True)
        store.processes.register(replace(worker, pool=one.pool))


@pytest.mark.parametrize("action", [RequestAction.RESTART, RequestAction.DRAIN])
def test_nothing_is_asked_of_a_slot_that_is_scaled_away(
    store: Store, clock: Any, action: RequestAction
) -> None:
    _with_slots_that_leave(store, clock)
    with pytest.raises(TransitionRefused) as refused:
        ask_for_slot(store, Actor("cli:eve"), action, "long-2", None)
    assert str(refused.value) == (
        "long-2 is scaled away: its process ends, and none is started in its place "
        "(`orpheus scale long 2` brings it back, while the configuration has long)"
    )
    assert store.supervision.take_requests("ada") == []
