"""Evaluates the rules of alerts in children that are killed, each one step later than the last.

Run as a program: `alerts_killed.py URL STATE_DIR WALL_MS`. A step is a call of the database, or a
failpoint. It ends with the first child that comes to its end, and prints how many were killed.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.job_types import admission  # noqa: F401 - here once, and not in each child
from orpheus.shared.operations import alerts
from orpheus.shared.storage import open_store
from orpheus.shared.storage.postgres import database as postgres_database
from orpheus.shared.storage.sqlite import connection as sqlite_connection

_CALLS = ("all", "one", "run", "run_many", "send", "insert", "number_events")


class Steps:
    """Counts the steps of this process, and kills it before one of them."""

    def __init__(self, most: int) -> None:
        self._left = most

    def step(self, *_: object) -> None:
        """Take a step."""
        self._left -= 1
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call that is a step."""

        def counted_call(*values: Any) -> Any:
            self.step()
            return call(*values)

        return counted_call


class Clock:
    """Stands still."""

    boot_id = "boot-1"

    def __init__(self, wall_ms: int) -> None:
        self._wall_ms = wall_ms

    def wall_ms(self) -> int:
        return self._wall_ms

    def monotonic_ms(self) -> int:
        return self._wall_ms


def evaluate(url: str, state_dir: str, wall_ms: int, steps: Steps) -> None:
    """Evaluate all rules, as far as that gets."""
    store = open_store(url, clock=Clock(wall_ms), state_dir=state_dir)
    for name in _CALLS:
        setattr(store._database, name, steps.counted(getattr(store._database, name)))
    for module in (sqlite_connection, postgres_database):
        setattr(module, "program_failpoint", steps.step)  # noqa: B010 - mypy knows it is not ours
    setattr(alerts, "failpoint", steps.step)  # noqa: B010
    alerts.fire_alerts(store, StoredSettings({}, (), JobDefaults(3, 900.0)))


def main(url: str, state_dir: str, wall_ms: str) -> None:
    """Kill children until one is not killed any more."""
    killed, status = -1, int(signal.SIGKILL)
    while status == signal.SIGKILL:
        killed += 1
        child = os.fork()
        if child == 0:
            evaluate(url, state_dir, int(wall_ms), Steps(killed))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
    assert status == 0, os.waitstatus_to_exitcode(status)
    sys.stdout.write(f"{killed}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
