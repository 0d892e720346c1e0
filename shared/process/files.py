"""Files and folders that only their owner may use: made, mapped into memory, told of.

A mapped page that has no block on the disk is a trap: if the disk is full when the process writes
to it, the kernel ends the process with SIGBUS. So the blocks are allocated before a file is mapped,
and a full disk is an error that the caller can wait out.
"""

import errno
import mmap
import os
import pwd
from pathlib import Path

from orpheus.shared.errors import NO_SPACE, DatabaseFull, DatabaseUnusable

READ_ONLY = (
    "its disk is mounted read-only, and everything that opens a database writes to its folder: "
    "mount it for writing (mount -o remount,rw), or put a copy elsewhere"
)
_CANNOT_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
"""How shared folders of VirtualBox, some FUSE and network file systems refuse to sync a folder."""


def make_folder(folder: Path) -> None:
    """Make a folder if it is missing, and those above it. Raises OSError.

    Path.mkdir with `parents` would make those above it by the umask alone.
    """
    for above in reversed(folder.parents):
        if not above.exists():
            above.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def refuse_link(folder: Path) -> None:
    """Raise DatabaseUnusable if a folder is a symbolic link: somebody else may have made it."""
    if folder.is_symlink():
        raise DatabaseUnusable(f"{folder} is a symbolic link; refusing to keep jobs there")


def make_private_folder(folder: Path) -> None:
    """Make a folder if it is missing, and those above it.

    Raises DatabaseFull if the disk has no room for it, and DatabaseUnusable if it cannot be made
    for another reason, or if everyone can write to it.
    """
    try:
        make_folder(folder)
        is_open_to_all = folder.stat().st_mode & 0o002
    except OSError as error:
        raise cannot_make(folder, error) from error
    if is_open_to_all:
        raise DatabaseUnusable(f"{folder} is writable by everyone; refusing to keep jobs there")


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


def run_as_owner(path: Path) -> str:
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
