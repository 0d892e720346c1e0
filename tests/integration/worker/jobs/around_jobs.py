"""Jobs that submit jobs, and a context manager around them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orpheus import Context, job


@contextmanager
def noting(ctx: Context) -> Iterator[None]:
    """Write down each attempt, and how it ended."""
    ended = "done"
    try:
        yield
    except BaseException as error:
        ended = type(error).__name__
        raise
    finally:
        line = {"type": ctx.type, "attempt": ctx.attempt, "trace": ctx.traceparent, "ended": ended}
        with Path(os.environ["NOTES"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@job(backoff_base="1ms", backoff_factor=1)
async def order(ctx: Context, pages: list[str]) -> None:
    """Fetch pages and join them; fails once."""
    if ctx.attempt == 1:
        raise RuntimeError("not yet")
    fetched = [ctx.enqueue(fetch.new(page), ref=f"page-{page}") for page in pages]
    join = join_pages.new(first=fetched[0])
    ctx.enqueue(join, depends_on=[*fetched, ctx.job_id], on_dependency_failure="run")


@job(permanent=(LookupError,))
def fetch(page: str) -> str:
    """Fetch a page; there is none called `missing`."""
    return {"a": "text of a", "b": "text of b"}[page]


@job("join")
def join_pages(ctx: Context, first: str) -> dict[str, Any]:
    """Say what became of the pages."""
    error = ctx.attempt_error("page-missing")
    return {
        "first": ctx.results[first],
        "order": ctx.results[order],
        "missing": None if error is None else [error.type, error.message],
        "done": len(ctx.results),
    }


@job
def fork() -> None:
    """Fork a child, which leaves the handler."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
