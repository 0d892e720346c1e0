"""Who drained a slot is told with it, from the audit log, until it is started again."""

from typing import Any

from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.messages.audit import By
from orpheus.shared.messages.encoding import time_of
from orpheus.shared.messages.worker_list import workers_of
from orpheus.shared.messages.workers import reason_of
from orpheus.shared.operations.supervisor_requests import ask_for_slot
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Actor, Store
from orpheus.supervisor.loop.slot_records import slot_record
from orpheus.supervisor.policy.slot import Desired, Slot

TUNNEL = Slot("tunnel-1", "tunnel", Role.PROGRAM, state=SlotState.BACKOFF, reason="exit code 255")
DRAINED = replace(TUNNEL, state=SlotState.DOWN, desired=Desired.DRAINED)


def reason(slot: Slot) -> str:
    """What GET /workers says of it."""
    return reason_of(slot_record("ada", slot, None, None))


def test_who_drained_a_slot_is_told_until_it_is_started_again(store: Store, clock: Any) -> None:
    def shown(slot: Slot, host: str = "ada") -> tuple[str, By | None]:
        store.processes.put_slots([slot_record(host, slot, None, None)])
        items = workers_of(store, supervised_on=None, beat_timeout_s=15)
        (item,) = [one for one in items if (one.host, one.slot) == (host, slot.name)]
        return item.reason, item.drained

    def drain(by: str, reason: str | None, host: str | None) -> None:
        ask_for_slot(store, Actor(by, reason), RequestAction.DRAIN, "tunnel-1", host)

    boss = own_record(clock, "ada", Role.SUPERVISOR, "supervisor", "life-1", ready=True)
    store.processes.register(boss)
    assert shown(TUNNEL) == ("exit code 255", None)
    drain("cli:bob", "of before", None)
    clock.advance(1000)
    store.processes.register(replace(boss, started_at_ms=clock.wall))
    assert shown(DRAINED) == ("drained; exit code 255", None), "by nobody who asked this supervisor"
    drain("cli:root", "gateway moved", None)
    by_root = By("cli:root", "gateway moved", time_of(clock.wall))
    assert shown(replace(DRAINED, reason="")) == ("drained", by_root)
    assert shown(replace(DRAINED, state=SlotState.KILLING))[1] == by_root
    assert shown(TUNNEL) == ("exit code 255", None)
    drain("api:::1", None, "ada")
    latest = shown(DRAINED)[1]
    assert latest is not None
    assert latest.by == "api:::1", "where the host was named"
    assert shown(replace(DRAINED, retired=True))[1] is None
