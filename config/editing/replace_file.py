"""Replace a file, unless somebody has changed it since it was read.

Editors take no lock, so a look at the file before it is renamed over can always be too early. So
the new file and the old one change places in one step (RENAME_EXCHANGE), and only then the old
one is compared with what was read: under its new name nobody else can find it. A lease on it
tells of an editor that has it open and writes in place. If it is not what was read, both change
places again, and the save of the editor is where it was.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

from orpheus.shared.process.files import sync_folder

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def new_file(target: Path, content: bytes) -> Iterator[Path]:
    """Write a new file beside `target`, with its owner and mode, and yield its path.

    If there is no `target`, only its owner can read it, as it may hold secrets. What has that path
    in the end is deleted. Raises OSError.
    """
    try:
        like = target.stat()
    except FileNotFoundError:
        like = None
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    with written_file(path, content, like):
        yield path


@contextlib.contextmanager
def written_file(path: Path, content: bytes, like: os.stat_result | None = None) -> Iterator[None]:
    """Write a new file that nobody else can read, or that has the owner and mode of `like`.

    It is on the disk inside; what has that path in the end is deleted. Raises OSError.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            if like is not None:
                if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(fd, like.st_uid, like.st_gid)
                os.fchmod(fd, like.st_mode & 0o7777)
            file.write(content)
            file.flush()
            os.fsync(fd)
        yield
    finally:
        path.unlink(missing_ok=True)


def replace_file(target: Path, new: Path, expected: bytes, backup: Path) -> bool:
    """Put `new` in the place of `target`, and what was there in the place of `backup`.

    False if the target did not hold `expected`, or is open for writing. Then, and if this raises
    OSError, the target is as it was.
    """
    ours = new.stat().st_ino
    exchange(new, target)
    try:
        is_expected = not _is_open_for_writing(new) and new.read_bytes() == expected
        if is_expected:
            sync_folder(target.parent)
            new.replace(backup)
            return True
    except BaseException:
        _put_back(new, target, ours)
        raise
    _put_back(new, target, ours)
    return False


def put_where_none_is(target: Path, new: Path) -> bool:
    """Give `new` the name `target` too; False if there is such a file by now. Raises OSError."""
    try:
        os.link(new, target)
    except FileExistsError:
        return False
    sync_folder(target.parent)
    return True


def _put_back(old: Path, target: Path, put_in: int) -> None:
    """Give `target` the file `old` again; a file that replaced ours meanwhile is newer, and stays.

    `put_in`: the inode of what was put in last. It must come out; another file goes back in.
    """
    while True:
        goes_in = old.stat().st_ino
        exchange(old, target)
        if old.stat().st_ino == put_in:
            return
        put_in = goes_in


def exchange(one: Path, other: Path) -> None:
    """Let two files change places in one step. Raises OSError."""
    try:
        failed = _libc.renameat2(
            _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE
        )
    except AttributeError:  # a C library without it
        failed, number = -1, errno.ENOSYS
    else:
        number = ctypes.get_errno()
    if failed:
        is_unable = number in (errno.EINVAL, errno.ENOSYS)
        unable = "its file system cannot exchange two files; edit it there"
        raise OSError(number, unable if is_unable else os.strerror(number), str(other))


def _is_open_for_writing(path: Path) -> bool:
    """Return whether a process has the file open for writing; False if that cannot be told."""
    with path.open("rb") as file:
        # An open that breaks the lease sends this signal, which does nothing. SIGIO would kill.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            return error.errno == errno.EAGAIN
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
