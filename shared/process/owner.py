"""Tell a user who may not use a file whose it is."""

import os
import pwd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

READ_ONLY = (
    "its disk is mounted read-only, and everything that opens a database writes to its folder: "
    "mount it for writing (mount -o remount,rw), or put a copy elsewhere"
)


def run_as_owner(path: "Path") -> str:
    """Return `: run it as its owner: sudo -u NAME` for a file or folder of another user, or "".

    If the path cannot be reached, the owner of the nearest folder that can be is named.
    """
    for nearest in (path, *path.absolute().parents):
        try:
            uid = nearest.stat().st_uid
        except OSError:
            continue
        return "" if uid == os.geteuid() else f": run it as its owner: sudo -u {_name_of(uid)}"
    return ""


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a user of another machine or container
        return f"#{uid}"
