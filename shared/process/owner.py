"""Tell a user who may not use a file as whom to run the command."""

import os
import pwd
from pathlib import Path


def run_as_owner(path: Path) -> str:
    """Return `: run it as its owner: sudo -u NAME` for a file or folder of another user, or "".

    For what cannot be reached, the owner of the nearest folder that can is named.
    """
    for one in (path, *path.absolute().parents):
        try:
            uid = one.stat().st_uid
        except OSError:
            continue
        if uid == os.geteuid():
            return ""
        return f": run it as its owner: sudo -u {_name_of(uid)}"
    return ""


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a user of another machine or container
        return f"'#{uid}'"
