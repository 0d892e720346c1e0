# ruff: noqa: ARG001, the first parameter of a job is its context
"""The job types that Orpheus runs in the benchmarks."""

import time

from benchmarks.effects import STEPS, record
from orpheus import Context, job


@job
def effect(ctx: Context, n: int) -> int:
    """Do nothing but record that it runs."""
    return record(n)


@job
def nothing(ctx: Context) -> None:
    """Do nothing."""


@job
def pause(ctx: Context, n: int, seconds: float) -> int:
    """Take this long."""
    time.sleep(seconds)
    return record(n)


@job
def short_pause(ctx: Context, n: int) -> int:
    """Take 1 ms."""
    return pause(ctx, n, 0.001)


@job
def hold(ctx: Context, n: int, seconds: float) -> int:
    """Record at once, then take this long."""
    record(n)
    time.sleep(seconds)
    return n


@job
def ten_steps(ctx: Context, n: int) -> int:
    """Record each of its steps."""
    for step in range(STEPS):
        ctx.step(f"step {step}", record, STEPS * n + step)
    return n


@job
def wait(ctx: Context, n: int) -> int:
    """Wait for its signal, then record."""
    ctx.wait_signal("go", key=n)
    return record(n)


@job
def rest(ctx: Context, n: int) -> None:
    """Record, then sleep for a day."""
    record(n)
    ctx.sleep("rest", "1d")
