"""Real processes that fail in every way a process can, and what the supervisor does about each."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Holder, NewJob, Outcome, Status
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.process.crash_cell import Cell
from orpheus.shared.views.slot_reasons import reason_of
from tests.integration.supervisor.conftest import CHILDREN
from tests.machine import PATIENCE_S, slowness

Start = Callable[..., Any]


def test_children_become_ready_and_stop_in_order(harness: Start) -> None:
    running = harness(count=3)
    pids = {running.until_state(SlotState.READY, f"a-{n}").pid for n in (1, 2, 3)}
    assert len(pids) == 3
    assert running.stop() == 0
    assert not running.slots()
    kinds = Counter(event.kind for event in running.events())
    assert kinds == {
        Kind.WORKER_STARTED: 3,
        Kind.WORKER_READY: 3,
        Kind.WORKER_EXITED: 3,
        Kind.SUPERVISOR_STOPPING: 1,
    }


def test_a_killed_child_is_replaced_and_its_lease_is_free_at_once(harness: Start) -> None:
    running = harness()
    slot = running.until_state(SlotState.READY)
    store = running.store
    job = store.jobs.submit(NewJob(type="sleep")).job
    [lease] = store.leases.lease(
        Holder("a-1", slot.incarnation, slot.pid), ("*",), limit=1, ttl_ms=60_000
    )
    cell = Cell.create(store.state.cell(slot.incarnation))
    cell.enter(lease.token, lease.job_id)
    killed_s = time.monotonic()
    os.kill(slot.pid, signal.SIGKILL)
    running.until(lambda: store.jobs.get(job.id).status is Status.PENDING, "the lease to be free")
    assert time.monotonic() - killed_s < 1.0 * slowness(), "P10 says 0.2 s"
    again = running.until_state(SlotState.READY, not_pid=slot.pid)
    assert again.incarnation != slot.incarnation
    assert again.restarts == 1
    assert again.last_exit.reason.startswith("killed by SIGKILL")
    assert again.last_exit.signal == "SIGKILL"
    assert again.last_exit.jobs == (job.id,)
    [attempt] = store.jobs.attempts(job.id)
    assert attempt.outcome is Outcome.CRASHED
    assert "killed by SIGKILL" in attempt.error.message
    assert not store.state.cell(slot.incarnation).exists()
    assert running.stop() == 0


def test_a_child_that_floods_its_channel_delays_no_other(harness: Start) -> None:
    child = [sys.executable, str(CHILDREN / "child.py")]
    slots = {"a-1": [*child, "floods_its_channel"], "a-2": [*child, "well"]}
    running = harness(slots=slots, start_timeout_s=60.0)
    for _ in range(3):
        slot = running.until_state(SlotState.READY, "a-2")
        os.kill(slot.pid, signal.SIGKILL)
        running.until_state(SlotState.READY, "a-2", not_pid=slot.pid)
    assert running.slot("a-2").degraded is False
    assert "supervisor_stalled" not in running.log()
    running.stop()


def test_a_handover_larger_than_the_channel_arrives(harness: Start) -> None:
    running = harness(count=2, handover_bytes=3_000_000)
    running.until_state(SlotState.READY, "a-1")
    running.until_state(SlotState.READY, "a-2")
    assert running.stop() == 0


def test_a_child_that_never_reads_its_large_handover_is_killed_and_delays_no_other(
    harness: Start,
) -> None:
    deaf = [sys.executable, "-c", "import time; time.sleep(1000)"]
    slots = {"a-1": deaf, "a-2": [sys.executable, str(CHILDREN / "child.py"), "well"]}
    running = harness(slots=slots, handover_bytes=3_000_000)
    running.until_state(SlotState.READY, "a-2")
    assert running.until_exit("a-1").last_exit.reason == "not ready within 5 s; killed"
    assert running.slot("a-2").state is SlotState.READY
    assert running.stop() == 0


def test_a_crash_in_c_leaves_its_stack_as_evidence(harness: Start) -> None:
    running = harness("crashes_in_c")
    slot = running.until_exit()
    assert slot.last_exit.reason == "killed by SIGSEGV"
    assert "Segmentation fault" in slot.last_exit.evidence
    assert "in crashes_in_c" in slot.last_exit.evidence
    assert running.stop() == 0
    assert not list(Path(f"{running.database}-cells").iterdir())


def test_a_child_that_stops_beating_is_killed_and_leaves_its_stack(harness: Start) -> None:
    running = harness("stops_beating")
    slot = running.until_exit()
    assert slot.last_exit.reason == "no heartbeat for 1 s; killed"
    assert slot.last_exit.signal == "SIGABRT"
    assert "in live" in slot.last_exit.evidence
    assert Kind.WORKER_HUNG in {event.kind for event in running.events()}
    running.stop()


def test_beats_do_not_hide_a_main_loop_that_hangs(harness: Start) -> None:
    running = harness("main_loop_hangs")
    assert running.until_exit().last_exit.reason == "main loop stuck for 1 s; killed"
    running.stop()


def test_a_job_past_its_hard_deadline_is_ended_with_its_process(harness: Start) -> None:
    running = harness("job_never_ends")
    slot = running.until_exit()
    assert slot.last_exit.reason == "job 7 (sleep) past its hard deadline; killed"
    running.stop()


def test_a_child_that_is_slow_to_start_is_ended(harness: Start) -> None:
    running = harness("is_slow_to_start", start_timeout_s=0.5)
    assert running.until_exit().last_exit.reason == "not ready within 0.5 s; killed"
    assert running.stop() == 0


def test_a_stopped_child_is_continued_and_not_killed(harness: Start) -> None:
    running = harness()
    slot = running.until_state(SlotState.READY)
    os.kill(slot.pid, signal.SIGSTOP)
    running.until(lambda: "command=continue" in running.log(), "it to be continued")
    time.sleep(1.5)  # longer than it would be given if it did not beat again
    assert running.until_state(SlotState.READY).pid == slot.pid
    assert running.stop() == 0


def test_a_crash_loop_ends_the_supervisor_if_so_configured(harness: Start) -> None:
    running = harness("crashes_at_start", crash_loop_failures=3, exit_on_fatal=True)
    assert running.process.wait(PATIENCE_S) == 70
    kinds = [event.kind for event in running.events()]
    assert kinds.count(Kind.WORKER_STARTED) == 3
    assert kinds.count(Kind.WORKER_FATAL) == 1


def test_a_configuration_error_is_fatal_at_once_and_says_why(harness: Start) -> None:
    running = harness("cannot_be_configured")
    running.until_state(SlotState.FATAL)
    why = "exit code 78: no module named jobs"  # before, it waits until its leases are freed, too
    running.until(lambda: (one := running.slot()) and reason_of(one) == why, "the reason alone")
    assert running.stop() == 0


def test_a_child_that_cannot_be_started_is_tried_again_with_backoff(harness: Start) -> None:
    running = harness(slots={"a-1": ["/no/such/program"]})
    slot = running.until_exit()
    assert slot.last_exit.reason.startswith("cannot start: ")
    running.until(lambda: running.slot().until_ms is not None, "the time of the next try")
    running.until(lambda: running.slot().restarts >= 2, "two more tries")
    assert running.stop() == 0


def test_a_child_that_asks_to_be_replaced_is_replaced(harness: Start) -> None:
    running = harness("wants_to_be_replaced")
    slot = running.until_exit()
    assert slot.last_exit.reason == "enough jobs"
    assert running.stop() == 0


def test_all_children_killed_at_once_all_come_back(harness: Start) -> None:
    running = harness(count=6)
    names = [f"a-{n}" for n in range(1, 7)]
    before = {name: running.until_state(SlotState.READY, name).pid for name in names}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    after = {
        name: running.until_state(SlotState.READY, name, not_pid=before[name]).pid for name in names
    }
    assert set(after.values()).isdisjoint(before.values())
    assert running.stop() == 0


def test_of_sixty_exits_at_once_none_is_missed(harness: Start) -> None:
    names = [f"a-{n}" for n in range(1, 61)]
    slots = {name: ["sh", "-c", "exec sleep 600"] for name in names}
    running = harness(slots=slots, start_timeout_s=300.0)

    supervisor = psutil.Process(running.process.pid)
    running.until(lambda: len(supervisor.children()) == len(names), "all to be started")
    supervisor.suspend()
    for child in supervisor.children():
        child.kill()
    supervisor.resume()

    def seen() -> list[str | None]:
        return [exit.signal for slot in running.slots().values() for exit in slot.exits]

    running.until(lambda: len(seen()) >= len(names), "every exit to be seen")
    assert seen() == ["SIGKILL"] * len(names)
    assert psutil.STATUS_ZOMBIE not in [child.status() for child in supervisor.children()]
    assert running.stop() == 0


def test_what_a_dead_child_started_is_killed(harness: Start) -> None:
    running = harness("leaves_children")
    slot = running.until_state(SlotState.READY)
    own = {running.process.pid, slot.pid}

    def left() -> set[int]:
        return {one.pid for one in running.processes()} - own

    running.until(lambda: len(left()) == 2, "its two children")
    first = left()
    os.kill(slot.pid, signal.SIGKILL)
    running.until(lambda: not first & left(), "its children to be gone")
    supervisor = psutil.Process(running.process.pid)

    def zombies() -> list[psutil.Process]:
        return [c for c in supervisor.children() if c.status() == psutil.STATUS_ZOMBIE]

    running.until(lambda: not zombies(), "every zombie to be reaped")
    assert running.stop() == 0


def test_a_pool_of_which_every_slot_fails_to_start_tries_one_at_a_time(harness: Start) -> None:
    running = harness("cannot_be_configured", count=4)
    others = [f"a-{number}" for number in (2, 3, 4)]
    running.until(lambda: all(held_back(running.slot(name)) for name in others), "them to wait")
    assert {running.slot(name).pid for name in others} == {None}
    assert not held_back(running.slot("a-1"))
    assert running.stop() == 0


def held_back(slot: Any) -> bool:
    """It waits for the first one."""
    return bool(slot) and slot.waits == "waits for a-1 to stay up"
