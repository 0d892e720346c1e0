"""Jobs that do what real ones should not, and tell an effect log of each begin and end.

A job misbehaves in its first `failures` attempts; then it just ends. With a file `hang` in the
folder $CHAOS_FOLDER the import hangs, with a file `break` it fails: in workers only, as the
supervisor's own look at the job types (`--describe`) comes first. While there is a file
$CHAOS_NEWER_CODE, this is a newer version of the code.
"""

import asyncio
import ctypes
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from orpheus import Context, PermanentError, job

_FOLDER = Path(os.environ["CHAOS_FOLDER"])
_TOO_MUCH_BYTES = 64 * 2**20

if "--describe" not in sys.orig_argv:
    if (_FOLDER / "break").exists():
        raise RuntimeError("broken, as the test wants it")
    while (_FOLDER / "hang").exists():
        time.sleep(0.05)


def tell(what: str, ctx: Context) -> None:
    """One line of the effect log, by one write to a file opened for it: fds may be closed."""
    line = {
        "what": what,
        "pid": os.getpid(),
        "incarnation": os.environ.get("_ORPHEUS_INCARNATION", ""),
        "job": ctx.job_id,
        "attempt": ctx.attempt,
        "at_ns": time.monotonic_ns(),
    }
    fd = os.open(_FOLDER / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, json.dumps(line).encode() + b"\n")
    os.close(fd)


def _sleep(ctx: Context, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        ctx.check_cancelled()
        time.sleep(0.01)


def _fail(ctx: Context, seconds: float) -> None:
    raise RuntimeError("as it was asked to")


def _give_up(ctx: Context, seconds: float) -> None:
    raise PermanentError("as it was asked to")


def _exit(ctx: Context, seconds: float) -> None:
    os._exit(7)


def _segfault(ctx: Context, seconds: float) -> None:
    ctypes.string_at(0)


def _ignore_term(ctx: Context, seconds: float) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _leave_children(ctx, seconds)
    _sleep_deaf(seconds)


def _leave_children(ctx: Context, seconds: float) -> None:
    subprocess.run(["sh", "-c", "sleep 600 & setsid sleep 600 &"], check=True)


def _sleep_deaf(seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        time.sleep(left_s)


def _hold_gil(ctx: Context, seconds: float) -> None:
    left_s = math.ceil(seconds)
    while left_s > 0:
        left_s = ctypes.PyDLL(None).sleep(left_s)


def _spin(ctx: Context, seconds: float) -> None:
    while True:
        pass


def _exhaust_memory(ctx: Context, seconds: float) -> None:
    used_pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    limit = used_pages * resource.getpagesize() + _TOO_MUCH_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limits[1]))
    hoard = []
    try:
        while True:
            hoard.append(bytearray(2**20))
    finally:
        hoard.clear()
        resource.setrlimit(resource.RLIMIT_AS, limits)


def _close_fds(ctx: Context, seconds: float) -> None:
    os.closerange(3, 1024)
    _sleep_deaf(seconds)


def _limit_files(ctx: Context, seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def _change_root(ctx: Context, seconds: float) -> None:
    os.chroot("/proc")


def _fork(leave: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        leave()  # and so it leaves the handler; it must not lease or run another job
    else:
        os.waitpid(child, 0)


def _fork_and_exit(ctx: Context, seconds: float) -> None:
    _fork(sys.exit)


def _fork_and_raise(ctx: Context, seconds: float) -> None:
    def leave() -> None:
        raise RuntimeError("in the child")

    _fork(leave)


def _fork_and_return(ctx: Context, seconds: float) -> None:
    _fork(lambda: None)


_MISDEEDS: dict[str, Callable[[Context, float], None]] = {
    "fail": _fail,
    "give_up": _give_up,
    "exit": _exit,
    "segfault": _segfault,
    "ignore_term": _ignore_term,
    "leave_children": _leave_children,
    "hold_gil": _hold_gil,
    "sleep_deaf": lambda _, seconds: _sleep_deaf(seconds),
    "spin": _spin,
    "exhaust_memory": _exhaust_memory,
    "close_fds": _close_fds,
    "limit_files": _limit_files,
    "change_root": _change_root,
    "fork_and_exit": _fork_and_exit,
    "fork_and_raise": _fork_and_raise,
    "fork_and_return": _fork_and_return,
}


def _do(ctx: Context, does: str, seconds: float, failures: int, children: int) -> dict[str, int]:
    tell("begin", ctx)
    pid = os.getpid()
    if does == "sleep":
        _sleep(ctx, seconds)
    elif does in _MISDEEDS and ctx.attempt <= failures:
        _MISDEEDS[does](ctx, seconds)
    if os.getpid() != pid:  # a child that returns: only the job's own process tells its end
        return {}
    for _ in range(children):
        ctx.enqueue("child", {"parent": ctx.job_id})
    if does == "keyed_parent":
        ctx.enqueue("kept", {}, unique_key=f"shared-{ctx.job_id % 3}")
    tell("end", ctx)
    return {"pid": os.getpid(), "attempt": ctx.attempt}


@job
async def asked_async(
    ctx: Context, request: int, index: int, seconds: float = 0, secret: str = ""
) -> dict[str, int]:
    """The same as a coroutine, which only sleeps."""
    tell("begin", ctx)
    await asyncio.sleep(seconds)
    tell("end", ctx)
    return {"pid": os.getpid(), "attempt": ctx.attempt}


@job
def child(ctx: Context, parent: int) -> dict[str, int]:
    """Submitted by another, with its success."""
    tell("begin", ctx)
    tell("end", ctx)
    return {"pid": os.getpid(), "attempt": ctx.attempt}


@job
def kept(ctx: Context) -> dict[str, int]:
    """One at a time of each of three unique keys, which applications hold in transactions too."""
    tell("begin", ctx)
    tell("end", ctx)
    return {"pid": os.getpid(), "attempt": ctx.attempt}


if Path(os.environ.get("CHAOS_NEWER_CODE", "no")).exists():

    @job("asked")
    def asked_with_note(
        ctx: Context,
        request: int,
        index: int,
        does: str = "nothing",
        seconds: float = 0,
        failures: int = 0,
        children: int = 0,
        secret: str = "",
        note: str = "",
    ) -> dict[str, int]:
        """The same in a newer version of the code, with another field."""
        return _do(ctx, does, seconds, failures, children)

    @job
    def asked_newly(ctx: Context, request: int, index: int, secret: str = "") -> dict[str, int]:
        """What only the newer code knows."""
        return _do(ctx, "nothing", 0, 0, 0)

else:

    @job
    def asked(
        ctx: Context,
        request: int,
        index: int,
        does: str = "nothing",
        seconds: float = 0,
        failures: int = 0,
        children: int = 0,
        secret: str = "",
    ) -> dict[str, int]:
        """What a client asked for; its result says which process did it in which attempt."""
        return _do(ctx, does, seconds, failures, children)
