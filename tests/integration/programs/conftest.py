"""A running Orpheus with real programs."""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.supervisor.configured import Configured, StartSystem
from tests.machine import wait_until

ONE_WORKER = "[pools.default]\nworkers = 1\n"


def program(name: str, *argv: str, **settings: Any) -> str:
    """A `[[programs]]` entry; JSON strings, numbers and lists are TOML, too."""
    lines = [f"{key} = {_toml(value)}" for key, value in settings.items()]
    return "\n".join(["[[programs]]", f'name = "{name}"', f"argv = {_toml(argv)}", *lines, ""])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def shell(script: str) -> tuple[str, str, str]:
    return ("sh", "-c", script)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Programs(Configured):
    """A running Orpheus and the file that names its programs."""

    def slot(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.system.workers()[name]
        return found

    def until(self, name: str, state: str, **more: Any) -> dict[str, Any]:
        """The slot once it is in a state, with another pid than `not_pid`."""
        not_pid = more.get("not_pid", 0)

        def reached() -> dict[str, Any] | None:
            slot = self.system.workers().get(name)
            is_there = slot is not None and slot["state"] == state and slot["pid"] != not_pid
            return slot if is_there else None

        found: dict[str, Any] = wait_until(reached, f"{name} to be {state}: {self.system.log()}")
        return found

    def lines(self, slot: str, query: str = "") -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.system.get(f"/programs/{slot}/logs{query}")["items"]
        return items

    def printed(self, slot: str) -> list[str]:
        """What the program itself has printed."""
        return [one["line"] for one in self.lines(slot) if one["stream"] != "orpheus"]

    def until_printed(self, slot: str, line: str) -> list[str]:
        """What it has printed, once that line is there."""
        found: list[str] = wait_until(
            lambda: lines if line in (lines := self.printed(slot)) else None,
            f"{slot} to print {line}",
        )
        return found

    def ask(self, path: str, body: Any = None) -> None:
        answer = self.system.client.post(path, json=body or {})
        assert answer.status_code == 202, answer.text

    def kill(self, slot: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to its process; its pid."""
        pid = int(self.slot(slot)["pid"])
        os.kill(pid, number)
        return pid


@pytest.fixture
def programs(start_system: StartSystem, tmp_path: Path) -> Callable[[Iterable[str]], Programs]:
    """Starts Orpheus with one worker and these programs."""
    return lambda entries: Programs(start_system, tmp_path, ONE_WORKER + "".join(entries))
