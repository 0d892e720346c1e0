"""Signals and operators' requests to a supervisor with real children."""

import json
import signal
import sys
from collections.abc import Callable
from typing import Any

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.operations.supervisor_requests import ask_for_slot
from orpheus.shared.storage import Actor

Start = Callable[..., Any]


def test_a_rejected_reload_changes_nothing_and_orders_are_carried_out(harness: Start) -> None:
    running = harness()
    slot = running.until_state(SlotState.READY)
    a_rejected_reload_is_shown_everywhere(running)
    assert running.slot().pid == slot.pid
    ttin_and_ttou_make_a_pool_one_larger_and_one_smaller(running)
    a_drained_slot_stays_down_until_it_is_restarted(running)
    a_restart_drains_first(running)
    assert running.stop() == 0


def a_rejected_reload_is_shown_everywhere(running: Any) -> None:
    running.process.send_signal(signal.SIGHUP)
    told = running.until(
        lambda: (s := running.slot("supervisor")).degraded and s, "the reason to be shown"
    )
    assert told.rejected == "no configuration in this test"
    assert "config_rejected" in running.log()
    rejected = [event for event in running.events() if event.kind is Kind.CONFIG_REJECTED]
    assert json.loads(rejected[0].body)["why"] == "SIGHUP"


def ttin_and_ttou_make_a_pool_one_larger_and_one_smaller(running: Any) -> None:
    running.process.send_signal(signal.SIGTTIN)
    running.until_state(SlotState.READY, "a-2")
    running.process.send_signal(signal.SIGTTOU)
    running.until(lambda: running.slot("a-2") is None, "the second to be gone")
    assert running.slot().state is SlotState.READY


def a_drained_slot_stays_down_until_it_is_restarted(running: Any) -> None:
    before = running.slot()
    running.store.supervision.put_request(RequestAction.DRAIN, "host-1", "a-1")
    down = running.until_state(SlotState.DOWN)
    assert down.last_exit.reason == "drained"
    running.store.supervision.put_request(RequestAction.RESTART, "host-1", "a-1")
    again = running.until_state(SlotState.READY, not_pid=before.pid)
    assert again.restarts == 1


def test_a_silent_child_writes_its_stack_at_a_signal_and_one_that_cannot_yet_is_not_asked(
    harness: Start,
) -> None:
    young = [sys.executable, "-c", "import time; time.sleep(1000)"]
    slots = {"a-1": young, "b-1": "stops_beating"}
    running = harness(slots=slots, start_timeout_s=60.0, beat_timeout_s=60.0)
    slot = running.until_state(SlotState.STARTING)
    running.store.supervision.put_request(RequestAction.STACK, "host-1", "a-1")
    running.until(lambda: "operator_request" in running.log(), "the request to be taken")
    writes_its_stack_at_a_signal_and_goes_on(running, "b-1")
    running.store.supervision.put_request(RequestAction.SCALE, "host-1", "a", 1)
    running.until(lambda: "pool_scaled" in running.log(), "a turn after it")
    assert running.slot().pid == slot.pid
    assert running.slot().exits == ()
    stacks = running.store.state.stack(running.slot("b-1").incarnation)
    running.stop()
    assert not stacks.exists()


def a_restart_drains_first(running: Any) -> None:
    before, counts = running.slot(), running.store.supervision.exit_counts("host-1")
    ada = Actor("cli:ada", "disk swap")
    ask_for_slot(running.store, ada, RequestAction.RESTART, "a-1", None)
    again = running.until_state(SlotState.READY, not_pid=before.pid)
    assert again.last_exit.reason == "replaced"
    replaced = {("a-1", "replaced"): 1}
    assert running.store.supervision.exit_counts("host-1") == {**counts, **replaced}
    assert ("a-1", "replaced") not in counts


def writes_its_stack_at_a_signal_and_goes_on(running: Any, name: str) -> None:
    slot = running.until_state(SlotState.READY, name)
    file = running.store.state.stack(slot.incarnation)

    def has_written() -> bool:
        """One that is heard gets no signal, as its Python code can answer."""
        running.store.supervision.put_request(RequestAction.STACK, "host-1", name)
        return "in live" in file.read_text()

    running.until(has_written, "its stack")
    assert running.until_state(SlotState.READY, name).pid == slot.pid
