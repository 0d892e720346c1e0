"""Tell a user who may not use a file what to do: as whom to run the command, for example."""

import os
import pwd
import shlex
import stat
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

READ_ONLY = (
    "its disk is mounted read-only, and everything that opens a database writes to its folder: "
    "mount it for writing (mount -o remount,rw), or put a copy elsewhere"
)

_command: list[str] = []
"""The command line of this process, if a person may type it again."""


def name_command(arguments: Sequence[str]) -> None:
    """Note how this process was started, as `sys.orig_argv` has it."""
    is_script = len(arguments) > 1 and not arguments[1].startswith("-")
    _command[:] = arguments[1:] if is_script else arguments


def run_as_owner(path: "Path") -> str:
    """Return `: run it as its owner: sudo -u NAME …` for a file or folder of another user, or "".

    The whole command follows where it is known.
    For what cannot be reached, the owner of the nearest folder that can is named.
    """
    for one in (path, *path.absolute().parents):
        try:
            uid = one.stat().st_uid
        except OSError:
            continue
        if uid == os.geteuid():
            return ""
        # sudo drops the variable by which this command has found its file.
        config = os.environ.get("ORPHEUS_CONFIG")
        variable = ["env", f"ORPHEUS_CONFIG={config}"] if config and _command else []
        words = ["sudo", "-u", _name_of(uid), *variable, *_command]
        if not _may_read(uid, sys.executable):
            python = shlex.quote(sys.executable)
            return (
                f": its owner is {_name_of(uid)}, who cannot read {python}: install Orpheus where "
                "that user can read it, or change the owner"
            )
        return f": run it as its owner: {shlex.join(words)}"
    return ""


def _may_read(uid: int, file: str) -> bool:
    """Return whether a user, without regard to groups, may enter all folders of a file."""
    from pathlib import Path  # noqa: PLC0415 - only for this message

    for folder in Path(file).resolve().parents:
        found = folder.stat()
        if uid not in (0, found.st_uid) and not found.st_mode & stat.S_IXOTH:
            return False
    return True


def other_owner(folder: "Path") -> str:
    """Return who owns a folder, or "" if it is the user of this process."""
    uid = folder.stat().st_uid
    return "" if uid == os.geteuid() else _name_of(uid)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a user of another machine or container
        return f"#{uid}"
