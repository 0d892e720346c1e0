"""A file in which a process tells others something, and which counts only while it runs.

The pid alone would not tell: it may be another process's by then, or of an earlier boot.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orpheus.shared.process.clock import SystemClock, create_time_s, is_alive


def write_note(path: Path, values: Mapping[str, Any]) -> None:
    """Write `values` for others to read, in one step; only this user may. Raises OSError.

    Only one process at a time may write to `path`.
    """
    pid = os.getpid()
    myself = {"pid": pid, "created_s": create_time_s(pid), "boot_id": SystemClock().boot_id}
    new = path.with_name(f".{path.name}.new")  # always the same: what a killed one left is replaced
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump({**values, **myself}, file)
    new.replace(path)


def read_note(path: Path) -> dict[str, Any] | None:
    """Return what a process has written, with its `pid`; None if none that runs has."""
    try:
        note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        is_this_boot = note["boot_id"] == SystemClock().boot_id
        return note if is_this_boot and is_alive(note["pid"], note["created_s"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
