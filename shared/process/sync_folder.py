"""Keeps the names in a folder over a power failure, where its file system can be told to."""

import errno
import os
from pathlib import Path

_CANNOT_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
"""How shared folders of VirtualBox, some FUSE and network file systems refuse to sync a folder."""


def sync_folder(folder: Path) -> None:
    """Write to the disk which names the folder holds. Raises OSError if that fails."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(fd)
