"""The records of slots: when their states end, on the wall clock."""

from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.messages.workers import reason_of
from orpheus.supervisor.loop.slot_records import EndsOfStates, slot_record
from orpheus.supervisor.policy.slot import Desired, Observation, Process, Rules, Slot, Timer

RULES = Rules(stop_timeout_s=25.0)
DRAINING = Slot("a-1", "a", Role.WORKER, state=SlotState.DRAINING, timer=Timer(300.0, "one"))


def test_a_process_that_drains_releases_its_jobs_once_it_was_also_told_to_stop() -> None:
    ends = EndsOfStates()
    assert ends.until_ms("a-1", DRAINING, RULES, now_s=100.0, wall_ms=5_000) == 230_000
    later = ends.until_ms("a-1", DRAINING, RULES, now_s=110.0, wall_ms=15_003)
    assert later == 230_000, "clocks differ a little, and a record that changes is written"
    stopping = replace(DRAINING, state=SlotState.STOPPING, timer=Timer(325.0, "one"))
    assert ends.until_ms("a-1", stopping, RULES, now_s=300.0, wall_ms=205_000) == 230_000
    longer = replace(RULES, stop_timeout_s=60.0)
    assert ends.until_ms("a-1", DRAINING, longer, now_s=100.0, wall_ms=5_000) == 265_000
    clock_was_set = ends.until_ms("a-1", DRAINING, longer, now_s=101.0, wall_ms=3_606_000)
    assert clock_was_set == 3_865_000
    shut_down = replace(stopping, kill_at_s=310.0)
    assert ends.until_ms("a-1", shut_down, RULES, now_s=300.0, wall_ms=205_000) == 215_000


def test_a_slot_that_waits_tells_when_it_is_started_and_others_tell_nothing() -> None:
    ends = EndsOfStates()
    waits = replace(DRAINING, state=SlotState.BACKOFF, timer=Timer(103.5, None))
    assert ends.until_ms("a-1", waits, RULES, now_s=100.0, wall_ms=5_000) == 8_500
    again = replace(waits, timer=Timer(120.0, None))
    assert ends.until_ms("a-1", again, RULES, now_s=110.0, wall_ms=15_000) == 25_000
    for state in (SlotState.STARTING, SlotState.KILLING):
        assert ends.until_ms("a-1", replace(waits, state=state), RULES, 100.0, 5_000) is None
    assert ends.until_ms("a-1", replace(waits, timer=None), RULES, 100.0, 5_000) is None


def test_a_program_that_starts_tells_what_it_waits_for_and_when_it_is_stopped() -> None:
    seen = Observation("one", unready="http://127.0.0.1:9/health: connection refused")
    starting = Slot(
        "web-1",
        "web",
        Role.PROGRAM,
        state=SlotState.STARTING,
        process=Process("one", 100.0, seen=seen),
        timer=Timer(160.0, "one"),
    )
    told = slot_record("here", starting, None, None)
    assert told.reason == "not ready yet (http://127.0.0.1:9/health: connection refused)"
    assert EndsOfStates().until_ms("web-1", starting, RULES, 100.0, 5_000) == 65_000
    assert not slot_record("here", replace(starting, state=SlotState.READY), None, None).reason


def test_one_that_is_to_stay_down_is_not_said_to_wait_for_another() -> None:
    waits = Slot("web-1", "web", Role.PROGRAM, reason="exit code 0", held_back="waits for db-1")
    told = slot_record("here", waits, None, None)
    assert reason_of(told) == "waits for db-1; exit code 0"
    for desired in (Desired.DOWN, Desired.DRAINED, Desired.ENDED):
        stays = replace(waits, desired=desired)
        assert not slot_record("here", stays, None, None).waits
