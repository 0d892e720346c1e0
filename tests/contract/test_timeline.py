"""The timeline: what happened to the system stays when its events are gone."""

from typing import Any

import pytest

from orpheus.shared.domain.alerts import ALERTS_QUEUE, AlertRule, RuleState
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.storage import Position, Store
from tests.contract.conftest import FakeClock

DAY_MS = 86_400_000
RULES = RetentionRules(done_s=1e9, failed_s=1e9, cancelled_s=1e9, events=0)


def kinds(store: Store, **wanted: Any) -> list[str]:
    return [row.kind for row in store.timeline.find(100, **wanted)]


def retain(store: Store) -> None:
    while store.retention.step(RULES):
        pass


def test_what_happened_is_found_newest_first_after_its_event_is_gone(
    store: Store, clock: FakeClock
) -> None:
    store.events.record(Kind.WORKER_EXITED, {"slot": "default-1", "reason": "was killed, früh"})
    clock.advance(1_000)
    store.events.record(Kind.CONFIG_RELOADED, {"why": "saved"})
    clock.advance(1_000)
    store.audit.record("pause", "queue mail", by="cli:ada", reason="disk swap")
    store.jobs.submit(NewJob("noop"))
    store.events.last_seq()
    retain(store)
    assert store.events.after(0, 10) == []
    found = store.timeline.find(100)
    assert [row.kind for row in found] == ["operator.pause", "config.reloaded", "worker.exited"]
    assert found[2].body == {"slot": "default-1", "reason": "was killed, früh"}
    assert found[0].entry is not None and found[0].entry.target == "queue mail"
    assert found[0].position.at_ms == clock.wall_ms()


def test_it_is_searched_by_time_text_and_kind(store: Store, clock: FakeClock) -> None:
    begin_ms = clock.wall_ms()
    for slot in ("default-1", "media_1"):
        store.events.record(Kind.WORKER_EXITED, {"slot": slot})
        store.events.record(Kind.WORKER_FATAL, {"slot": slot})
        store.audit.record("restart", f"slot {slot}", by="cli:ada", reason="Früh")
        clock.advance(1_000)
    store.audit.record("drain", "slot x", by="cli:bob")
    assert len(kinds(store)) == 7
    assert len(kinds(store, since_ms=begin_ms + 1_000)) == 4
    assert len(kinds(store, until_ms=begin_ms + 1_000)) == 3
    assert len(kinds(store, q="MEDIA_")) == 3
    assert kinds(store, q="bob") == ["operator.drain"]
    assert kinds(store, q="%") == []
    assert kinds(store, kinds=["worker.fatal"]) == ["worker.fatal"] * 2
    assert len(kinds(store, kinds=["worker"])) == 4
    assert len(kinds(store, kinds=["operator"])) == 3
    assert kinds(store, kinds=["operator.drain", "operator.stop"]) == ["operator.drain"]
    assert kinds(store, kinds=["operator.drain", "worker.fatal"], until_ms=begin_ms + 500) == [
        "worker.fatal"
    ]


def test_pages_have_each_row_once_also_where_many_have_one_time(
    store: Store, clock: FakeClock
) -> None:
    for number in range(5):
        store.events.record(Kind.WORKER_EXITED, {"slot": f"a-{number}"})
        store.audit.record("restart", f"slot a-{number}", by="cli:ada")
        clock.advance(number % 2)
    whole = store.timeline.find(100)
    assert len(whole) == 10
    found, before = [], None
    while page := store.timeline.find(3, before=before):
        found += page
        before = page[-1].position
    assert found == whole
    assert isinstance(before, Position)


def test_it_is_written_in_the_transaction_of_what_happens(store: Store) -> None:
    def happen() -> None:
        with store.write(durable=False):
            store.events.record(Kind.SUPERVISOR_STARTED, {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        happen()
    assert kinds(store) == []


def test_schedules_and_alerts_are_noted(store: Store, clock: FakeClock) -> None:
    store.schedules.configure([ScheduleDefinition("hourly", "noop", every_s=3600)])
    clock.advance(3_600_000)
    store.schedules.fire_due(lambda _: NewJob("noop"))
    clock.advance(3_600_000)
    store.schedules.fire_due(lambda _: None)
    store.alerts.configure([AlertRule("late", on=("job.failed",), type="noop", payload="{}")])
    (row,) = store.alerts.all()
    job = NewJob("noop", queue=ALERTS_QUEUE)
    assert store.alerts.move(row, 1, RuleState(fired_ms=1), job, text="late: it failed")
    assert store.alerts.move(row, 1, RuleState(), job, text="again") is None
    clock.advance(1)
    found = store.timeline.find(100)
    assert [one.kind for one in found] == ["alert.fired", "schedule.missed", "schedule.fired"]
    assert found[0].body["text"] == "late: it failed"


def test_routine_is_kept_for_two_days_and_the_rest_for_ninety(
    store: Store, clock: FakeClock
) -> None:
    store.events.record(Kind.WORKER_READY, {"slot": "default-1"})
    store.events.record(Kind.WORKER_HUNG, {"slot": "default-1", "evidence": "x" * 100_000})
    store.events.record(Kind.QUEUE_PAUSED, {"name": "mail"})  # the audit log has it
    store.audit.record("pause", "queue mail", by="cli:ada")
    retain(store)
    assert kinds(store) == ["worker.hung", "worker.ready", "operator.pause"]
    assert len(store.timeline.find(1)[0].body["evidence"]) == 500
    clock.advance(2 * DAY_MS + 1)
    retain(store)
    assert kinds(store) == ["worker.hung", "operator.pause"]
    clock.advance(88 * DAY_MS)
    retain(store)
    assert kinds(store) == ["operator.pause"]


def test_a_broken_text_is_noted_all_the_same(store: Store) -> None:
    store.events.record(Kind.CONFIG_REJECTED, {"reason": "\ud800 and \0"})
    assert kinds(store) == ["config.rejected"]
