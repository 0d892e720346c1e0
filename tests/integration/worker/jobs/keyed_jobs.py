"""Jobs whose end enqueues a child with a unique key."""

from pathlib import Path

from orpheus import Context, job


@job
def report(ctx: Context) -> None:
    """The child."""


@job
def closes_the_day(ctx: Context, effects: str, key: str) -> None:
    """Leave a trace of each run."""
    with Path(effects).open("a") as file:
        file.write(f"{ctx.job_id}\n")
    ctx.enqueue(report.new().with_options(unique_key=key))
