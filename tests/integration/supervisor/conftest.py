"""The supervisor's loop in a process of its own, with children made for the test."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from orpheus.shared.domain.events import Event
from orpheus.shared.domain.processes import SlotRecord, SlotState
from orpheus.shared.storage import Store, open_store
from tests.databases import make_database
from tests.integration.supervisor.configured import Configured, StartSystem
from tests.machine import PATIENCE_S, pause_since, processes_with

CHILDREN = Path(__file__).parent / "children"
MARK = "UNDER_TEST"

QUICK: dict[str, Any] = {
    "start_timeout_s": 5.0,
    "stop_timeout_s": 1.0,
    "drain_timeout_s": 2.0,
    "beat_interval_s": 0.2,
    "beat_timeout_s": 1.0,
    "backoff_base_s": 0.05,
    "backoff_max_s": 0.2,
    "abort_wait_s": 1.0,
    "kill_wait_s": 2.0,
    "stable_s": 0.5,
    "crash_loop_failures": 100,
}


@dataclass
class Harness:
    """A running supervisor loop, seen through its database as anyone sees it."""

    process: subprocess.Popen[bytes]
    database: Path
    mark: str
    log_file: Path
    _store: list[Store] = field(default_factory=list)

    @property
    def store(self) -> Store:
        """The test's own connection, opened once the database is there."""
        if not self._store:
            give_up_at = time.monotonic() + 20
            while b"worker_started" not in self.log_file.read_bytes():
                if self.process.poll() is not None or time.monotonic() > give_up_at:
                    pytest.fail(f"it did not start:\n{self.log()}")
                threading.Event().wait(0.01)
            self._store.append(open_store(f"sqlite:///{self.database}"))
        return self._store[0]

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> Any:
        """The first true value of `condition`; fails with the log."""
        began_s = time.monotonic()
        while not (value := condition()):
            if time.monotonic() - began_s > timeout_s:
                pytest.fail(f"waited {timeout_s} s for {what}; {self.slots()}\n{self.log()}")
            pause_since(began_s)
        return value

    def slots(self) -> dict[str, SlotRecord]:
        """What the supervisor says of its slots."""
        return {slot.slot: slot for slot in self.store.processes.slots()}

    def slot(self, name: str = "a-1") -> SlotRecord | None:
        """One of them."""
        return self.slots().get(name)

    def until_state(self, state: SlotState, name: str = "a-1", not_pid: int = 0) -> SlotRecord:
        """Wait for a slot to be in `state`, with another process than `not_pid`."""

        def reached() -> SlotRecord | None:
            slot = self.slot(name)
            return slot if slot and slot.state is state and slot.pid != not_pid else None

        found = self.until(reached, f"{name} to be {state} again")
        assert isinstance(found, SlotRecord)
        return found

    def until_exit(self, name: str = "a-1") -> SlotRecord:
        """Wait until a process of the slot has ended."""
        found = self.until(lambda: (s := self.slot(name)) and s.last_exit and s, f"{name} to end")
        assert isinstance(found, SlotRecord)
        return found

    def events(self) -> list[Event]:
        """Every event so far."""
        return self.store.events.after(0, 1_000)

    def log(self) -> str:
        """What it and its children wrote."""
        return self.log_file.read_text(errors="replace")

    def stop(self, *signals: signal.Signals) -> int:
        """Send signals (TERM by default), wait for the end, see that no process is left."""
        for number in signals or (signal.SIGTERM,):
            self.process.send_signal(number)
            threading.Event().wait(0.05)  # two equal signals at once are one to the kernel
        code = self.process.wait(PATIENCE_S)
        self.until(lambda: not self.processes(), "every process to be gone")
        return code

    def processes(self) -> list[psutil.Process]:
        """Every living process that descends from this harness."""
        return processes_with(MARK, self.mark)

    def end(self) -> None:
        """Leave nothing behind."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait(PATIENCE_S)
        for store in self._store:
            store.close()


def argv_of(does: str | list[str]) -> list[str]:
    return [sys.executable, str(CHILDREN / "child.py"), does] if isinstance(does, str) else does


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Callable[..., Harness]]:
    """Starts a supervisor loop: `harness("well")`, or `harness(slots={"a-1": "well"})`.

    Slots have a behaviour of children/child.py each, or an argv; `rules_of` the rules of a pool.
    """
    running: list[Harness] = []

    def start(
        behaviour: str = "well",
        *,
        count: int = 1,
        slots: dict[str, str | list[str]] | None = None,
        rules_of: dict[str, dict[str, Any]] | None = None,
        exit_on_fatal: bool = False,
        shutdown_deadline_s: float = 5.0,
        launcher: tuple[str, ...] = (),
        handover_bytes: int = 0,
        **rules: Any,
    ) -> Harness:
        slots = slots or {f"a-{number}": behaviour for number in range(1, count + 1)}
        database = tmp_path / "data" / "orpheus.db"
        make_database(f"sqlite:///{database}")
        plan = {
            "database": str(database),
            "slots": {name: argv_of(does) for name, does in slots.items()},
            "rules": {**QUICK, **rules},
            "rules_of": rules_of or {},
            "exit_on_fatal": exit_on_fatal,
            "shutdown_deadline_s": shutdown_deadline_s,
            "handover_bytes": handover_bytes,
        }
        number = len(running)
        plan_file, log_file = tmp_path / f"plan-{number}.json", tmp_path / f"log-{number}"
        plan_file.write_text(json.dumps(plan))
        mark = uuid.uuid4().hex
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [*launcher, sys.executable, str(CHILDREN / "harness.py"), str(plan_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, MARK: mark},
                start_new_session=True,
            )
        running.append(Harness(process, database, mark, log_file))
        return running[-1]

    yield start
    for one in running:
        one.end()


@pytest.fixture
def configured(start_system: StartSystem, tmp_path: Path) -> Callable[[str], Configured]:
    """Starts Orpheus with a TOML file: `configured("[pools.default]…")`."""
    return lambda toml: Configured(start_system, tmp_path, toml)
