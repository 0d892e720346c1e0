"""Job types that run beside each other in one worker, and tell an effect log what they do."""

import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path

from orpheus import Context, job


def tell(file: str, what: str, ctx: Context) -> None:
    """One line, by one write to a file opened for it."""
    line = {"what": what, "job": ctx.job_id, "at_ns": time.monotonic_ns()}
    fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, json.dumps(line).encode() + b"\n")
    os.close(fd)


@job
async def awaiting_beside(ctx: Context, seconds: float, file: str) -> int:
    """Await, and return the process that runs it."""
    tell(file, "begin", ctx)
    await asyncio.sleep(seconds)
    tell(file, "end", ctx)
    return os.getpid()


@job
def sleeping_beside(ctx: Context, seconds: float, file: str) -> int:
    """Sleep, and return the process that runs it."""
    tell(file, "begin", ctx)
    time.sleep(seconds)
    tell(file, "end", ctx)
    return os.getpid()


@job
def stepping(ctx: Context, file: str) -> None:
    """Never look up, in steps that Python can interrupt."""
    tell(file, "begin", ctx)
    while True:
        time.sleep(0.01)


@job
def deaf_beside(ctx: Context, file: str) -> None:
    """Not even an exception stops it."""
    tell(file, "begin", ctx)
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(600)


@job
def until_there(ctx: Context, wait_for: str, file: str) -> None:
    """Run until a file is there."""
    tell(file, "begin", ctx)
    while not Path(wait_for).exists():
        time.sleep(0.01)


@job
async def until_there_on_the_loop(ctx: Context, wait_for: str, file: str) -> None:
    """Run until a file is there."""
    tell(file, "begin", ctx)
    while not Path(wait_for).exists():  # noqa: ASYNC110, ASYNC240 - a test makes it
        await asyncio.sleep(0.01)


@job
def forking_beside(ctx: Context, how: str) -> int:
    """Fork in a thread; the child leaves the handler."""
    pid = os.fork()
    if pid == 0:
        return _leave(how)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@job
async def forking_on_the_loop(ctx: Context, how: str) -> int:
    """Fork on the loop; the child leaves the handler, or awaits."""
    pid = os.fork()
    if pid == 0:
        if how == "await":
            await asyncio.sleep(0.01)
        return _leave(how)
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:  # noqa: ASYNC110, ASYNC222
        await asyncio.sleep(0.01)
    return os.waitstatus_to_exitcode(ended[1])


def _leave(how: str) -> int:
    if how == "raise":
        raise RuntimeError("in the child")
    if how == "exit":
        sys.exit(7)
    return 0
