"""Ends what a job has left on an event loop, as `asyncio.run` does."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

from orpheus.shared.logs import get_logger

_MOST_ROUNDS = 10
"""A task that is cancelled may begin others; one that always does would keep the job for ever."""

log = get_logger()


async def end_tasks(left: "Callable[[], Iterable[asyncio.Task[Any]]]") -> None:
    """Cancel the tasks that `left` returns, other than the running one, and wait for them."""
    me = asyncio.current_task()

    def others() -> "list[asyncio.Task[Any]]":
        return [one for one in left() if one is not me and not one.done()]

    for _ in range(_MOST_ROUNDS):
        rest = others()
        if not rest:
            return
        for one in rest:
            one.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # a stop that comes too late
            await asyncio.wait(rest)
        for one in rest:
            if one.done() and not one.cancelled():
                _report(one.exception(), "a task that a job has left failed when it was cancelled")
    if go_on := others():
        log.warning(
            "job_left_tasks",
            tasks=[repr(one) for one in go_on],
            note="a job's tasks began others whenever they were cancelled; the last ones go on",
        )


async def close(generators: Iterable[AsyncGenerator[Any, Any]]) -> None:
    """Close async generators that were left before their ends."""
    closing = [one.aclose() for one in generators]
    for error in await asyncio.gather(*closing, return_exceptions=True):
        _report(error, "an async generator that a job has left failed when it was closed")


def _report(error: BaseException | None, message: str) -> None:
    if error is not None:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": message, "exception": error})
