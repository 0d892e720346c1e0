"""Makes the standard streams of a program fit to print to.

`orpheus >&-` starts with descriptor 1 closed. Whatever is opened first would then get its number,
the database for example, and everything that is printed would be written into it. And with
PYTHONUNBUFFERED, as in most containers, Python does not notice if only a part of what is printed
could be written: `orpheus jobs --json > file` on a full disk would leave half a document, exit 0.
"""

import io
import os
import sys
from typing import TextIO


def open_missing_streams() -> None:
    """Make descriptors 0, 1 and 2, and Python's streams for them, usable. Call this first."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free number
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - until the process ends
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def write_all() -> None:
    """Write everything that is printed, or raise OSError. Each line is written at once."""
    sys.stdout, sys.stderr = _whole(sys.stdout), _whole(sys.stderr)


def _whole(stream: TextIO) -> TextIO:
    raw = getattr(stream, "buffer", None)
    if not isinstance(raw, io.RawIOBase):
        return stream
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=True)
