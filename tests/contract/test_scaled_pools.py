"""Who scaled a pool by hand is told from the audit log, and in the concern of its queue."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import Order, Role, SlotRecord, SlotState
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.errors import TransitionRefused
from orpheus.shared.explain.answers import verdict_of
from orpheus.shared.explain.facts import read
from orpheus.shared.messages.audit import By
from orpheus.shared.messages.encoding import time_of
from orpheus.shared.messages.worker_list import workers_of
from orpheus.shared.messages.workers import scaled_by
from orpheus.shared.operations.supervisor_requests import ask_for_slot, ask_for_workers
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Actor, Store

POOLS = {"default": ["default"], "mail": ["mail"]}
NIGHT = By("cli:root", "night load", time_of(1_800_000_001_000))


def test_who_scaled_a_pool_is_told_until_its_supervisor_restarts(store: Store, clock: Any) -> None:
    def scale(workers: int, by: str, reason: str | None = None, host: str | None = None) -> None:
        ask_for_workers(store, Actor(by, reason), "mail", workers, POOLS, (), host)

    def told(workers: int) -> By | None:
        return scaled_by(store, "pool", "mail", workers, ["ada"])

    boss = own_record(clock, "ada", Role.SUPERVISOR, "supervisor", "life-1", ready=True)
    store.processes.register(boss)
    slot = SlotRecord(
        "ada", "default-1", "default", Role.WORKER, SlotState.READY, False, "", 7, "life-2",
        None, None, 1, 0, (),
    )  # fmt: skip
    store.processes.put_slots([slot])
    worker = own_record(clock, "ada", Role.WORKER, "default-1", "life-2", ready=True)
    store.processes.register(replace(worker, pool="default"))
    assert told(0) is None
    scale(0, "cli:bob", "of before")
    clock.advance(1000)
    store.processes.register(replace(boss, started_at_ms=clock.wall))
    assert told(0) is None, "of an earlier supervisor"
    scale(0, "cli:root", "night load")
    assert (told(0), told(1)) == (NIGHT, None)
    scale(0, "api:::1", host="ada")
    latest = told(0)
    assert latest is not None
    assert (latest.by, latest.reason) == ("api:::1", None), "where the host was named"


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


def test_the_concern_of_a_pool_at_0_says_who_scaled_it(store: Store, clock: Any) -> None:
    _with_slots_that_leave(store, clock)
    ask_for_workers(store, Actor("cli:root", "cost"), "mail", 0, POOLS, (), None)
    store.jobs.submit(NewJob("add", queue="mail"))
    workers = workers_of(store, supervised_on=None, beat_timeout_s=15)
    pools = {name: [name] for name in ("mail", "long", "wide")}
    (concern,) = verdict_of(store, read(store, workers, pools, 15.0)).concerns
    assert "pool mail is ready: it is scaled to 0 by cli:root (cost), and" in concern.text
    assert concern.command == "orpheus scale mail 1"
