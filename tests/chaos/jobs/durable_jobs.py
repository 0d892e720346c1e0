"""Durable functions that note each effect of a step in a file, before the step can be kept.

`dies_at`: where the function arms the failpoint `point` of its worker, once: the next commit of the
worker is the one that keeps what is done there. The file `mended` lets `interrupted` go on.
"""

import json
import os
import signal
import time
from pathlib import Path

from orpheus import AsyncContext, Context, PermanentError, job

_FOLDER = Path(os.environ["CHAOS_FOLDER"])
_POINTS = Path(os.environ.get("ORPHEUS_FAILPOINTS", _FOLDER))
_PAGES = range(3)
_CHILDREN = 3
_SECTIONS = 2
"""Parts of ten steps of `long_story`."""


def note(ctx: Context | AsyncContext, name: str) -> str:
    """Append an effect, and wait until it is on the disk."""
    line = {"job": ctx.job_id, "attempt": ctx.attempt, "name": name}
    fd = os.open(_FOLDER / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, json.dumps(line).encode() + b"\n")
    os.fsync(fd)
    os.close(fd)
    return name


def _arm(ctx: Context, point: str) -> None:
    """Let this worker die at its next commit. Each job does it once."""
    armed = _FOLDER / f"armed-{ctx.job_id}"
    if not armed.exists():
        armed.touch()
        draft = _POINTS.parent / "draft"
        draft.write_text("kill")
        draft.rename(_POINTS / point)


@job(max_retries=50)
def story(ctx: Context, number: int, dies_at: str, point: str) -> list[str]:
    """Everything that a durable function can keep and wait for."""

    def arm(where: str) -> None:
        if where == dies_at:
            _arm(ctx, point)

    def effect(name: str) -> str:
        note(ctx, name)
        arm(name)
        return name

    told = [ctx.step("charge", effect, "charge")]
    arm("nap")
    ctx.sleep("nap", "20ms")
    arm("approval")
    told.append(ctx.wait_signal("approval", number))
    arm("letters")
    told += ctx.gather("letters", [letter.new(ctx.job_id, n) for n in range(_CHILDREN)])
    for page in ctx.resume("pages", _PAGES):
        ctx.step("load", effect, f"load {page}")
        if page == 1:
            arm("pages")
    told.append(ctx.step("ship", effect, "ship"))
    ctx.signal("shipped", number, "by ship")
    arm("end")
    return told


@job(max_retries=50)
def receiver(ctx: Context, number: int) -> str:
    """Wait for the signal that a story sends with its success."""
    said = ctx.wait_signal("shipped", number)
    return ctx.step("receive", note, ctx, str(said))


@job(max_retries=50)
def letter(ctx: Context, parent: int, number: int) -> str:
    """A child of a function."""
    return ctx.step("write", note, ctx, f"letter {number}")


@job(max_retries=50)
def long_story(ctx: Context, number: int) -> int:
    """Twenty steps, and between them what a function can wait for, twice."""
    n = 0
    for section in range(_SECTIONS):
        for _ in range(4):
            ctx.step(f"step {n}", note, ctx, f"step {n}")
            n += 1
        ctx.sleep("nap", 0.02 + number % 5 * 0.1)
        ctx.step(f"step {n}", note, ctx, f"step {n}")
        ctx.wait_signal(f"approval-{section}", number)
        ctx.step(f"step {n + 1}", note, ctx, f"step {n + 1}")
        ctx.gather("letters", [letter.new(ctx.job_id, child) for child in range(2)])
        n += 2
        for page in ctx.resume("pages", range(n, n + 3)):
            ctx.step("load", note, ctx, f"step {page}")
        n += 3
        ctx.step(f"step {n}", note, ctx, f"step {n}")
        n += 1
    return n


@job(max_retries=50)
async def long_story_async(ctx: AsyncContext, number: int) -> int:
    """The same as a coroutine."""
    n = 0
    for section in range(_SECTIONS):
        for _ in range(4):
            await ctx.step(f"step {n}", note, ctx, f"step {n}")
            n += 1
        await ctx.sleep("nap", 0.02 + number % 5 * 0.1)
        await ctx.step(f"step {n}", note, ctx, f"step {n}")
        await ctx.wait_signal(f"approval-{section}", number)
        await ctx.step(f"step {n + 1}", note, ctx, f"step {n + 1}")
        await ctx.gather("letters", [letter.new(ctx.job_id, child) for child in range(2)])
        n += 2
        async for page in ctx.resume("pages", range(n, n + 3)):
            await ctx.step("load", note, ctx, f"step {page}")
        n += 3
        await ctx.step(f"step {n}", note, ctx, f"step {n}")
        n += 1
    return n


def _interrupt(ctx: Context, how: str) -> str:
    name = note(ctx, "step 5")
    if not (_FOLDER / "mended").exists():
        if how == "fail":
            raise PermanentError("as it was asked to")
        if how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        while True:
            ctx.check_cancelled()
            time.sleep(0.01)
    return name


def _ten_steps(ctx: Context, how: str) -> str:
    for n in range(10):
        if n == 5 and how == "sleep":
            ctx.sleep("long", "1d")
        elif n == 5 and how == "signal":
            ctx.wait_signal("go", ctx.job_id)
        elif n == 5 and how == "gather":
            ctx.gather("letters", [letter.new(ctx.job_id, 0).with_options(delay="1d")])
        if n == 5 and how in ("wait", "fail", "die"):
            ctx.step("step 5", _interrupt, ctx, how)
        else:
            ctx.step(f"step {n}", note, ctx, f"step {n}")
    return how


@job
def interrupted(ctx: Context, how: str) -> str:
    """Ten steps. Before the sixth it waits, or that fails or lasts until it is mended."""
    return _ten_steps(ctx, how)


@job(max_retries=50)
def deadly(ctx: Context) -> str:
    """Ten steps. Until it is mended, the sixth kills the worker."""
    return _ten_steps(ctx, "die")
