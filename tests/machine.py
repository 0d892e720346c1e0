"""What a test must know of the machine it runs on, and how it waits for a condition."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

PATIENCE_S = 60.0
"""How long a test waits before it fails. On a busy machine it must be far more than is needed."""
HANGS_UP = ("env", "--default-signal=HUP")
"""In front of a command: SIGHUP reaches it, also if the tests run under nohup."""
_STOPPED = {"T", "t"}
_STANDING = _STOPPED | {"Z", "X"}  # or it has ended
_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.2


def folder_in_memory() -> Path | None:
    """Return a folder whose files are kept in memory, if there are 4 GiB to spare.

    There, a commit waits for no disk, and a new file costs a fraction: on ext4, one that is made
    soon after others were deleted costs more time of a processor than all that is done with it.
    """
    folder = Path("/dev/shm")
    if not folder.is_dir() or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return None  # some tests make programs
    if min(shutil.disk_usage(folder).free, psutil.virtual_memory().available) < 4 << 30:
        return None
    return folder


def slowness() -> float:
    """Return how many times longer things take now: the processes that share a core; at least 1.

    A bound that is a promise of the product is multiplied by this.
    """
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def pause_since(began_s: float) -> None:
    """Pause before the next look at what has been waited for since `began_s`.

    Each look costs time that what is waited for needs, so they become rarer: the pause is a tenth
    of the time so far, within bounds.
    """
    waited_s = time.monotonic() - began_s
    threading.Event().wait(min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, waited_s / 10)))


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> Any:
    """Return the first true value of `condition`; fails naming `what` after `timeout_s`."""
    began_s = time.monotonic()
    while not (value := condition()):
        if time.monotonic() - began_s > timeout_s:
            pytest.fail(f"waited {timeout_s} s for {what}")
        pause_since(began_s)
    return value


def freeze(pid: int) -> None:
    """Send SIGSTOP, and wait until the whole process stands.

    One of its threads has to see the signal first. On a busy machine the others run on until then.
    Raises ProcessLookupError if it has ended instead.
    """
    os.kill(pid, signal.SIGSTOP)

    def standing() -> set[str] | None:
        states = _states(pid)
        return states if states <= _STANDING else None

    if not wait_until(standing, f"{pid} to stand") & _STOPPED:
        raise ProcessLookupError(f"{pid} has ended")


def _states(pid: int) -> set[str]:
    """Return the states of the threads of a process, a letter each: `man 5 proc`."""
    states = set()
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        threads = []
    for thread in threads:
        with suppress(OSError):  # it has just ended
            states.add((thread / "stat").read_text().rpartition(")")[2].split()[0])
    return states or {"X"}


def zombies_of(parent: int) -> list[psutil.Process]:
    """Return the children of a process that it has not reaped."""
    zombie = {"ppid": parent, "status": psutil.STATUS_ZOMBIE}
    return [one for one in psutil.process_iter([*zombie]) if one.info == zombie]


def processes_with(variable: str, value: str) -> list[psutil.Process]:
    """Return every living process with this value of a variable in its environment."""
    entry, found = f"{variable}={value}".encode(), []
    for pid in psutil.pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()  # of a zombie: empty
            if entry in environment.split(b"\0"):
                found.append(psutil.Process(pid))
        except (OSError, psutil.NoSuchProcess):
            pass
    return found
