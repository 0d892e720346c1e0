"""Who drained a slot is told with it, from the audit log, until it is started again."""

from typing import Any

from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.messages.audit import By
from orpheus.shared.messages.encoding import optional_time, time_of
from orpheus.shared.messages.worker_list import workers_of
from orpheus.shared.messages.workers import reason_of
from orpheus.shared.operations.supervisor_requests import ask_for_slot
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Actor, Store
from orpheus.supervisor.loop.slot_records import slot_record
from orpheus.supervisor.policy.slot import Desired, Observation, Process, Rules, Slot, Turn
from orpheus.supervisor.policy.state_machine import decide

TUNNEL = Slot("tunnel-1", "tunnel", Role.PROGRAM, state=SlotState.BACKOFF, reason="exit code 255")
TURN = Turn(1.0, 0.5, "two", wall_ms=5)
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


def test_who_asked_for_a_restart_is_told_while_the_process_is_replaced(
    store: Store, clock: Any
) -> None:
    ready = Slot("web-1", "web", Role.WORKER, state=SlotState.READY, process=Process("one", 0.0))
    leaving = decide(replace(ready, desired=Desired.REPLACE), Observation("one"), Rules(), TURN)[0]

    def shown(slot: Slot) -> By | None:
        record = replace(slot_record("ada", slot, None, None), started_at_ms=clock.wall)
        store.processes.put_slots([record])
        (item,) = [
            one
            for one in workers_of(store, supervised_on=None, beat_timeout_s=15)
            if one.slot == "web-1"
        ]
        return item.restarted

    boss = own_record(clock, "ada", Role.SUPERVISOR, "supervisor", "life-1", ready=True)
    store.processes.register(boss)
    store.processes.put_slots([slot_record("ada", ready, None, None)])
    ask_for_slot(store, Actor("cli:bob", "of before"), RequestAction.RESTART, "web-1", None)
    clock.advance(1000)
    assert shown(leaving) is None, "nobody asked for this one"
    ask_for_slot(store, Actor("cli:eve", "it leaks"), RequestAction.RESTART, "web-1", None)
    by_eve = shown(leaving)
    assert by_eve is not None
    assert (by_eve.by, by_eve.reason) == ("cli:eve", "it leaks")
    late = replace(leaving, state=SlotState.STOPPING, reason="not drained within 300 s")
    silent = replace(leaving, degraded="no heartbeat for 9 s")
    drained = replace(leaving, reason="down until it or Orpheus is restarted")
    starting = replace(leaving, state=SlotState.STOPPING, reason="")
    for slot in (late, silent, drained, starting):
        assert shown(slot) == by_eve
    assert reason(late) == "being replaced; not drained within 300 s"
    assert reason(drained) == "being replaced"
    wanted = replace(drained, desired=Desired.UP, process=None, held_back="default-1 tries first")
    assert reason(wanted) == "default-1 tries first"
    assert shown(ready) is None


def test_until_when_a_state_lasts_is_stored_and_told(store: Store, clock: Any) -> None:
    boss = own_record(clock, "ada", Role.SUPERVISOR, "supervisor", "life-1", ready=True)
    store.processes.register(boss)
    for until_ms in (None, 1_800_000_000_000):
        record = slot_record("ada", TUNNEL, None, None, until_ms)
        store.processes.put_slots([record])
        assert store.processes.slots() == [record]
        items = workers_of(store, supervised_on=None, beat_timeout_s=15)
        assert [one.until for one in items if one.slot == TUNNEL.name] == [optional_time(until_ms)]
