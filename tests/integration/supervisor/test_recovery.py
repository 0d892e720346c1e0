"""Troubles of the supervisor itself: killed, stopped, suspended, or without a database."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Holder, NewJob, Status
from orpheus.shared.domain.processes import ProcessRecord, Role, SlotState
from orpheus.shared.process.clock import SystemClock, create_time_s
from tests.machine import freeze

Start = Callable[..., Any]


def test_children_end_with_a_killed_supervisor_and_the_next_start_ends_what_is_left(
    harness: Start,
) -> None:
    first = harness(slots={"a-1": "ignores_everything", "b-1": "well"}, beat_timeout_s=60.0)
    slot, obeying = (first.until_state(SlotState.READY, name) for name in ("a-1", "b-1"))
    store = first.store
    register_as_worker(store, slot)
    job = store.jobs.submit(NewJob(type="sleep")).job
    store.leases.lease(Holder("a-1", slot.incarnation, slot.pid), ("*",), limit=1, ttl_ms=60_000)
    folder = Path(f"{first.database}-cells")
    for name in ("old", "old.crash", "young"):
        (folder / name).touch()
    for name in ("old", "old.crash"):
        os.utime(folder / name, (0, 0))
    first.process.kill()
    first.process.wait()
    first.until(  # whoever adopted it may take its time to reap it
        lambda: obeying.pid not in {one.pid for one in first.processes()}, "the other to be gone"
    )
    assert psutil.pid_exists(slot.pid)
    second = harness()
    second.until_state(SlotState.READY, not_pid=slot.pid)
    assert not first.processes()
    assert store.jobs.get(job.id).status is Status.PENDING
    assert slot.incarnation not in {row.incarnation for row in store.processes.all()}
    assert {file.name for file in folder.iterdir()} >= {"young"}
    assert not (folder / "old").exists()
    assert not (folder / "old.crash").exists()
    assert second.stop() == 0


def test_no_child_is_killed_for_a_stall_of_the_supervisor_or_a_suspend_of_the_machine(
    harness: Start,
) -> None:
    """The one that died meanwhile is replaced, and its job is to run again."""
    running = harness(count=3, beat_timeout_s=2.0)
    dying, *others = (running.until_state(SlotState.READY, f"a-{n}") for n in (3, 1, 2))
    before = {one.slot: one.pid for one in others}
    store = running.store
    job = store.jobs.submit(NewJob(type="sleep")).job
    store.leases.lease(Holder("a-3", dying.incarnation, dying.pid), ("*",), limit=1, ttl_ms=60_000)
    freeze(running.process.pid)
    os.kill(dying.pid, signal.SIGKILL)
    time.sleep(3.5)  # longer than the beat timeout and than what counts as a stall
    running.process.send_signal(signal.SIGCONT)
    running.until(lambda: "supervisor_stalled" in running.log(), "the stall to be noticed")
    time.sleep(2.5)
    assert {slot: running.slot(slot).pid for slot in before} == before
    before["a-3"] = running.until_state(SlotState.READY, "a-3", not_pid=dying.pid).pid
    assert store.jobs.get(job.id).status is Status.PENDING
    stalls = running.log().count("supervisor_stalled")
    for pid in before.values():
        freeze(pid)
    time.sleep(0.5)  # until each beat is read: one that is left over would excuse its silence
    freeze(running.process.pid)
    time.sleep(3.5)
    running.process.send_signal(signal.SIGCONT)
    running.until(lambda: running.log().count("supervisor_stalled") > stalls, "the stall again")
    for pid in before.values():
        os.kill(pid, signal.SIGCONT)
    for slot, pid in before.items():
        told = running.slot(slot)
        assert (told.state, told.pid) == (SlotState.READY, pid)
    assert running.stop() == 0
    assert "command=continue" not in running.log(), "none was taken for one that somebody stopped"
    assert Kind.WORKER_HUNG not in {event.kind for event in running.events()}


def register_as_worker(store: Any, slot: Any) -> None:
    """Write the heartbeat row that a real worker would."""
    store.processes.register(
        ProcessRecord(
            host="host-1",
            incarnation=slot.incarnation,
            slot=slot.slot,
            pool="a",
            role=Role.WORKER,
            pid=slot.pid,
            create_time_s=create_time_s(slot.pid),
            boot_id=SystemClock().boot_id,
            started_at_ms=0,
            ready=True,
            beat=1,
            last_beat_mono_ms=0,
            job_id=None,
            jobs_done=0,
        )
    )
