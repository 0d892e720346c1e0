"""What follows an exit: its class, its reason and cause, backoff, and crash loops."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import LastExit, Role, SlotState
from orpheus.supervisor.policy.aftermath import kept_exits
from orpheus.supervisor.policy.slot import (
    Cause,
    Desired,
    Exit,
    ProcessCommand,
    Rules,
)
from orpheus.supervisor.policy.state_machine import (
    next_wake_s,
    with_desired,
)
from tests.unit.supervisor.policy.driver import RULES, Driver


@pytest.mark.parametrize(("seconds_ready", "expected_failures"), [(1, 3), (4, 3), (6, 1)])
def test_a_process_that_was_ready_for_5_s_resets_the_failures_before_it(
    seconds_ready: int, expected_failures: int
) -> None:
    driver = Driver().make_ready()
    driver.slot = replace(driver.slot, failures=2)
    driver.live_for(seconds_ready)
    driver.exit(signal=9)
    assert driver.slot.failures == expected_failures


def test_the_restart_waits_longer_each_time_up_to_the_maximum() -> None:
    driver = Driver(Rules(crash_loop_failures=1_000, backoff_max_s=30))
    waits = []
    for _ in range(8):
        driver.turn()
        driver.exit(code=1)
        assert driver.slot.timer is not None
        waits.append(driver.slot.timer.at_s - driver.now_s)
        driver.now_s = driver.slot.timer.at_s
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_jitter_shortens_a_wait_by_up_to_half() -> None:
    driver = Driver()
    driver.turn()
    driver.seen = replace(driver.seen, exit=Exit(code=1))
    driver.turn(uniform=0.0)
    assert driver.slot.timer is not None
    assert driver.slot.timer.at_s - driver.now_s == 0.25


def test_six_failures_within_the_window_are_a_crash_loop_with_one_try_every_5_minutes() -> None:
    driver = Driver()
    for _ in range(6):
        driver.turn()
        driver.exit(code=1)
        assert driver.slot.timer is not None
        if driver.state() is SlotState.BACKOFF:
            driver.now_s = driver.slot.timer.at_s
    assert driver.state() is SlotState.FATAL
    assert driver.reported() == [Kind.WORKER_EXITED, Kind.WORKER_FATAL]
    assert driver.slot.reason == "exit code 1 (6 failures within 180 s)"
    assert driver.turn(299) == ()
    driver.turn(1)
    assert driver.state() is SlotState.STARTING
    driver.exit(code=1)
    assert driver.state() is SlotState.FATAL


@pytest.mark.parametrize("how", [{"signal": 11}, {"signal": 9}, {"code": 0}, {"code": 78}])
def test_deaths_in_jobs_back_off_and_never_make_a_slot_fatal(how: dict[str, int]) -> None:
    driver = Driver()
    waits = []
    for _ in range(20):
        driver.turn()
        driver.exit(**how, in_job=True)  # it may die before the supervisor has seen it ready
        assert driver.state() is SlotState.BACKOFF
        assert not driver.slot.start_failure, "its pool tries one slot at a time"
        assert driver.slot.timer is not None
        waits.append(driver.slot.timer.at_s - driver.now_s)
        driver.now_s = driver.slot.timer.at_s
    assert waits[:8] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_job_that_ended_before_the_one_that_killed_the_process_resets_the_backoff() -> None:
    driver = Driver().make_ready()
    driver.slot = replace(driver.slot, failures=5)
    driver.exit(signal=11, in_job=True, job_ended=True)
    assert (driver.state(), driver.slot.failures) == (SlotState.BACKOFF, 1)


def test_a_fatal_slot_whose_retry_stays_up_has_recovered() -> None:
    driver = Driver()
    driver.turn()
    driver.exit(code=78)
    driver.turn(300)
    driver.beat(1, ready=True)
    driver.live_for(10)
    driver.exit(signal=9)
    assert driver.state() is SlotState.BACKOFF


def test_crashes_of_stable_processes_never_make_a_crash_loop() -> None:
    driver = Driver()
    for _ in range(10):
        driver.make_ready().live_for(6)
        driver.exit(signal=9)
        assert driver.state() is SlotState.BACKOFF
        driver.now_s += 1


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"signal": 9}, "killed by SIGKILL: memory ran out, or a person sent it"),
        ({"signal": 11}, "killed by SIGSEGV"),
        ({"code": 1}, "exit code 1"),
        ({"code": 0}, "exited with code 0, unasked"),
        ({"error": "no memory"}, "cannot start: no memory"),
    ],
)
def test_an_exit_that_was_not_wanted_counts_and_is_told_in_words(
    how: dict[str, Any], reason: str
) -> None:
    driver = Driver().make_ready()
    driver.exit(**how)
    assert (driver.state(), driver.reason()) == (SlotState.BACKOFF, reason)
    assert driver.slot.failures == 1


def test_a_slot_starts_again_at_once_after_a_late_exit_with_0() -> None:
    driver = Driver().make_ready().live_for(60)
    driver.exit(code=0)
    assert driver.state() is SlotState.DOWN
    assert next_wake_s(driver.slot, RULES, driver.now_s) == driver.now_s
    driver.turn()
    assert driver.commands() == [ProcessCommand.SPAWN]


def test_the_third_recycle_within_a_minute_counts_as_a_failure() -> None:
    driver = Driver()
    for expected in (SlotState.DOWN, SlotState.DOWN, SlotState.BACKOFF):
        driver.make_ready()
        driver.beat(2, recycle="again")
        driver.exit(code=0)
        assert driver.state() is expected


def test_how_a_start_failed_is_remembered_until_a_process_was_ready() -> None:
    driver = Driver()
    driver.turn()
    driver.exit(code=1)
    assert driver.slot.start_failure == "exit code 1"
    driver.turn(60.0)
    driver.beat(1.0, ready=True)
    driver.exit(code=1)
    assert driver.slot.start_failure == ""


def test_an_api_that_is_fatal_is_tried_sooner_as_its_clients_wait() -> None:
    driver = Driver()
    driver.slot = replace(driver.slot, role=Role.API)
    driver.turn()
    driver.exit(code=78)
    driver.turn(RULES.backoff_max_s)
    assert driver.state() is SlotState.STARTING


@pytest.mark.parametrize(
    ("desired", "reason"), [(Desired.DOWN, "stopped"), (Desired.REPLACE, "replaced")]
)
def test_a_process_that_ends_by_the_signal_it_was_sent_was_stopped(
    desired: Desired, reason: str
) -> None:
    driver = Driver()
    driver.turn()
    driver.slot = with_desired(driver.slot, desired)
    driver.turn()
    driver.exit(0.1, signal=15)
    assert driver.reason() == reason


def test_processes_that_are_replaced_after_their_jobs_are_no_loop() -> None:
    driver = Driver()
    for _ in range(6):
        driver.turn()
        driver.beat(0.1, ready=True)
        driver.beat(0.1, recycle="it has done 5 jobs (max_jobs)", jobs_done=5)
        driver.exit(code=0)
        assert (driver.state(), driver.slot.failures) == (SlotState.DOWN, 0)
    assert driver.ended().cause is Cause.RECYCLED


@pytest.mark.parametrize(
    ("told", "reason", "cause"),
    [
        (True, "killed by the kernel: out of memory", Cause.OUT_OF_MEMORY),
        (False, "killed by SIGKILL: a person or program sent it", Cause.KILLED),
        (None, "killed by SIGKILL: memory ran out, or a person sent it", Cause.KILLED),
    ],
)
def test_an_exit_by_sigkill_is_attributed_to_memory_if_the_kernel_says_so(
    told: bool | None, reason: str, cause: Cause
) -> None:
    driver = Driver().make_ready().live_for(4)
    driver.exit(1.0, signal=9, out_of_memory=told)
    assert (driver.reason(), driver.ended().cause) == (reason, cause)
    assert driver.ended().was_stopped is (told is False), "then it is no fault of its job"
    assert driver.slot.last_exit is not None
    assert (driver.slot.last_exit.out_of_memory, driver.slot.last_exit.uptime_s) == (told, 6.0)


@pytest.mark.parametrize(
    ("how", "failed"),
    [
        ({"code": 0}, True),  # unasked, and early
        ({"code": 3}, True),
        ({"code": 78}, True),
        ({"signal": 11, "in_job": True}, True),
        ({"code": 74}, False),  # the database is away
    ],
)
def test_an_exit_that_was_not_wanted_is_kept_as_a_failure(
    how: dict[str, Any], failed: bool
) -> None:
    driver = Driver()
    driver.turn()
    driver.exit(0.3, **how)
    assert driver.ended().last_exit.failed is failed


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ({"error": "no memory"}, Cause.CANNOT_START),
        ({"code": 78}, Cause.CONFIGURATION),
        ({"code": 3}, Cause.FAILED),
        ({"code": 0}, Cause.EXITED),
        ({"signal": 11}, Cause.CRASHED),
    ],
)
def test_an_exit_is_counted_by_its_cause(how: dict[str, Any], cause: Cause) -> None:
    driver = Driver().make_ready()
    driver.exit(1.0, **how)
    assert driver.ended().cause is cause


def test_failures_of_the_last_minutes_are_kept_to_be_counted() -> None:
    def ended(at_s: int, *, failed: bool = True) -> LastExit:
        return LastExit(at_s * 1000, "", None, 1, "a stack", failed=failed, output="a line")

    now_s = 1_000_000
    latest = [ended(now_s - n) for n in range(5)]
    before = [ended(now_s - 300), ended(now_s - 301, failed=False), ended(now_s - 599)]
    kept = kept_exits(*latest, *before, ended(now_s - 600))
    assert kept[:5] == tuple(latest)
    assert [one.at_ms // 1000 for one in kept[5:]] == [now_s - 300, now_s - 599]
    assert {(one.evidence, one.output) for one in kept[5:]} == {(None, None)}
    assert len(kept_exits(*[ended(now_s)] * 1000)) == 100
    assert kept_exits() == ()


def test_a_process_without_a_database_is_tried_each_second_and_counts_for_nothing() -> None:
    driver = Driver()
    for _ in range(20):
        driver.turn()
        driver.exit(code=74)
        assert driver.state() is SlotState.BACKOFF
        assert driver.slot.timer is not None
        assert driver.slot.timer.at_s - driver.now_s == 1
        driver.now_s = driver.slot.timer.at_s
    assert (driver.slot.failures, driver.slot.crashes_s) == (0, ())
    assert driver.slot.start_failure == "", "no slot of its pool waits for it to stay up"


@pytest.mark.parametrize("told", ["not", "stop", "replace", "recycle"])
def test_the_end_of_a_process_that_was_told_to_end_is_no_fault_of_its_job(told: str) -> None:
    driver = Driver().make_ready()
    if told == "recycle":
        driver.beat(0.1, recycle="it has done 5 jobs (max_jobs)", jobs_done=5)
    elif told != "not":
        desired = Desired.DOWN if told == "stop" else Desired.REPLACE
        driver.slot = with_desired(driver.slot, desired)
        driver.turn()
    driver.exit(signal=9)
    assert driver.ended().was_stopped is (told != "not")


def test_a_kill_by_the_supervisor_for_what_the_job_does_is_at_fault() -> None:
    driver = Driver().make_ready()
    driver.beat(0.1, lock_held_s=99)
    driver.exit(signal=9, out_of_memory=False)
    assert driver.ended().was_stopped is False
