"""Read a file of the configuration: a regular one of a sensible size, without waiting."""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_LARGEST_BYTES = 2**20


def read_regular_file(path: Path) -> bytes:
    """Return the content. Raises OSError, also for a file that is too large or not regular."""
    with open_regular_file(path) as fd, os.fdopen(fd, "rb", closefd=False) as file:
        content = file.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise OSError(errno.EFBIG, f"Is larger than {_LARGEST_BYTES} bytes", str(path))
    return content


def text_of(path: Path) -> str | None:
    """Return the text; None if there is none that can be read."""
    try:
        return read_regular_file(path).decode()
    except (OSError, UnicodeDecodeError):
        return None


@contextlib.contextmanager
def open_regular_file(path: Path) -> Iterator[int]:
    """Open a file for reading. Raises OSError, also for what is no regular file."""
    # Without O_NONBLOCK, opening a FIFO waits for a writer.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Is no regular file", str(path))
        yield fd
    finally:
        os.close(fd)


def state_of(path: Path | None) -> tuple[int, int, int] | None:
    """Return what changes with every save of a file; None if there is none."""
    try:
        status = None if path is None else path.stat()
    except OSError:
        return None
    return status and (status.st_ino, status.st_mtime_ns, status.st_size)


def etag_of(status: os.stat_result) -> str:
    """Return what names the state of a file.

    It is no digest of the text: with it, a reader of the masks could test guesses of a secret.
    """
    state = f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"
    return hashlib.sha256(state.encode()).hexdigest()[:32]
