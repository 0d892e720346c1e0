"""One process of all hosts leads, until it leaves or its time on the database's clock is over."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.messages.worker_list import workers_of
from orpheus.shared.operations.upkeep import Leadership, forget_lost_hosts
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from orpheus.supervisor.loop.slot_records import slot_record
from orpheus.supervisor.policy.slot import Slot
from tests.contract.conftest import Opener

HOUR_MS = 3_600_000


@pytest.mark.backends("postgresql")
def test_another_leads_once_the_time_of_the_first_is_over(store: Store, clock: Any) -> None:
    assert store.leader.lead("ada", "life-1", 9_000)
    assert not store.leader.lead("bob", "life-2", 9_000)
    clock.advance(8_999)
    assert store.leader.lead("ada", "life-1", 9_000), "it renews"
    clock.advance(8_999)
    assert not store.leader.lead("bob", "life-2", 9_000)
    clock.advance(1)
    assert store.leader.lead("bob", "life-2", 9_000)
    assert not store.leader.lead("ada", "life-1", 9_000), "it was away for too long"


@pytest.mark.backends("postgresql")
def test_another_leads_at_once_after_a_leader_that_leaves(store: Store, another: Opener) -> None:
    first, second, other = Leadership("ada", "life-1"), Leadership("bob", "life-2"), another()
    assert first.holds(store)
    assert not second.holds(other)
    second.resign(other)
    assert first.holds(store), "only the leader can leave"
    first.resign(store)
    assert second.holds(other)
    assert not first.holds(store)


@pytest.mark.backends("postgresql")
def test_a_leader_that_cannot_ask_any_more_knows_when_its_time_is_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("orpheus.shared.operations.upkeep.time.monotonic", lambda: now_s[0])
    leadership = Leadership("ada", "life-1")
    assert not leadership.led()
    assert leadership.holds(store)
    now_s[0] = 108.9
    assert leadership.led()
    now_s[0] = 109.0
    assert not leadership.led(), "another host may lead by now"


@pytest.mark.backends("sqlite")
def test_on_a_database_of_one_host_whoever_asks_leads(store: Store) -> None:
    assert store.leader.lead("ada", "life-1", 9_000)
    assert store.leader.lead("ada", "life-2", 9_000)
    store.leader.resign("life-1")


@pytest.mark.backends("postgresql")
def test_a_host_that_died_is_shown_as_lost_and_then_forgotten(store: Store, clock: Any) -> None:
    boss = own_record(clock, "ada", Role.SUPERVISOR, "supervisor", "life-1", ready=True)
    worker = own_record(clock, "ada", Role.WORKER, "default-1", "life-2", pool="default")
    for record in (boss, worker):
        store.processes.register(record)
    slot = slot_record("ada", Slot("default-1", "default", Role.WORKER), worker, None)
    own = replace(slot, slot="supervisor", incarnation="life-1", rejected="api.port: is taken")
    store.processes.put_slots([replace(one, state=SlotState.READY) for one in (slot, own)])
    store.jobs.submit(NewJob("t"))
    [lease] = store.leases.lease(Holder("default-1", "life-2", 1), ("*",), 1, 30_000)

    def shown(name: str = "default-1") -> list[tuple[str, str]]:
        items = workers_of(store, supervised_on=None, beat_timeout_s=15)
        return [(one.state, one.reason) for one in items if one.slot == name]

    assert shown() == [("ready", "")]
    clock.advance(60_001)
    assert shown() == [("down", "lost: nothing was heard of ada since 2027-01-15T08:00:00.000Z")]
    assert shown("supervisor") == shown()
    forget_lost_hosts(store)
    assert {one.incarnation for one in store.processes.all()} == {"life-1", "life-2"}, "it leases"
    assert store.leases.reclaim_expired() == [lease.job_id]
    forget_lost_hosts(store)
    assert [one.incarnation for one in store.processes.all()] == ["life-1"]
    assert len(shown()) == 1
    clock.advance(HOUR_MS)
    forget_lost_hosts(store)
    assert store.processes.all() == []
    assert store.processes.slots() == []
