"""A running Orpheus whose configuration a test changes."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

StartSystem = Callable[..., Any]


class Configured:
    """A running Orpheus and its TOML file."""

    def __init__(self, start_system: StartSystem, folder: Path, toml: str) -> None:
        self.file = folder / "orpheus.toml"
        self.file.write_text(toml)
        self.system = start_system(config=self.file)
        self.system.wait_until_ready()

    def save(self, toml: str) -> None:
        """As editors do: a new file in the place of the old one."""
        new = self.file.with_suffix(".new")
        new.write_text(toml)
        new.replace(self.file)

    def pids(self) -> dict[str, int]:
        """Slot -> pid."""
        return {name: one["pid"] for name, one in self.system.workers().items()}

    def ready(self) -> set[str]:
        """The slots that are ready."""
        return {name for name, one in self.system.workers().items() if one["state"] == "ready"}

    def signal(self, number: signal.Signals) -> None:
        self.system.process.send_signal(number)
