"""Tell a user who may not use a file as whom to run the command."""

import os
import pwd
import shlex
from collections.abc import Sequence
from pathlib import Path

_command: list[str] = []
"""The command line of this process, if a person may type it again."""


def name_command(arguments: Sequence[str]) -> None:
    """Note how this process was started, as `sys.orig_argv` has it."""
    is_script = len(arguments) > 1 and not arguments[1].startswith("-")
    _command[:] = arguments[1:] if is_script else arguments


def run_as_owner(path: Path) -> str:
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
        words = ["sudo", "-u", _name_of(uid), *_command]
        return f": run it as its owner: {shlex.join(words)}"
    return ""


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a user of another machine or container
        return f"#{uid}"
