"""A real process that holds the write lock for too long. test_loop.py has the other limits."""

from collections.abc import Callable
from typing import Any

import psutil

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import SlotState

Start = Callable[..., Any]


def test_a_child_that_holds_the_write_lock_is_killed(harness: Start) -> None:
    running = harness("holds_the_write_lock", lock_hold_s=1.0, beat_timeout_s=30.0)
    running.until(lambda: "holds it" in running.log(), "it to hold it")
    [holder] = psutil.Process(running.process.pid).children()
    holder.suspend()  # nothing can be written by then: its pid is not in the database
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
