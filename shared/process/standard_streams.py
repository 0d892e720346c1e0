"""Opens the standard streams that a program was started without.

`orpheus >&-` starts with descriptor 1 closed. The next file to be opened would get its number. If
that is the database, everything that is printed would be written into it.
"""

import os
import sys


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
