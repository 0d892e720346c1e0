"""libfaketime moves the wall clock of a process; the monotonic clock it leaves alone."""

import os
from pathlib import Path

import pytest


def libfaketime() -> Path | None:
    """Return the library, if it is installed."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def moved_clock() -> dict[str, str]:
    """Return the environment of a process whose wall clock is moved, all but by how much.

    Without libfaketime, the test is skipped.
    """
    library = libfaketime()
    if library is None:
        reason = "libfaketime is not installed (apt-get install faketime)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",  # a process that is killed would leave it in /dev/shm
        # Else each wait of a thread for another one ends at once, to be begun again: two hosts
        # would take a whole core.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
