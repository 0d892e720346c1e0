"""The conditions that rules of alerts look at: late queues, missed ticks, slots in trouble."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.processes import ProcessRecord, Role, SlotRecord, SlotState
from orpheus.shared.domain.schedules import CatchUp, ScheduleDefinition
from orpheus.shared.operations.schedules import fire_schedules
from orpheus.shared.storage import Store
from tests.contract.alert_rules import LATE, MINUTE_MS, RULE, SETTINGS, alerts, look

pytestmark = pytest.mark.usefixtures("notify")


def test_a_queue_is_late_once_enough_due_jobs_have_waited_for_long(
    store: Store, submit: Any, lease: Any, clock: Any
) -> None:
    store.alerts.configure([replace(LATE, every_s=1)])
    submit(queue="mail", priority=5)
    clock.advance(MINUTE_MS + 1)
    look(store)
    assert alerts(store) == []
    submit(queue="mail")
    submit(queue="media")
    clock.advance(MINUTE_MS)
    look(store)
    assert alerts(store) == []
    clock.advance(1)
    for _ in range(2):
        look(store)
        clock.advance(MINUTE_MS)
    (told,) = alerts(store)
    assert told["text"] == "late: queue mail is late: 2 jobs or more have waited for over 1 min"
    (noted,) = store.timeline.find(10)
    assert (noted.kind, noted.body["text"]) == ("alert.fired", told["text"])
    lease(limit=2, queues=("mail",))
    look(store)
    clock.advance(MINUTE_MS)
    look(store)
    submit(queue="mail")
    submit(queue="mail")
    clock.advance(MINUTE_MS + 1)
    look(store)
    assert len(alerts(store)) == 2


@pytest.mark.parametrize("catch_up", [CatchUp.ONE, CatchUp.NONE])
def test_a_tick_that_was_missed_fires_once_before_it_is_made_up_for(
    store: Store, clock: Any, catch_up: CatchUp
) -> None:
    clock.wall -= clock.wall % 3_600_000
    hourly = ScheduleDefinition("hourly", "notify", cron="0 * * * *", catch_up=catch_up)
    store.schedules.configure([hourly])
    rule = replace(RULE, on=("schedule.missed",), every_s=1, payload='{"text": "{text}"}')
    store.alerts.configure([rule])
    clock.advance(3_600_000)
    look(store)
    fire_schedules(store, SETTINGS)
    clock.advance(3_600_000 + 2 * MINUTE_MS)
    for _ in range(3):
        look(store)
        fire_schedules(store, SETTINGS)
        clock.advance(2000)
    (told,) = alerts(store)
    assert told["text"].startswith("ops: schedule hourly was missed at 20")
    clock.wall += 3_600_000 - clock.wall % 3_600_000
    look(store)
    fire_schedules(store, SETTINGS)
    look(store)
    assert store.schedules.get("hourly").missed_ms is None
    assert len(alerts(store)) == 1


def slot(state: SlotState, *, degraded: bool = False) -> SlotRecord:
    return SlotRecord(
        "here", "default-1", "default", Role.WORKER, state, degraded, "because", 7, "life",
        None, None, 1, 0, (),
    )  # fmt: skip


def supervisor(clock: Any) -> ProcessRecord:
    return ProcessRecord(
        "here", "boss", "supervisor", None, Role.SUPERVISOR, 1, 1.0, clock.boot, 1,
        ready=True, beat=1, last_beat_mono_ms=clock.monotonic, job_id=None, jobs_done=0,
    )  # fmt: skip


def test_a_slot_that_needs_attention_fires_when_it_begins_to(store: Store, clock: Any) -> None:
    store.processes.register(supervisor(clock))
    rule = replace(RULE, on=("supervisor.degraded",), every_s=1)
    store.alerts.configure([rule])
    for state, degraded in (
        (SlotState.STARTING, False),
        (SlotState.READY, False),
        (SlotState.BACKOFF, False),
        (SlotState.FATAL, False),
        (SlotState.STARTING, False),
        (SlotState.FATAL, False),
        (SlotState.READY, False),
        (SlotState.READY, False),
        (SlotState.READY, True),
    ):
        store.processes.put_slots([slot(state, degraded=degraded)])
        clock.wall += 40_000
        look(store)
    degraded_told, fatal_told = (one["alert"] for one in alerts(store))
    assert fatal_told["text"] == "ops: default-1 failed (fatal): because."
    assert degraded_told["text"] == "ops: default-1 is degraded: because."
    assert (degraded_told["worker"], degraded_told["host"]) == ("default-1", "here")
