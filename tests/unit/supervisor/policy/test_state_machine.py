"""The state machine of a slot: each row of its table, each class of exit, each way to be alive."""

from dataclasses import replace
from typing import Any

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.supervisor.policy.slot import (
    Act,
    Action,
    Bury,
    Cause,
    Chance,
    Deed,
    Desired,
    Exit,
    Fence,
    JobSeen,
    OsStatus,
    Rules,
    Seen,
    Slot,
    Tell,
)
from orpheus.supervisor.policy.state_machine import TABLE, decide, next_wake_s, rebase, want

RULES = Rules()
JOB = JobSeen(7, "sleep", overdue=False)


class Driver:
    """One slot and its world, turned by hand."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.now_s = 1_000.0
        self.slot = Slot("default-1", "default", Role.WORKER)
        self.seen = Seen()
        self.lives = 0
        self.actions: tuple[Action, ...] = ()

    def turn(self, after_s: float = 0.0, uniform: float = 1.0) -> tuple[Action, ...]:
        self.now_s += after_s
        chance = Chance(uniform, f"life-{self.lives + 1}", wall_ms=5)
        self.slot, self.actions = decide(self.slot, self.seen, self.rules, self.now_s, chance)
        if self.deeds() == [Deed.SPAWN]:
            self.lives += 1
            self.seen = Seen(f"life-{self.lives}")
        if self.slot.life is None:
            self.seen = Seen()
        return self.actions

    def see(self, after_s: float = 0.0, **changes: object) -> tuple[Action, ...]:
        self.seen = replace(self.seen, **changes)  # type: ignore[arg-type]
        return self.turn(after_s)

    def beat(self, after_s: float = 0.0, **changes: object) -> tuple[Action, ...]:
        beat = (self.seen.beat or 0) + 1
        return self.see(after_s, **{"beat": beat, "loop": beat, "row_beat": beat, **changes})

    def make_ready(self) -> "Driver":
        self.turn()
        self.beat(1.0, ready=True)
        assert self.state() is SlotState.READY
        return self

    def live_for(self, seconds: float) -> "Driver":
        for _ in range(int(seconds / 2)):
            self.beat(2.0)
        return self

    def exit(self, after_s: float = 0.0, **how: Any) -> tuple[Action, ...]:
        return self.see(after_s, exit=Exit(**how))

    def deeds(self) -> list[Deed]:
        return [action.deed for action in self.actions if isinstance(action, Act)]

    def told(self) -> list[Kind]:
        return [action.kind for action in self.actions if isinstance(action, Tell)]

    def state(self) -> SlotState:
        return self.slot.state

    def reason(self) -> str:
        assert self.slot.last_exit is not None
        return self.slot.last_exit.reason


def test_a_wanted_slot_starts_and_becomes_ready() -> None:
    driver = Driver()
    driver.turn()
    assert (driver.state(), driver.deeds(), driver.told()) == (
        SlotState.STARTING,
        [Deed.SPAWN],
        [Kind.WORKER_STARTED],
    )
    driver.see(0.5, ready=True)
    assert (driver.state(), driver.told()) == (SlotState.READY, [Kind.WORKER_READY])


def test_starts_are_staggered() -> None:
    driver = Driver()
    driver.slot = replace(driver.slot, not_before_s=driver.now_s + 0.3)
    assert driver.turn() == ()
    assert next_wake_s(driver.slot, RULES, driver.now_s) == driver.now_s + 0.3
    assert driver.turn(0.3)


def test_a_start_that_takes_too_long_is_killed_and_counts() -> None:
    driver = Driver()
    driver.turn()
    driver.turn(RULES.start_timeout_s)
    assert (driver.state(), driver.deeds()) == (SlotState.KILLING, [Deed.ABORT])
    driver.exit(signal=6, evidence="in import")
    assert driver.state() is SlotState.BACKOFF
    assert driver.reason() == "not ready within 60 s; killed"
    assert driver.slot.last_exit is not None
    assert driver.slot.last_exit.evidence == "in import"


def test_abort_comes_first_then_kill_then_the_slot_is_stuck() -> None:
    driver = Driver().make_ready()
    driver.turn(15)
    assert (driver.state(), driver.deeds()) == (SlotState.KILLING, [Deed.ABORT])
    assert driver.turn(1.9) == ()
    driver.turn(0.1)
    assert (driver.state(), driver.deeds()) == (SlotState.KILLING, [Deed.KILL])
    driver.turn(5)
    assert (driver.state(), driver.deeds()) == (SlotState.STUCK, [])
    assert driver.turn(1_000) == ()
    driver.exit(signal=9)
    assert driver.state() is SlotState.BACKOFF
    assert driver.reason() == "no heartbeat for 15 s; killed"


@pytest.mark.parametrize(("seconds_ready", "expected_failures"), [(1, 3), (4, 3), (6, 1)])
def test_a_life_that_was_ready_for_5_s_forgives_the_failures_before_it(
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
    assert driver.told() == [Kind.WORKER_EXITED, Kind.WORKER_FATAL]
    assert driver.slot.reason == "6 failures within 180 s; the last: exit code 1"
    assert driver.turn(299) == ()
    driver.turn(1)
    assert driver.state() is SlotState.STARTING
    driver.exit(code=1)
    assert driver.state() is SlotState.FATAL


def test_a_fatal_slot_whose_try_lives_is_well_again() -> None:
    driver = Driver()
    driver.turn()
    driver.exit(code=78)
    driver.turn(300)
    driver.beat(1, ready=True)
    driver.live_for(10)
    driver.exit(signal=9)
    assert driver.state() is SlotState.BACKOFF


def test_crashes_of_stable_lives_never_add_up_to_a_crash_loop() -> None:
    driver = Driver()
    for _ in range(10):
        driver.make_ready().live_for(6)
        driver.exit(signal=9)
        assert driver.state() is SlotState.BACKOFF
        driver.now_s += 1


def test_a_configuration_error_is_fatal_at_once() -> None:
    driver = Driver()
    driver.turn()
    driver.exit(code=78, evidence=None)
    assert driver.state() is SlotState.FATAL


def test_what_a_child_said_of_its_failure_is_its_reason() -> None:
    driver = Driver()
    driver.turn()
    driver.see(failed="no module named jobs")
    driver.exit(code=78)
    assert driver.reason() == "exit code 78: no module named jobs"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"signal": 9}, "killed by SIGKILL; out of memory?"),
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


def test_an_exit_with_0_after_a_long_life_starts_anew_at_once() -> None:
    driver = Driver().make_ready().live_for(60)
    driver.exit(code=0)
    assert driver.state() is SlotState.DOWN
    assert next_wake_s(driver.slot, RULES, driver.now_s) == driver.now_s
    driver.turn()
    assert driver.deeds() == [Deed.SPAWN]


def test_a_worker_that_asks_to_be_replaced_drains_and_is_replaced_at_once() -> None:
    driver = Driver().make_ready()
    driver.beat(2, recycle="a time-out was raised in its code")
    assert (driver.state(), driver.deeds()) == (SlotState.DRAINING, [Deed.DRAIN])
    driver.exit(code=0)
    assert driver.reason() == "a time-out was raised in its code"
    driver.turn()
    assert (driver.state(), driver.slot.failures) == (SlotState.STARTING, 0)


def test_the_third_recycle_within_a_minute_counts_as_a_failure() -> None:
    driver = Driver()
    for expected in (SlotState.DOWN, SlotState.DOWN, SlotState.BACKOFF):
        driver.make_ready()
        driver.beat(2, recycle="again")
        driver.exit(code=0)
        assert driver.state() is expected


def test_a_drain_that_takes_too_long_becomes_a_stop() -> None:
    driver = Driver(Rules(beat_timeout_s=1_000)).make_ready()
    driver.beat(2, recycle="why not")
    driver.turn(300)
    assert (driver.state(), driver.deeds()) == (SlotState.STOPPING, [Deed.TERMINATE])
    driver.exit(signal=15)
    driver.turn()
    assert driver.state() is SlotState.STARTING


@pytest.mark.parametrize("prepare", ["starting", "ready", "draining"])
def test_an_unwanted_life_is_stopped_and_its_slot_stays_down(prepare: str) -> None:
    driver = Driver()
    driver.turn()
    if prepare != "starting":
        driver.beat(1, ready=True)
    if prepare == "draining":
        driver.beat(1, recycle="x")
    driver.slot = want(driver.slot, Desired.DOWN, driver.now_s + 40)
    driver.turn()
    assert (driver.state(), driver.deeds()) == (SlotState.STOPPING, [Deed.TERMINATE])
    driver.exit(1, code=0)
    assert (driver.state(), driver.reason()) == (SlotState.DOWN, "stopped")
    assert driver.turn(1_000) == ()


def test_a_slot_in_backoff_or_fatal_that_is_not_wanted_goes_down() -> None:
    for code in (1, 78):
        driver = Driver()
        driver.turn()
        driver.exit(code=code)
        driver.slot = want(driver.slot, Desired.DOWN, 0.0)
        assert driver.turn() == ()
        assert driver.state() is SlotState.DOWN


def test_who_does_not_stop_in_time_is_killed() -> None:
    driver = Driver().make_ready()
    driver.slot = want(driver.slot, Desired.DOWN, driver.now_s + 40)
    driver.turn()
    driver.turn(25)
    assert (driver.state(), driver.deeds()) == (SlotState.KILLING, [Deed.ABORT])
    driver.turn(2)
    assert driver.deeds() == [Deed.KILL]


def test_at_the_shutdown_s_deadline_everything_gets_sigkill_at_once() -> None:
    for rounds in (0, 1, 2):  # ready, stopping, killing
        driver = Driver(Rules(stop_timeout_s=1, abort_wait_s=100)).make_ready()
        driver.slot = want(driver.slot, Desired.DOWN, driver.now_s + 3)
        for _ in range(rounds):
            driver.turn(1)
        driver.turn(3)
        assert (driver.state(), driver.deeds()) == (SlotState.KILLING, [Deed.KILL])
        assert driver.turn(1) == ()


# Is it alive?


def test_a_stale_row_alone_degrades_but_never_kills() -> None:
    driver = Driver().make_ready()
    for _ in range(50):
        driver.beat(2, row_beat=1)
        assert driver.state() is SlotState.READY
    assert driver.slot.degraded == "its heartbeat row is 100 s old"
    driver.beat(2)
    assert not driver.slot.degraded


def test_a_process_that_cannot_write_is_degraded() -> None:
    driver = Driver().make_ready()
    driver.beat(2, database_ok=False)
    assert (driver.state(), driver.slot.degraded) == (
        SlotState.READY,
        "it cannot write to the database",
    )


def test_a_beat_does_not_mask_a_main_loop_that_stands_still() -> None:
    driver = Driver().make_ready()
    for _ in range(7):
        driver.beat(2, loop=1)
    assert driver.state() is SlotState.READY
    driver.beat(2, loop=1)
    assert (driver.state(), driver.slot.reason) == (SlotState.KILLING, "main loop stuck for 16 s")
    assert Kind.WORKER_HUNG in driver.told()


def test_a_main_loop_in_a_job_may_stand_still_and_gets_its_whole_time_after_it() -> None:
    driver = Driver().make_ready()
    for _ in range(100):
        driver.beat(2, loop=1, job=JOB)
    for _ in range(7):
        driver.beat(2, loop=1, job=None)
    assert driver.state() is SlotState.READY


@pytest.mark.parametrize(("left_s", "within_s"), [(40, 24), (4, 3), (0.5, 0)])
def test_a_stop_says_how_long_before_it_becomes_a_kill(left_s: float, within_s: float) -> None:
    driver = Driver().make_ready()
    driver.slot = want(driver.slot, Desired.DOWN, kill_at_s=driver.now_s + left_s)
    driver.turn()
    assert Act(Deed.TERMINATE, "life-1", within_s) in driver.actions


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


def test_no_database_is_no_excuse_for_a_job_past_its_deadline_nor_for_silence() -> None:
    driver = Driver().make_ready()
    driver.beat(2, database_ok=False, job=replace(JOB, overdue=True))
    assert driver.state() is SlotState.KILLING
    driver = Driver().make_ready()
    driver.beat(2, database_ok=False)
    driver.turn(15)
    assert driver.state() is SlotState.KILLING


def test_a_job_past_its_hard_deadline_ends_its_process_and_the_burial_says_so() -> None:
    driver = Driver().make_ready()
    driver.beat(2, job=replace(JOB, overdue=True))
    assert (driver.state(), driver.deeds()) == (SlotState.KILLING, [Deed.ABORT])
    driver.exit(signal=6)
    assert driver.reason() == "job 7 (sleep) past its hard deadline; killed"
    assert [action.overdue for action in driver.actions if isinstance(action, Bury)] == [True]


def test_a_stopped_process_is_continued_once_before_it_is_killed() -> None:
    driver = Driver().make_ready()
    driver.see(15, os_status=OsStatus.STOPPED)
    assert (driver.state(), driver.deeds()) == (SlotState.READY, [Deed.CONTINUE])
    assert driver.turn(1) == ()
    driver.beat(0.5, os_status=OsStatus.RUNNING)
    assert driver.live_for(60).state() is SlotState.READY
    driver.see(15, os_status=OsStatus.STOPPED)
    assert driver.deeds() == [Deed.ABORT]


def test_a_process_that_does_not_beat_after_it_was_continued_is_killed() -> None:
    driver = Driver().make_ready()
    driver.see(15, os_status=OsStatus.STOPPED)
    driver.see(2, os_status=OsStatus.RUNNING)
    assert driver.deeds() == [Deed.ABORT]


def test_a_process_that_waits_for_the_disk_is_waited_for() -> None:
    driver = Driver().make_ready()
    assert driver.see(500, os_status=OsStatus.UNINTERRUPTIBLE) == ()
    assert driver.slot.degraded == "no heartbeat for 500 s; uninterruptible"
    driver.see(2, os_status=OsStatus.RUNNING)
    assert driver.deeds() == [Deed.ABORT]


def test_no_beats_are_asked_of_a_process_that_still_starts() -> None:
    driver = Driver()
    driver.turn()
    assert driver.turn(50) == ()
    driver.beat(5, ready=True)
    assert driver.turn(10) == ()


def test_the_supervisor_s_own_stall_is_blamed_on_nobody() -> None:
    driver = Driver().make_ready()
    driver.slot = rebase(driver.slot, 600)
    assert driver.turn(600) == ()
    assert driver.state() is SlotState.READY
    driver.turn(15)
    assert driver.state() is SlotState.KILLING
    driver.slot = rebase(driver.slot, 600)
    assert driver.turn(600) == ()


def test_an_observation_of_another_life_changes_nothing() -> None:
    driver = Driver().make_ready()
    before = driver.slot
    driver.seen = Seen("life-0", exit=Exit(signal=9))
    assert driver.turn() == ()
    assert driver.slot == before


def test_a_timer_of_another_life_does_nothing() -> None:
    driver = Driver()
    driver.turn()
    assert driver.slot.timer is not None
    late = replace(driver.slot.timer, at_s=0.0, incarnation="life-0")
    driver.slot = replace(driver.slot, timer=late)
    assert driver.turn(1_000) == ()


def test_every_state_can_be_reached_and_only_three_start_a_process() -> None:
    reached = {row.enters for row in TABLE.values()} | {SlotState.BACKOFF, SlotState.FATAL}
    assert reached == set(SlotState)
    starts = {row.state for row in TABLE.values() if row.deed is Deed.SPAWN}
    assert starts == {SlotState.DOWN, SlotState.BACKOFF, SlotState.FATAL}


def test_states_with_a_life_that_may_not_last_have_a_timer() -> None:
    passing = {SlotState.STARTING, SlotState.DRAINING, SlotState.STOPPING, SlotState.KILLING}
    for row in TABLE.values():
        assert (row.timer is not None) == (row.enters in passing), row


# What operators and configurations want


def test_a_life_to_be_replaced_finishes_its_job_and_a_new_one_starts_at_once() -> None:
    driver = Driver().make_ready().live_for(10)
    driver.slot = want(driver.slot, Desired.REPLACE)
    driver.turn()
    assert (driver.state(), driver.deeds()) == (SlotState.DRAINING, [Deed.DRAIN])
    driver.exit(1.0, code=0)
    assert (driver.state(), driver.reason()) == (SlotState.DOWN, "replaced")
    driver.turn()
    assert (driver.state(), driver.deeds()) == (SlotState.STARTING, [Deed.SPAWN])
    assert driver.slot.desired is Desired.UP


def test_a_drained_slot_stays_down() -> None:
    driver = Driver().make_ready().live_for(10)
    driver.slot = want(driver.slot, Desired.DRAINED)
    driver.turn()
    assert (driver.state(), driver.deeds()) == (SlotState.DRAINING, [Deed.DRAIN])
    driver.exit(1.0, code=0)
    driver.turn(1_000.0)
    assert (driver.state(), driver.reason()) == (SlotState.DOWN, "drained")


def test_a_replaced_life_that_does_not_drain_in_time_is_stopped_and_counts_for_nothing() -> None:
    driver = Driver().make_ready().live_for(10)
    driver.slot = want(driver.slot, Desired.REPLACE)
    driver.turn()
    driver.live_for(RULES.drain_timeout_s)
    assert driver.state() is SlotState.STOPPING
    driver.exit(1.0, code=4)
    assert driver.slot.failures == 0


@pytest.mark.parametrize("state", [SlotState.BACKOFF, SlotState.FATAL])
def test_an_operator_starts_a_slot_that_waits_at_once_and_forgives_it(state: SlotState) -> None:
    driver = Driver()
    driver.turn()
    driver.exit(code=78 if state is SlotState.FATAL else 1)
    assert driver.state() is state
    driver.slot = want(driver.slot, Desired.REPLACE)
    driver.turn()
    assert (driver.state(), driver.deeds()) == (SlotState.STARTING, [Deed.SPAWN])
    assert (driver.slot.failures, driver.slot.crashes_s, driver.slot.on_trial) == (0, (), False)


def test_a_start_with_old_settings_is_given_up_for_one_with_new_ones() -> None:
    driver = Driver()
    driver.turn()
    driver.slot = want(driver.slot, Desired.REPLACE)
    driver.turn()
    assert (driver.state(), driver.deeds()) == (SlotState.STOPPING, [Deed.TERMINATE])
    driver.exit(signal=15)
    driver.turn()
    assert (driver.state(), driver.slot.failures) == (SlotState.STARTING, 0)


def test_a_slot_wanted_up_again_while_it_goes_down_is_replaced() -> None:
    driver = Driver().make_ready().live_for(10)
    driver.slot = want(driver.slot, Desired.DOWN)
    driver.turn()
    driver.slot = want(driver.slot, Desired.UP)
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


def test_how_a_start_failed_is_remembered_until_a_life_was_ready() -> None:
    driver = Driver()
    driver.turn()
    driver.exit(code=1)
    assert driver.slot.start_failure == "exit code 1"
    driver.turn(60.0)
    driver.beat(1.0, ready=True)
    driver.exit(code=1)
    assert driver.slot.start_failure == ""


def test_a_life_that_was_ready_shows_that_starts_work_however_it_ends() -> None:
    driver = Driver()
    driver.turn()
    driver.exit(code=1)
    driver.turn(60.0)
    driver.beat(0.1, ready=True)
    driver.beat(0.1, recycle="it has done 5 jobs (max_jobs)", jobs_done=5)
    driver.exit(code=0)
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
def test_who_dies_of_the_signal_it_was_sent_was_stopped(desired: Desired, reason: str) -> None:
    driver = Driver()
    driver.turn()
    driver.slot = want(driver.slot, desired)
    driver.turn()
    driver.exit(0.1, signal=15)
    assert driver.reason() == reason


def test_a_recycled_life_that_had_to_be_killed_is_counted_as_hung() -> None:
    driver = Driver(Rules(beat_timeout_s=10_000)).make_ready()
    driver.beat(2, recycle="x", jobs_done=1)
    driver.turn(RULES.drain_timeout_s)
    driver.turn(RULES.stop_timeout_s)
    driver.exit(0.1, signal=6)
    assert bury(driver).cause is Cause.HUNG


# Limits


def test_a_life_past_its_memory_limit_is_replaced_after_its_job() -> None:
    driver = Driver(Rules(max_memory_bytes=2**20)).make_ready().live_for(10)
    driver.beat(2.0, rss_bytes=2**20 + 1, job=JOB)
    assert (driver.state(), driver.deeds()) == (SlotState.DRAINING, [Deed.DRAIN])
    assert "max_memory_mb" in driver.slot.reason


def test_a_life_far_past_its_memory_limit_is_killed_even_while_it_drains() -> None:
    driver = Driver(Rules(max_memory_bytes=2**20)).make_ready().live_for(10)
    driver.beat(2.0, rss_bytes=2**20 + 1)
    driver.beat(2.0, rss_bytes=2**21)
    assert (driver.state(), driver.deeds()) == (SlotState.KILLING, [Deed.ABORT])
    driver.exit(signal=6)
    assert bury(driver).cause is Cause.MEMORY_LIMIT


def test_lives_past_their_age_are_replaced_not_all_at_once() -> None:
    ages_s = set()
    for uniform in (0.0, 0.5, 1.0):
        driver = Driver(Rules(max_age_s=100))
        driver.turn(uniform=uniform)
        assert driver.slot.life is not None
        ages_s.add(driver.slot.life.max_age_s)
        driver.beat(1.0, ready=True)
        driver.live_for(102)
        assert driver.state() is SlotState.DRAINING
    assert ages_s == {90, 95, 100}


def test_lives_that_are_replaced_for_the_work_they_did_are_no_loop() -> None:
    driver = Driver()
    for _ in range(6):
        driver.turn()
        driver.beat(0.1, ready=True)
        driver.beat(0.1, recycle="it has done 5 jobs (max_jobs)", jobs_done=5)
        driver.exit(code=0)
        assert (driver.state(), driver.slot.failures) == (SlotState.DOWN, 0)
    assert bury(driver).cause is Cause.RECYCLED


# The write lock


@pytest.mark.parametrize("status", OsStatus)
def test_whoever_holds_the_write_lock_is_killed_unless_it_waits_for_the_disk(
    status: OsStatus,
) -> None:
    driver = Driver().make_ready()
    driver.beat(1.0, lock_held_s=RULES.lock_hold_s - 0.1, os_status=status)
    assert driver.state() is SlotState.READY
    driver.beat(1.0, lock_held_s=RULES.lock_hold_s, os_status=status)
    waits = status is OsStatus.UNINTERRUPTIBLE
    assert driver.state() is (SlotState.READY if waits else SlotState.KILLING)


def test_a_starting_or_stopping_life_that_holds_the_write_lock_is_killed_too() -> None:
    driver = Driver()
    driver.turn()
    driver.see(1.0, lock_held_s=6.0)
    assert (driver.state(), driver.told()) == (SlotState.KILLING, [Kind.WORKER_HUNG])
    driver = Driver().make_ready()
    driver.slot = want(driver.slot, Desired.DOWN)
    driver.turn()
    driver.see(1.0, lock_held_s=6.0)
    assert driver.state() is SlotState.KILLING


# What is told of an end


def bury(driver: Driver) -> Bury:
    [burial] = [action for action in driver.actions if isinstance(action, Bury)]
    return burial


@pytest.mark.parametrize(
    ("told", "reason", "cause"),
    [
        (True, "killed by the kernel: out of memory", Cause.OUT_OF_MEMORY),
        (False, "killed by SIGKILL, not for memory: somebody sent it", Cause.KILLED),
        (None, "killed by SIGKILL; out of memory?", Cause.KILLED),
    ],
)
def test_a_death_by_sigkill_is_put_down_to_memory_where_the_kernel_says_so(
    told: bool | None, reason: str, cause: Cause
) -> None:
    driver = Driver().make_ready().live_for(4)
    driver.exit(1.0, signal=9, out_of_memory=told)
    assert (driver.reason(), bury(driver).cause) == (reason, cause)
    assert driver.slot.last_exit is not None
    assert (driver.slot.last_exit.out_of_memory, driver.slot.last_exit.uptime_s) == (told, 6.0)


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
def test_an_end_is_counted_as_what_it_was(how: dict[str, Any], cause: Cause) -> None:
    driver = Driver().make_ready()
    driver.exit(1.0, **how)
    assert bury(driver).cause is cause


def test_the_latest_exits_are_kept() -> None:
    driver = Driver()
    for code in range(1, 8):
        driver.turn(400.0)
        driver.beat(1.0, ready=True)
        driver.live_for(6)
        driver.exit(1.0, code=code)
    assert [one.code for one in driver.slot.exits] == [7, 6, 5, 4, 3]


def test_a_hang_says_whether_it_was_busy() -> None:
    driver = Driver().make_ready()
    driver.see(RULES.beat_timeout_s, cpu_percent=99.0)
    assert driver.slot.reason == "no heartbeat for 15 s, busy: 99 % of a core"


def test_a_life_that_sigkill_does_not_end_is_fenced_once() -> None:
    driver = Driver().make_ready()
    driver.turn(RULES.beat_timeout_s)
    driver.turn(RULES.abort_wait_s)
    driver.turn(RULES.kill_wait_s)
    fences = [action for action in driver.actions if isinstance(action, Fence)]
    assert driver.state() is SlotState.STUCK
    assert [one.incarnation for one in fences] == ["life-1"]
    assert driver.turn(60.0) == ()
