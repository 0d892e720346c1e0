"""How a supervisor with real children stops, in order and by force."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import SlotState
from tests.machine import PATIENCE_S, freeze, slowness

Start = Callable[..., Any]


def test_a_child_that_ignores_term_is_killed_and_the_exit_code_says_so(harness: Start) -> None:
    running = harness("ignores_term")
    running.until_state(SlotState.READY)
    assert running.stop() == 4
    [exited] = [event for event in running.events() if event.kind is Kind.WORKER_EXITED]
    assert json.loads(exited.body)["reason"] == "not stopped within 1 s; killed"


def test_a_child_is_told_how_long_it_has_however_fast_the_signals_come(harness: Start) -> None:
    running = harness("gives_up_when_it_is_told_to", stop_timeout_s=60.0, shutdown_deadline_s=60.0)
    running.until_state(SlotState.READY)
    freeze(running.process.pid)
    running.process.send_signal(signal.SIGTERM)
    running.process.send_signal(signal.SIGINT)
    running.process.send_signal(signal.SIGCONT)
    assert running.process.wait(PATIENCE_S) == 4
    [exited] = [event for event in running.events() if event.kind is Kind.WORKER_EXITED]
    assert json.loads(exited.body)["reason"] == "stopped, and released what it had not finished"


def test_a_third_signal_ends_everything_now(harness: Start) -> None:
    running = harness("ignores_everything", stop_timeout_s=60.0, shutdown_deadline_s=60.0)
    running.until_state(SlotState.READY)
    began_s = time.monotonic()
    assert running.stop(signal.SIGINT, signal.SIGINT, signal.SIGTERM) == 4
    assert time.monotonic() - began_s < 2 * slowness()


def test_hup_stops_the_supervisor_when_its_terminal_is_gone(harness: Start) -> None:
    master, terminal = os.openpty()
    take_terminal = (
        "import os, sys; os.open(sys.argv[1], os.O_RDWR); os.execv(sys.argv[2], sys.argv[2:])"
    )
    running = harness(launcher=(sys.executable, "-c", take_terminal, os.ttyname(terminal)))
    running.until_state(SlotState.READY)
    os.close(terminal)
    os.close(master)
    assert running.process.wait(PATIENCE_S) == 0
    assert "reason=SIGHUP" in running.log()


def test_quit_writes_the_stack_of_the_supervisor_and_ends_it_fast(harness: Start) -> None:
    running = harness("ignores_everything", stop_timeout_s=60.0, shutdown_deadline_s=60.0)
    running.until_state(SlotState.READY)
    began_s = time.monotonic()
    assert running.stop(signal.SIGQUIT) == 4
    assert time.monotonic() - began_s < 6 * slowness()
    assert "most recent call first" in running.log()
