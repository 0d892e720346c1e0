"""Job types that behave and misbehave in the ways a worker must stand."""

import asyncio
import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

from orpheus import Context, PermanentError, Snooze, job

print("printed while it is imported")  # noqa: T201


@job
def nap(ctx: Context, seconds: float = 0) -> None:
    """Sleep without looking up."""
    time.sleep(seconds)


@job
def chatty(ctx: Context, wait_for: str) -> str:
    """Print and log, then run until a file is there."""
    print("printed")  # noqa: T201
    logging.getLogger("some.library").info("logged")
    ctx.log.warning("told", n=3)
    ctx.progress(0.5, "half way")
    while not Path(wait_for).exists():
        time.sleep(0.01)
    print("at last", end="")  # noqa: T201
    return "done"


@job
def counting(ctx: Context, file: str) -> None:
    """Log a number, and say so in a file, 200 times a second at most."""
    with Path(file).open("w") as told:
        for number in range(1_000_000):
            ctx.log.info(str(number))
            told.write(f"{number}\n")
            told.flush()
            time.sleep(0.005)


@job
def verbose_failure(ctx: Context) -> None:
    """Fail with a very long message."""
    raise RuntimeError("€" * 500_000 + " the end")


@job
def obedient(ctx: Context) -> None:
    """Stop when cancelled."""
    while True:
        ctx.check_cancelled()
        time.sleep(0.01)


@job
async def awaiting(ctx: Context) -> None:
    """Never looks up, but awaits."""
    await asyncio.sleep(600)


@job
def spinning(ctx: Context) -> None:
    """Never looks up."""
    while True:
        pass


@job(max_retries=0)
def deaf(ctx: Context) -> None:
    """Not even a timeout stops it."""
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(600)


@job
def snoozing(ctx: Context) -> int:
    """Come back once."""
    if ctx.attempt == 1:
        raise Snooze("100ms")
    return ctx.attempt


@job
def parent(
    ctx: Context, children: list[dict[str, Any]], delay: str = "0", fail: bool = False
) -> int:
    """Submit others with its end."""
    for fields in children:
        ctx.enqueue(delay=delay, **fields)
    if fail:
        raise RuntimeError("after all")
    return len(children)


@job
def gathering(ctx: Context) -> dict[str, Any]:
    """Give back what it depends on."""
    return {str(job_id): result for job_id, result in ctx.results.items()}


@job
def arming(ctx: Context, point: str, deed: str) -> None:
    """In its first attempt, arm a failpoint that its worker comes to later."""
    if ctx.attempt == 1:
        Path(os.environ["ORPHEUS_FAILPOINTS"], point).write_text(deed)


@job
def holding_the_gil(ctx: Context, seconds: int) -> None:
    """Sleep in C code that lets no Python code run."""
    ctypes.PyDLL(None).sleep(seconds)


@job
def hopeless(ctx: Context) -> None:
    """Fail for good."""
    raise PermanentError("never")


@job
def forking(ctx: Context) -> int | None:
    """End a forked child by SIGTERM, as multiprocessing does."""
    child = multiprocessing.get_context("fork").Process(target=signal.pause)
    child.start()
    child.terminate()
    child.join(10)
    return child.exitcode
