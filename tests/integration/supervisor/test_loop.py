"""Real processes that fail in every way a process can, and what the supervisor does about each."""

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Holder, NewJob, Outcome, Status
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.messages.workers import reason_of
from orpheus.shared.process.crash_cell import Cell
from tests.machine import PATIENCE_S, slowness, zombies_of

Start = Callable[..., Any]


def test_children_get_a_handover_larger_than_the_channel_become_ready_and_stop_in_order(
    harness: Start,
) -> None:
    running = harness(count=2, handover_bytes=3_000_000)
    pids = {running.until_state(SlotState.READY, f"a-{n}").pid for n in (1, 2)}
    assert len(pids) == 2
    assert running.stop() == 0
    assert not running.slots()
    kinds = Counter(event.kind for event in running.events())
    assert kinds == {
        Kind.WORKER_STARTED: 2,
        Kind.WORKER_READY: 2,
        Kind.WORKER_EXITED: 2,
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
    slots = {"a-1": "floods_its_channel", "a-2": "well"}
    running = harness(slots=slots, start_timeout_s=60.0)
    slot = running.until_state(SlotState.READY, "a-2")
    os.kill(slot.pid, signal.SIGKILL)
    running.until_state(SlotState.READY, "a-2", not_pid=slot.pid)
    assert running.slot("a-2").degraded is False
    assert "supervisor_stalled" not in running.log()
    running.stop()


def test_a_child_that_never_reads_its_large_handover_is_killed_and_delays_no_other(
    harness: Start,
) -> None:
    deaf = [sys.executable, "-c", "import time; time.sleep(1000)"]
    slots = {"d-1": deaf, "a-1": "well"}
    impatient = {"d": {"start_timeout_s": 1.0}}
    running = harness(slots=slots, handover_bytes=3_000_000, rules_of=impatient)
    running.until_state(SlotState.READY)
    assert running.until_exit("d-1").last_exit.reason == "not ready within 1 s; killed"
    assert running.slot().state is SlotState.READY
    assert running.stop() == 0


ENDS: dict[str, str | list[str]] = {
    "c-1": "crashes_in_c",
    "silent-1": "stops_beating",
    "hanging-1": "main_loop_hangs",
    "endless-1": "job_never_ends",
    "slow-1": "is_slow_to_start",
    "crashing-1": "crashes_at_start",
    "wrong-1": "cannot_be_configured",
    "missing-1": ["/no/such/program"],
    "done-1": "wants_to_be_replaced",
    "large-1": "grows",
    "huge-1": "grows",
    "old-1": "well",
}
LATE = {"beat_timeout_s": 30.0, "start_timeout_s": 60.0, "backoff_base_s": 60.0}
"""So many at once may be slow, and none is started again but those of which it is asked."""
LIMITS: dict[str, dict[str, Any]] = {
    "silent": {"beat_timeout_s": 2.0},
    "hanging": {"beat_timeout_s": 2.0},
    "slow": {"start_timeout_s": 0.5},
    "missing": {"backoff_base_s": 0.05},
    "large": {"max_memory_bytes": 60 * 2**20, "hard_memory_factor": 100.0, "recycle_limit": 1},
    # Without room between the two limits: it might be looked at there, and be replaced in peace.
    "huge": {"max_memory_bytes": 60 * 2**20, "hard_memory_factor": 1.0},
    "old": {"max_age_s": 0.5, "recycle_limit": 1},
}
IGNORES_SIGCHLD = (
    "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def test_each_end_has_its_reason_and_is_seen_though_the_launcher_ignores_sigchld(
    harness: Start,
) -> None:
    launcher = (sys.executable, "-c", IGNORES_SIGCHLD)
    running = harness(slots=ENDS, rules_of=LIMITS, launcher=launcher, backoff_max_s=60.0, **LATE)
    ended = {slot: running.until_exit(slot).last_exit for slot in ENDS if slot != "done-1"}
    reasons = {slot.removesuffix("-1"): one.reason for slot, one in ended.items()}
    assert reasons["c"] == "killed by SIGSEGV"
    assert "Segmentation fault" in ended["c-1"].evidence
    assert "in crashes_in_c" in ended["c-1"].evidence
    assert (reasons["silent"], ended["silent-1"].signal) == (
        "no heartbeat for 2 s; killed",
        "SIGABRT",
    )
    assert "in live" in ended["silent-1"].evidence
    hung = [json.loads(one.body) for one in running.events() if one.kind is Kind.WORKER_HUNG]
    assert "silent-1" in {one["slot"] for one in hung}
    assert reasons["hanging"] == "main loop stuck for 2 s; killed", "beats do not hide it"
    assert reasons["endless"] == "job 7 (sleep) past its hard deadline; killed"
    assert reasons["slow"] == "not ready within 0.5 s; killed"
    assert reasons["crashing"] == "exit code 1"
    assert (reasons["large"].endswith("MiB (max_memory_mb)"), ended["large-1"].code) == (True, 0)
    assert "far beyond max_memory_mb" in reasons["huge"]
    assert ended["huge-1"].signal == "SIGABRT"
    assert ("(max_age)" in reasons["old"], ended["old-1"].code) == (True, 0)
    is_tried_again_with_backoff(running, "missing-1")
    is_fatal_at_once_and_retried_when_it_is_told_to(running, "wrong-1")
    is_replaced_ever_more_slowly(running, "done-1")
    assert running.stop() == 0
    assert not list(Path(f"{running.database}-cells").iterdir())


def is_tried_again_with_backoff(running: Any, slot: str) -> None:
    assert running.slot(slot).exits[0].reason.startswith("cannot start: ")
    running.until(lambda: running.slot(slot).until_ms is not None, "the time of the next try")
    running.until(lambda: running.slot(slot).restarts >= 2, "two more tries")


def is_fatal_at_once_and_retried_when_it_is_told_to(running: Any, slot: str) -> None:
    running.until_state(SlotState.FATAL, slot)
    why = "exit code 78: no module named jobs"  # before, it waits until its leases are freed, too
    running.until(lambda: reason_of(running.slot(slot)) == why, "the reason alone")
    running.store.supervision.put_request(RequestAction.RESTART, "host-1", slot)
    running.until(lambda: running.slot(slot).restarts == 1, "another try")


def is_replaced_ever_more_slowly(running: Any, slot: str) -> None:
    waiting = running.until_state(SlotState.BACKOFF, slot)
    assert waiting.restarts == 2
    assert {one.reason for one in waiting.exits[:1]} == {"enough jobs"}


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
    running.until(lambda: not zombies_of(running.process.pid), "every zombie to be reaped")
    assert running.stop() == 0
