"""Files mapped into memory: what a process writes there survives it, without a system call.

A mapped page that has no block on the disk is a trap: if the disk is full when the process writes
to it, the kernel ends the process with SIGBUS. So the blocks are allocated before the file is
mapped, and a full disk is an error that the caller can wait out.
"""

import mmap
import os
from pathlib import Path

from orpheus.shared.errors import NO_SPACE, DatabaseFull, DatabaseUnusable
from orpheus.shared.process.folders import make_folder
from orpheus.shared.process.owner import run_as_owner


def create_mapped_file(path: Path, size: int) -> mmap.mmap:
    """Make the file at `path`, and its folder, with `size` bytes of zero, and map it.

    What the file held before is lost. Raises DatabaseFull if the disk has no room for it, and
    DatabaseUnusable if it cannot be made for another reason.
    """
    try:
        make_folder(path.parent)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, size)
            return mmap.mmap(fd, size)
        finally:
            os.close(fd)
    except OSError as error:
        raise cannot_make(path, error) from error


def cannot_make(path: Path, error: OSError) -> DatabaseFull | DatabaseUnusable:
    """Return what to raise where a file or folder of ours cannot be made."""
    if error.errno in NO_SPACE:
        return DatabaseFull(f"no space left on the device for {path}")
    return DatabaseUnusable(f"cannot make {path}: {error.strerror}{run_as_owner(path)}")
