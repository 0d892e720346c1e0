"""Whether a process is alive and may go on: beats, its main loop, limits, and the write lock."""

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.supervisor.policy.slot import (
    Cause,
    Desired,
    ObservedJob,
    OsStatus,
    ProcessCommand,
    Rules,
)
from orpheus.supervisor.policy.state_machine import with_desired
from tests.unit.supervisor.policy.driver import RULES, Driver

JOB = ObservedJob(7, "sleep", overdue=False)


def test_a_stale_row_alone_degrades_but_never_kills() -> None:
    driver = Driver().make_ready()
    for _ in range(50):
        driver.beat(2, row_beat=1)
        assert driver.state() is SlotState.READY
    assert driver.slot.degraded == "its heartbeat row is 100 s old"
    driver.beat(2)
    assert not driver.slot.degraded


def test_a_process_that_alone_cannot_write_is_killed_after_the_beat_timeout() -> None:
    driver = Driver().make_ready()
    driver.beat(2, database_ok=False, supervisor_writes=True)
    for _ in range(6):
        driver.beat(2)
    assert driver.state() is SlotState.READY
    driver.beat(2)
    assert (driver.state(), driver.slot.reason) == (
        SlotState.KILLING,
        "it alone cannot write to the database, for 16 s",
    )


def test_an_api_whose_row_waits_behind_many_requests_is_left_alone() -> None:
    driver = Driver()
    driver.slot = replace(driver.slot, name="api", pool=None, role=Role.API)
    driver.make_ready()
    for _ in range(50):
        driver.beat(2, database_ok=False, supervisor_writes=True)
        assert driver.state() is SlotState.READY


def test_a_process_that_cannot_write_as_the_supervisor_cannot_is_left_alone() -> None:
    driver = Driver().make_ready()
    for _ in range(50):
        driver.beat(2, database_ok=False, supervisor_writes=False)
    for _ in range(6):
        driver.beat(2, supervisor_writes=True)
        assert driver.state() is SlotState.READY
    driver.beat(2, database_ok=True)
    for _ in range(6):
        driver.beat(2, database_ok=False)
        assert driver.state() is SlotState.READY


def test_a_beat_does_not_mask_a_main_loop_that_stands_still() -> None:
    driver = Driver().make_ready()
    for _ in range(7):
        driver.beat(2, loop=1)
    assert driver.state() is SlotState.READY
    driver.beat(2, loop=1)
    assert (driver.state(), driver.slot.reason) == (SlotState.KILLING, "main loop stuck for 16 s")
    assert Kind.WORKER_HUNG in driver.reported()


def test_a_main_loop_in_a_job_may_stand_still_and_gets_its_whole_time_after_it() -> None:
    driver = Driver().make_ready()
    for _ in range(100):
        driver.beat(2, loop=1, job=JOB)
    for _ in range(7):
        driver.beat(2, loop=1, job=None)
    assert driver.state() is SlotState.READY


def test_a_main_loop_that_waits_for_the_database_is_degraded_and_gets_its_whole_time_after_it() -> (
    None
):
    driver = Driver().make_ready()
    driver.beat(2, loop=1)
    for _ in range(100):
        driver.beat(2, loop=1, row_beat=1, database_ok=False)
        assert driver.state() is SlotState.READY
    assert driver.slot.degraded == "it cannot write to the database"
    for _ in range(7):
        driver.beat(2, loop=1, database_ok=True)
    assert driver.state() is SlotState.READY
    driver.beat(2, loop=1)
    assert driver.state() is SlotState.KILLING


def test_a_job_past_its_hard_deadline_has_its_process_killed_and_ended_as_overdue() -> None:
    driver = Driver().make_ready()
    driver.beat(2, job=replace(JOB, overdue=True))
    assert (driver.state(), driver.commands()) == (SlotState.KILLING, [ProcessCommand.ABORT])
    driver.exit(signal=6)
    assert driver.reason() == "job 7 (sleep) past its hard deadline; killed"
    assert driver.ended().overdue is True


def test_a_stopped_process_is_continued_once_before_it_is_killed() -> None:
    driver = Driver().make_ready()
    driver.see(15, os_status=OsStatus.STOPPED)
    assert (driver.state(), driver.commands()) == (SlotState.READY, [ProcessCommand.CONTINUE])
    assert driver.turn(1) == ()
    driver.beat(0.5, os_status=OsStatus.RUNNING)
    assert driver.live_for(60).state() is SlotState.READY
    driver.see(15, os_status=OsStatus.STOPPED)
    assert driver.commands() == [ProcessCommand.ABORT]


def test_a_process_that_is_stopped_again_much_later_is_continued_again() -> None:
    """Or it would be killed for what somebody did to it, and undid, hours ago."""
    driver = Driver().make_ready()
    driver.see(15, os_status=OsStatus.STOPPED)
    driver.beat(0.5, os_status=OsStatus.RUNNING)
    driver.live_for(Rules().crash_loop_window_s)
    driver.see(15, os_status=OsStatus.STOPPED)
    assert (driver.state(), driver.commands()) == (SlotState.READY, [ProcessCommand.CONTINUE])


def test_a_process_that_does_not_beat_after_it_was_continued_is_killed() -> None:
    driver = Driver().make_ready()
    driver.see(15, os_status=OsStatus.STOPPED)
    assert driver.see(7, os_status=OsStatus.RUNNING) == (), "a busy machine may take its time"
    driver.see(0.5, os_status=OsStatus.RUNNING)
    assert driver.commands() == [ProcessCommand.ABORT]


@pytest.mark.parametrize(
    ("silent_s", "status"), [(14, OsStatus.RUNNING), (60, OsStatus.UNINTERRUPTIBLE)]
)
def test_a_process_that_stood_still_need_not_turn_its_main_loop_before_it_beats(
    silent_s: float, status: OsStatus
) -> None:
    driver = Driver().make_ready()
    loop = driver.seen.loop
    driver.see(silent_s, os_status=status)
    driver.beat(0.5, os_status=OsStatus.RUNNING, loop=loop)
    for _ in range(6):
        driver.beat(2, loop=loop)
        assert driver.state() is SlotState.READY
    driver.beat(2, loop=loop)
    assert driver.slot.reason.startswith("main loop stuck for 16 s")


def test_a_process_that_waits_for_the_disk_is_not_killed() -> None:
    driver = Driver().make_ready()
    assert driver.see(500, os_status=OsStatus.UNINTERRUPTIBLE) == ()
    assert driver.slot.degraded == "no heartbeat for 500 s; uninterruptible"
    driver.see(2, os_status=OsStatus.RUNNING)
    assert driver.commands() == [ProcessCommand.ABORT]


def test_a_process_that_still_starts_need_not_beat() -> None:
    driver = Driver()
    driver.turn()
    assert driver.turn(50) == ()
    driver.beat(5, ready=True)
    assert driver.turn(10) == ()


def test_a_process_past_its_memory_limit_is_replaced_after_its_job() -> None:
    driver = Driver(Rules(max_memory_bytes=2**20)).make_ready().live_for(10)
    driver.beat(2.0, rss_bytes=2**20 + 1, job=JOB)
    assert (driver.state(), driver.commands()) == (SlotState.DRAINING, [ProcessCommand.DRAIN])
    assert "it has grown to 1 MiB, over 1 MiB (max_memory_mb)" in driver.slot.reason


def test_a_process_far_past_its_memory_limit_is_killed_even_while_it_drains() -> None:
    driver = Driver(Rules(max_memory_bytes=2**20)).make_ready().live_for(10)
    driver.beat(2.0, rss_bytes=2**20 + 1)
    driver.beat(2.0, rss_bytes=2**21)
    assert (driver.state(), driver.commands()) == (SlotState.KILLING, [ProcessCommand.ABORT])
    assert "it has grown to 2 MiB, far beyond max_memory_mb (1)" in driver.slot.reason
    driver.exit(signal=6)
    assert driver.ended().cause is Cause.MEMORY_LIMIT


def test_processes_past_their_age_are_replaced_at_different_times() -> None:
    ages_s = set()
    for uniform in (0.0, 0.5, 1.0):
        driver = Driver(Rules(max_age_s=100))
        driver.turn(uniform=uniform)
        assert driver.slot.process is not None
        ages_s.add(driver.slot.process.max_age_s)
        driver.beat(1.0, ready=True)
        driver.live_for(102)
        assert driver.state() is SlotState.DRAINING
    assert ages_s == {90, 95, 100}


@pytest.mark.parametrize("status", OsStatus)
def test_a_process_that_holds_the_write_lock_is_killed_unless_it_waits_for_the_disk(
    status: OsStatus,
) -> None:
    driver = Driver().make_ready()
    driver.beat(1.0, lock_held_s=RULES.lock_hold_s - 0.1, os_status=status)
    assert driver.state() is SlotState.READY
    driver.beat(1.0, lock_held_s=RULES.lock_hold_s, os_status=status)
    waits = status is OsStatus.UNINTERRUPTIBLE
    assert driver.state() is (SlotState.READY if waits else SlotState.KILLING)


def test_a_starting_or_stopping_process_that_holds_the_write_lock_is_killed_too() -> None:
    driver = Driver()
    driver.turn()
    driver.see(1.0, lock_held_s=6.0)
    assert (driver.state(), driver.reported()) == (SlotState.KILLING, [Kind.WORKER_HUNG])
    driver = Driver().make_ready()
    driver.slot = with_desired(driver.slot, Desired.DOWN)
    driver.turn()
    driver.see(1.0, lock_held_s=6.0)
    assert driver.state() is SlotState.KILLING
