"""Finds, kills and reaps processes that are not the supervisor's own children, or no longer.

As a subreaper (or as PID 1) the supervisor inherits the processes that its children leave behind.
They are reaped here, never by a `wait` that could take the exit of an own child from its handle.
A process that has left its process group still carries its incarnation in its environment.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import psutil

from orpheus.shared.process.child_start import INCARNATION_VARIABLE
from orpheus.shared.process.state_files import StateFiles

_INIT = 1
_ENTRY = INCARNATION_VARIABLE.encode() + b"="
_PR_SET_CHILD_SUBREAPER = 36
_SWEEP_LIMIT_S = 2.0
_SWEEP_STEP_S = 0.01


def become_subreaper() -> None:
    """Make the kernel give orphaned descendants to this process instead of to PID 1."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def reap_adopted(own: Collection[int]) -> list[int]:
    """Reap every zombie that is not one of the `own` children; return their pids.

    Stops at the first zombie in `own`: its handle reaps it in the next turn, and then this is
    called again.
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


def incarnation_of(pid: int) -> str:
    """Return the incarnation in a process's environment; "" if it has none, or we may not read it.

    This is the environment that the process was started with. A process that has overwritten it (to
    change its title), or has changed its user, is not found; once adopted, `kill_adopted` finds it.
    """
    environment = next(filter(None, _environments(pid)), b"")
    for entry in environment.split(b"\0"):
        if entry.startswith(_ENTRY):
            return entry.removeprefix(_ENTRY).decode(errors="replace")
    return ""


def kill_incarnation(incarnation: str) -> int:
    """SIGKILL every process of an incarnation until none is left (2 s at most); return how many."""
    return _kill_all(incarnation.__eq__)


def incarnation_prefix(state: StateFiles) -> str:
    """Return what the incarnations of one database begin with.

    By it the next start finds every process that an earlier supervisor of this database has left,
    even one too young to have a heartbeat row, or one whose parent has ended in order.
    """
    return f"{state.digest()}-"


def kill_processes_of(state: StateFiles) -> int:
    """SIGKILL every process with the database's prefix until none is left (2 s); return how many.

    Not this process and its ancestors: a job may start a supervisor, to deploy something for
    example.
    """
    prefix = incarnation_prefix(state)
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return _kill_all(lambda incarnation: incarnation.startswith(prefix), spared)


def _kill_all(wanted: Callable[[str], bool], spared: Collection[int] = ()) -> int:
    killed: set[int] = set()
    give_up_at = time.monotonic() + _SWEEP_LIMIT_S
    while left := {p: name for p, name in _incarnations() if wanted(name) and p not in spared}:
        for pid, incarnation in left.items():
            kill_if_incarnation(pid, incarnation)
        killed.update(left)
        if time.monotonic() > give_up_at:
            break
        time.sleep(_SWEEP_STEP_S)
    return len(killed)


def _incarnations() -> Iterator[tuple[int, str]]:
    """Yield the pid and the incarnation of every running process that has one."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (incarnation := incarnation_of(int(entry.name))):
            yield int(entry.name), incarnation


def child_pids() -> set[int]:
    """Return the pid of every child of this process, started or adopted, zombies included."""
    return {child.pid for child in psutil.Process().children()}


def kill_adopted(own: Collection[int]) -> list[int]:
    """SIGKILL and reap the children that are not `own` until none is left (2 s); return their pids.

    This is for the end of a run. Whatever a job left behind, outside its process group and without
    its environment (`env -i setsid …`), is now our child. `own` must also name the children from
    before we became the supervisor: `sh -c "other & exec orpheus"` leaves its children to us. As
    PID 1 nothing is killed: there we also adopt foreign processes, and the kernel ends all of them
    when we end.
    """
    if os.getpid() == _INIT:
        return []
    killed: set[int] = set()
    give_up_at = time.monotonic() + _SWEEP_LIMIT_S
    while left := child_pids().difference(own):  # again: a killed process leaves us its children
        for pid in left:  # only we could reap it, so the pid is still the same process
            with contextlib.suppress(PermissionError):  # it has changed its user
                if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is None:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
        if time.monotonic() > give_up_at:
            break
        time.sleep(_SWEEP_STEP_S)
    return sorted(killed)


def kill_if_incarnation(pid: int, incarnation: str) -> None:
    """SIGKILL a process if it still carries `incarnation`."""
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(pid)
        try:
            if incarnation_of(pid) == incarnation:  # the pidfd still means this same process
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)


def _environments(pid: int) -> Iterator[bytes]:
    """Yield the environment of the main thread, then of all: an ended main thread has none."""
    process = Path(f"/proc/{pid}")
    yield _environment(process)
    with contextlib.suppress(OSError):  # it has just ended
        yield from map(_environment, (process / "task").iterdir())


def _environment(task: Path) -> bytes:
    try:
        return (task / "environ").read_bytes()
    except OSError:  # gone, or another user's
        return b""
