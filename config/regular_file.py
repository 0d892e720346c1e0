"""Read a file of the configuration: a regular one of a sensible size, without waiting."""

import errno
import os
import stat
from pathlib import Path

_LARGEST_BYTES = 2**20


def read_regular_file(path: Path) -> bytes:
    """Return the content. Raises OSError, also for what has no end and for what may never come."""
    # Without O_NONBLOCK, opening a FIFO waits for a writer.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "Is no regular file", str(path))
        with os.fdopen(fd, "rb", closefd=False) as file:
            content = file.read(_LARGEST_BYTES + 1)
    finally:
        os.close(fd)
    if len(content) > _LARGEST_BYTES:
        raise OSError(errno.EFBIG, f"Is larger than {_LARGEST_BYTES} bytes", str(path))
    return content
