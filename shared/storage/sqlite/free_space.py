"""How much space is left on the device that holds the database."""

import os
from pathlib import Path

from orpheus.shared.errors import DatabaseUnusable


def free_bytes_beside(path: Path) -> int:
    """Return the free space of the folder of a file. Raises DatabaseUnusable."""
    try:
        disk = os.statvfs(path.parent)
    except OSError as error:
        raise DatabaseUnusable(
            f"the free space of the folder of {path} cannot be read: {error}"
        ) from error
    return disk.f_bavail * disk.f_frsize
