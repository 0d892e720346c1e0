"""The state machine of a slot: its table, and what operators and configurations want."""

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import SlotState
from orpheus.supervisor.policy.slot import (
    Desired,
    Exit,
    Observation,
    ProcessCommand,
    Rules,
    SendCommand,
)
from orpheus.supervisor.policy.state_machine import (
    LIMITS_S,
    TABLE,
    may_speak,
    next_wake_s,
    rebase,
    with_desired,
)
from tests.unit.supervisor.policy.driver import RULES, Driver


def test_a_wanted_slot_starts_and_becomes_ready() -> None:
    driver = Driver()
    driver.turn()
    assert (driver.state(), driver.commands(), driver.reported()) == (
        SlotState.STARTING,
        [ProcessCommand.SPAWN],
        [Kind.WORKER_STARTED],
    )
    driver.see(0.5, ready=True)
    assert (driver.state(), driver.reported()) == (SlotState.READY, [Kind.WORKER_READY])


def test_starts_are_staggered() -> None:
    driver = Driver()
    driver.slot = replace(driver.slot, not_before_s=driver.now_s + 0.3)
    assert driver.turn() == ()
    assert next_wake_s(driver.slot, RULES, driver.now_s) == driver.now_s + 0.3
    assert driver.turn(0.3)


def test_a_ready_process_that_has_sent_its_beat_wakes_nobody_before_the_next() -> None:
    driver = Driver()
    assert may_speak(driver.slot, driver.now_s), "it may become ready"
    driver.turn()
    driver.see(0.5, ready=True)
    beats_s = driver.now_s + 1
    assert may_speak(driver.slot, beats_s), "its beat is missing"
    driver.beat(1.1)
    assert not may_speak(driver.slot, beats_s)
    driver.see(0.1, recycle="max_jobs")
    assert driver.state() is SlotState.DRAINING
    assert may_speak(driver.slot, beats_s)


def test_a_start_that_takes_too_long_is_killed_and_counts() -> None:
    driver = Driver()
    driver.turn()
    driver.turn(RULES.start_timeout_s)
    assert (driver.state(), driver.commands()) == (SlotState.KILLING, [ProcessCommand.ABORT])
    driver.exit(signal=6, evidence="in import")
    assert driver.state() is SlotState.BACKOFF
    assert driver.reason() == "not ready within 60 s; killed"
    assert driver.slot.last_exit is not None
    assert driver.slot.last_exit.evidence == "in import"


def test_a_start_that_waits_for_the_database_may_take_any_time() -> None:
    driver = Driver()
    driver.turn()
    for _ in range(200):
        driver.beat(2, database_ok=False)
    assert (driver.state(), driver.slot.degraded) == (
        SlotState.STARTING,
        "it cannot write to the database",
    )
    driver.beat(2, database_ok=True, ready=True)
    assert (driver.state(), driver.slot.degraded) == (SlotState.READY, "")


def test_abort_comes_first_then_kill_then_the_slot_is_stuck() -> None:
    driver = Driver().make_ready()
    driver.turn(15)
    assert (driver.state(), driver.commands()) == (SlotState.KILLING, [ProcessCommand.ABORT])
    assert driver.turn(1.9) == ()
    driver.turn(0.1)
    assert (driver.state(), driver.commands()) == (SlotState.KILLING, [ProcessCommand.KILL])
    driver.turn(5)
    assert (driver.state(), driver.commands()) == (SlotState.STUCK, [])
    assert driver.turn(1_000) == ()
    driver.exit(signal=9)
    assert driver.state() is SlotState.BACKOFF
    assert driver.reason() == "no heartbeat for 15 s; killed"


def test_a_worker_that_asks_to_be_replaced_drains_and_is_replaced_at_once() -> None:
    driver = Driver().make_ready()
    driver.beat(2, recycle="a time-out was raised in its code")
    assert (driver.state(), driver.commands()) == (SlotState.DRAINING, [ProcessCommand.DRAIN])
    driver.exit(code=0)
    assert driver.reason() == "a time-out was raised in its code"
    driver.turn()
    assert (driver.state(), driver.slot.failures) == (SlotState.STARTING, 0)


def test_a_drain_that_takes_too_long_becomes_a_stop() -> None:
    driver = Driver(Rules(beat_timeout_s=1_000)).make_ready()
    driver.beat(2, recycle="why not")
    driver.turn(300)
    assert (driver.state(), driver.commands()) == (SlotState.STOPPING, [ProcessCommand.TERMINATE])
    driver.exit(signal=15)
    driver.turn()
    assert driver.state() is SlotState.STARTING


@pytest.mark.parametrize("prepare", ["starting", "ready", "draining"])
def test_an_unwanted_process_is_stopped_and_its_slot_stays_down(prepare: str) -> None:
    driver = Driver()
    driver.turn()
    if prepare != "starting":
        driver.beat(1, ready=True)
    if prepare == "draining":
        driver.beat(1, recycle="x")
    driver.slot = with_desired(driver.slot, Desired.DOWN, driver.now_s + 40)
    driver.turn()
    assert (driver.state(), driver.commands()) == (SlotState.STOPPING, [ProcessCommand.TERMINATE])
    driver.exit(1, code=0)
    assert (driver.state(), driver.reason()) == (SlotState.DOWN, "stopped")
    assert driver.turn(1_000) == ()


def test_a_slot_in_backoff_or_fatal_that_is_not_wanted_goes_down() -> None:
    for code in (1, 78):
        driver = Driver()
        driver.turn()
        driver.exit(code=code)
        driver.slot = with_desired(driver.slot, Desired.DOWN, 0.0)
        assert driver.turn() == ()
        assert driver.state() is SlotState.DOWN


def test_a_process_that_does_not_stop_in_time_is_killed() -> None:
    driver = Driver().make_ready()
    driver.slot = with_desired(driver.slot, Desired.DOWN, driver.now_s + 40)
    driver.turn()
    driver.turn(25)
    assert (driver.state(), driver.commands()) == (SlotState.KILLING, [ProcessCommand.ABORT])
    driver.turn(2)
    assert driver.commands() == [ProcessCommand.KILL]


def test_at_the_shutdown_s_deadline_everything_gets_sigkill_at_once() -> None:
    for rounds in (0, 1, 2):  # ready, stopping, killing
        driver = Driver(Rules(stop_timeout_s=1, abort_wait_s=100)).make_ready()
        driver.slot = with_desired(driver.slot, Desired.DOWN, driver.now_s + 3)
        for _ in range(rounds):
            driver.turn(1)
        driver.turn(3)
        assert (driver.state(), driver.commands()) == (SlotState.KILLING, [ProcessCommand.KILL])
        assert driver.turn(1) == ()


@pytest.mark.parametrize(("left_s", "within_s"), [(40, 24), (4, 3), (0.5, 0)])
def test_a_stop_says_how_long_before_it_becomes_a_kill(left_s: float, within_s: float) -> None:
    driver = Driver().make_ready()
    driver.slot = with_desired(driver.slot, Desired.DOWN, kill_at_s=driver.now_s + left_s)
    driver.turn()
    assert SendCommand(ProcessCommand.TERMINATE, "process-1", within_s) in driver.actions


def test_no_process_is_blamed_for_a_stall_of_the_supervisor() -> None:
    driver = Driver().make_ready()
    driver.slot = rebase(driver.slot, 600)
    assert driver.turn(600) == ()
    assert driver.state() is SlotState.READY
    driver.turn(15)
    assert driver.state() is SlotState.KILLING
    driver.slot = rebase(driver.slot, 600)
    assert driver.turn(600) == ()


def test_an_observation_of_another_process_changes_nothing() -> None:
    driver = Driver().make_ready()
    before = driver.slot
    driver.seen = Observation("process-0", exit=Exit(signal=9))
    assert driver.turn() == ()
    assert driver.slot == before


def test_a_timer_of_another_process_does_nothing() -> None:
    driver = Driver()
    driver.turn()
    assert driver.slot.timer is not None
    late = replace(driver.slot.timer, at_s=0.0, incarnation="process-0")
    driver.slot = replace(driver.slot, timer=late)
    assert driver.turn(1_000) == ()


def test_every_state_can_be_reached_and_only_three_start_a_process() -> None:
    reached = {row.enters for row in TABLE.values()} | {SlotState.BACKOFF, SlotState.FATAL}
    assert reached == set(SlotState)
    starts = {state for (state, _), row in TABLE.items() if row.command is ProcessCommand.SPAWN}
    assert starts == {SlotState.DOWN, SlotState.BACKOFF, SlotState.FATAL}


def test_states_that_may_not_last_have_a_timer() -> None:
    passing = {SlotState.STARTING, SlotState.DRAINING, SlotState.STOPPING, SlotState.KILLING}
    for row in TABLE.values():
        assert (row.command in LIMITS_S) == (row.enters in passing), row


def test_a_process_to_be_replaced_finishes_its_job_and_a_new_one_starts_at_once() -> None:
    driver = Driver().make_ready().live_for(10)
    driver.slot = with_desired(driver.slot, Desired.REPLACE)
    driver.turn()
    assert (driver.state(), driver.commands()) == (SlotState.DRAINING, [ProcessCommand.DRAIN])
    driver.exit(1.0, code=0)
    assert (driver.state(), driver.reason()) == (SlotState.DOWN, "replaced")
    driver.turn()
    assert (driver.state(), driver.commands()) == (SlotState.STARTING, [ProcessCommand.SPAWN])
    assert driver.slot.desired is Desired.UP


def test_a_drained_slot_stays_down() -> None:
    driver = Driver().make_ready().live_for(10)
    driver.slot = with_desired(driver.slot, Desired.DRAINED)
    driver.turn()
    assert (driver.state(), driver.commands()) == (SlotState.DRAINING, [ProcessCommand.DRAIN])
    driver.exit(1.0, code=0)
    driver.turn(1_000.0)
    assert (driver.state(), driver.reason()) == (SlotState.DOWN, "drained")


@pytest.mark.parametrize("state", [SlotState.BACKOFF, SlotState.FATAL])
def test_an_operator_starts_a_waiting_slot_at_once_and_its_failures_are_forgotten(
    state: SlotState,
) -> None:
    driver = Driver()
    driver.turn()
    driver.exit(code=78 if state is SlotState.FATAL else 1)
    assert driver.state() is state
    driver.slot = with_desired(driver.slot, Desired.REPLACE)
    driver.turn()
    assert (driver.state(), driver.commands()) == (SlotState.STARTING, [ProcessCommand.SPAWN])
    assert (driver.slot.failures, driver.slot.crashes_s, driver.slot.on_trial) == (0, (), False)


def test_a_process_that_starts_with_old_settings_is_stopped_and_started_again() -> None:
    driver = Driver()
    driver.turn()
    driver.slot = with_desired(driver.slot, Desired.REPLACE)
    driver.turn()
    assert (driver.state(), driver.commands()) == (SlotState.STOPPING, [ProcessCommand.TERMINATE])
    driver.exit(signal=15)
    driver.turn()
    assert (driver.state(), driver.slot.failures) == (SlotState.STARTING, 0)


def test_a_slot_wanted_up_again_while_it_goes_down_is_replaced() -> None:
    driver = Driver().make_ready().live_for(10)
    driver.slot = with_desired(driver.slot, Desired.DOWN)
    driver.turn()
    driver.slot = with_desired(driver.slot, Desired.UP)
    driver.exit(code=0)
    driver.turn()
    assert (driver.state(), driver.slot.failures) == (SlotState.STARTING, 0)


def test_a_slot_that_is_held_back_waits_though_its_time_has_come() -> None:
    driver = Driver()
    driver.turn()
    driver.exit(code=1)
    driver.slot = replace(driver.slot, held_back="waits for default-1 to stay up")
    assert driver.turn(60.0) == ()
    driver.slot = replace(driver.slot, held_back="")
    driver.turn()
    assert driver.state() is SlotState.STARTING


def test_the_leases_of_a_process_that_sigkill_does_not_end_are_freed_once() -> None:
    driver = Driver().make_ready()
    driver.turn(RULES.beat_timeout_s)
    driver.turn(RULES.abort_wait_s)
    driver.turn(RULES.kill_wait_s)
    ended = driver.ended()
    assert driver.state() is SlotState.STUCK
    assert (ended.incarnation, ended.cause) == ("process-1", None)
    assert driver.turn(60.0) == ()
