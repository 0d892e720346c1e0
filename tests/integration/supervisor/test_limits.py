"""Real processes past a limit: memory, age, replacements, and the write lock."""

from collections.abc import Callable
from typing import Any

import psutil
import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import SlotState

Start = Callable[..., Any]


def test_a_child_that_outgrows_its_pool_s_limit_is_drained_and_replaced(harness: Start) -> None:
    running = harness("grows", max_memory_bytes=60 * 2**20, hard_memory_factor=100.0)
    slot = running.until_exit()
    assert slot.last_exit.reason.endswith("MiB (max_memory_mb)")
    assert slot.last_exit.code == 0
    assert running.stop() == 0


def test_a_child_far_beyond_its_memory_limit_is_killed(harness: Start) -> None:
    # Without room between the two limits: it might be looked at there, and be replaced in peace.
    running = harness("grows", max_memory_bytes=60 * 2**20, hard_memory_factor=1.0)
    slot = running.until_exit()
    assert "far beyond max_memory_mb" in slot.last_exit.reason
    assert slot.last_exit.signal == "SIGABRT"
    assert running.stop() == 0


def test_a_child_past_its_age_is_replaced(harness: Start) -> None:
    running = harness(max_age_s=0.5)
    slot = running.until_exit()
    assert "(max_age)" in slot.last_exit.reason
    assert slot.last_exit.code == 0
    assert running.stop() == 0


def test_recycling_in_a_loop_is_slowed_down(harness: Start) -> None:
    running = harness("wants_to_be_replaced", backoff_base_s=60.0, backoff_max_s=60.0)
    slot = running.until_state(SlotState.BACKOFF)
    assert slot.restarts == 2
    assert running.stop() == 0


@pytest.mark.parametrize("stopped", [True, False])
def test_a_child_that_holds_the_write_lock_is_killed(harness: Start, stopped: bool) -> None:
    running = harness("holds_the_write_lock", lock_hold_s=1.0, beat_timeout_s=30.0)
    if stopped:  # nothing can be written by then: its pid is not in the database
        running.until(lambda: "holds it" in running.log(), "it to hold it")
        [holder] = psutil.Process(running.process.pid).children()
        holder.suspend()
    ended = running.until(lambda: held_the_lock(running), "whoever holds it to be ended")
    assert "holds the database's write lock" in ended.last_exit.reason
    assert "in holds_the_write_lock" in ended.last_exit.evidence, "where it stood, stopped or not"
    running.store.jobs.submit(NewJob(type="sleep"))  # it can be written again
    assert "database_held_by_foreign_process" not in running.log()
    running.until_state(SlotState.READY)
    assert running.stop() == 0


def held_the_lock(running: Any) -> Any:
    """The slot whose process was killed."""
    return next((slot for slot in running.slots().values() if slot.last_exit), None)
