"""A file with facts about a process, which count only while the process runs.

The pid alone would not tell: it may be another process's by then, or of an earlier boot.
"""

import json
import os
from collections.abc import Container, Mapping
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


def read_note(path: Path, trusted: Container[int]) -> dict[str, Any] | None:
    """Return what a process has written, with its `pid`; None if none that runs has.

    A file counts only if its owner is one of the `trusted` user ids: others may write one, too.
    """
    try:
        # A link would lead to another process's note, and a FIFO would be waited for.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, encoding="utf-8") as file:
            if os.fstat(fd).st_uid not in trusted:
                return None
            note: dict[str, Any] = json.load(file)
        is_this_boot = note["boot_id"] == SystemClock().boot_id
        return note if is_this_boot and is_alive(note["pid"], note["created_s"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
