"""The records of slots: when their states end, on the wall clock."""

from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.supervisor.loop.slot_records import EndsOfStates, slot_record
from orpheus.supervisor.policy.slot import Observation, Process, Rules, Slot, Timer

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
