"""What the supervisor asks of the kernel beyond its own children: adoption and identity.

As a subreaper (or as PID 1) it inherits what its children leave behind: those are reaped here,
never by a `wait` that could take a child of ours before its handle has seen the exit. A process
that escaped its group still carries the incarnation of its life in its environment.
"""

import contextlib
import ctypes
import hashlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import psutil

from orpheus.shared.process.child_start import INCARNATION_VARIABLE
from orpheus.shared.process.clock import create_time_s

_INIT = 1
_MARK = INCARNATION_VARIABLE.encode() + b"="
_PR_SET_CHILD_SUBREAPER = 36
_SWEEP_BOUND_S = 2.0
_FAMILY_LENGTH = 12
_SWEEP_STEP_S = 0.01
_SAME_LIFE_S = 0.02  # two ticks: create times are ticks since boot, as floats


def become_subreaper() -> None:
    """Have orphaned descendants handed to this process instead of to PID 1."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def reap_adopted(own: Collection[int]) -> list[int]:
    """Reap every zombie that is no child of ours (`own`: their pids); the pids reaped.

    Stops at the first zombie of ours: its handle takes it in the next turn, and we come again.
    """
    reaped: list[int] = []
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return reaped
        if found is None or found.si_pid in own:
            return reaped
        os.waitid(os.P_PID, found.si_pid, os.WEXITED | os.WNOHANG)
        reaped.append(found.si_pid)


def is_alive(pid: int, created_s: float) -> bool:
    """Whether the process of that pid and create time still runs and is no zombie."""
    try:
        same = abs(create_time_s(pid) - created_s) < _SAME_LIFE_S
        return same and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def bearer_of(pid: int) -> str:
    """The incarnation in a process's environment; "" without one, or where we may not look.

    It is the environment that the process was started with. One that has overwritten it since (to
    change its title), or changed its user, is not found; while it is adopted, `kill_adopted` is.
    """
    for environment in _environments(pid):
        for entry in environment.split(b"\0"):
            if entry.startswith(_MARK):
                return entry.removeprefix(_MARK).decode(errors="replace")
        if environment:
            break
    return ""


def _bearers(wanted: Callable[[str], bool]) -> dict[int, str]:
    """Every living process whose environment has a wanted incarnation: pid -> which."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (incarnation := bearer_of(int(entry.name))):
            found[int(entry.name)] = incarnation
    return {pid: incarnation for pid, incarnation in found.items() if wanted(incarnation)}


def kill_bearers(incarnations: Collection[str]) -> int:
    """SIGKILL all that is left of dead lives, until nothing is (bounded); how many were found."""
    return _kill_all(incarnations.__contains__)


def family_of(database: Path) -> str:
    """What the incarnations of one database begin with.

    So that the next start finds every process that an earlier supervisor of this database left,
    one too young to have a heartbeat row and one whose life has ended in order too.
    """
    return hashlib.sha256(str(database.resolve()).encode()).hexdigest()[:_FAMILY_LENGTH] + "-"


def kill_family(family: str) -> int:
    """SIGKILL every living process of the family, until none is left (bounded); how many.

    Not this one and those above it: a job may start a supervisor, a deployment for example.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return _kill_all(lambda incarnation: incarnation.startswith(family), spared)


def _kill_all(wanted: Callable[[str], bool], spared: Collection[int] = ()) -> int:
    killed: set[int] = set()
    give_up_at = time.monotonic() + _SWEEP_BOUND_S
    while left := {p: name for p, name in _bearers(wanted).items() if p not in spared}:
        for pid, incarnation in left.items():
            kill_if_bearer(pid, incarnation)
        killed.update(left)
        if time.monotonic() > give_up_at:
            break
        time.sleep(_SWEEP_STEP_S)
    return len(killed)


def children() -> set[int]:
    """Every child of this process, started or adopted, zombies too."""
    return {child.pid for child in psutil.Process().children()}


def kill_adopted(own: Collection[int]) -> list[int]:
    """SIGKILL and reap the children that are not `own`, until none is left (2 s); their pids.

    For the end of a run: what a job left behind, outside its process group and without its
    environment (`env -i setsid …`), is ours by adoption. `own` must name what was a child before
    we were the supervisor, too: `sh -c "other & exec orpheus"` leaves its children to us. As PID 1
    nothing is done: strangers are handed to us as well, and the kernel ends all when we end.
    """
    if os.getpid() == _INIT:
        return []
    killed: set[int] = set()
    give_up_at = time.monotonic() + _SWEEP_BOUND_S
    while left := children().difference(own):  # again: the killed leave us their own children
        for pid in left:  # only we could reap it, so that it is still the same
            with contextlib.suppress(PermissionError):  # it has changed its user
                if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is None:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
        if time.monotonic() > give_up_at:
            break
        time.sleep(_SWEEP_STEP_S)
    return sorted(killed)


def kill_if_bearer(pid: int, incarnation: str) -> None:
    """SIGKILL a process, if it still is one that carries `incarnation`."""
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(pid)
        try:
            if bearer_of(pid) == incarnation:  # pidfd_open pins it: it is still the same
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)


def _environments(pid: int) -> Iterator[bytes]:
    """That of its main thread, then those of all: a main thread that has ended shows none."""
    process = Path(f"/proc/{pid}")
    yield _environment(process)
    with contextlib.suppress(OSError):  # it has just ended
        yield from map(_environment, (process / "task").iterdir())


def _environment(task: Path) -> bytes:
    try:
        return (task / "environ").read_bytes()
    except OSError:  # gone, or another user's
        return b""
