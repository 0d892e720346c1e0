"""One event loop for one coroutine after the other."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from orpheus import Context, job
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout
from orpheus.worker.attempt.kept_loop import KeptLoop


async def left() -> tuple[asyncio.AbstractEventLoop, int]:
    """The loop, and how many other tasks there are on it."""
    return asyncio.get_running_loop(), len(asyncio.all_tasks()) - 1


def test_what_a_coroutine_has_left_ends_with_it_and_the_loop_goes_on() -> None:
    ended: list[str] = []
    one_more = threading.Semaphore(0)

    def note(what: str) -> None:
        ended.append(what)
        one_more.release()

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            note("task")

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            note("generator")

    def function() -> None:
        for _ in ("task", "generator"):
            assert one_more.acquire(timeout=30)
        ended.append("function")

    async def leaving() -> asyncio.AbstractEventLoop:
        for work in (endless(), asyncio.to_thread(function)):
            asyncio.create_task(work)  # noqa: RUF006
        async for _ in numbers():
            await asyncio.sleep(0)
            break
        return asyncio.get_running_loop()

    kept = KeptLoop()
    loop = kept.run(leaving())
    assert sorted(ended) == ["function", "generator", "task"]
    assert kept.run(left()) == (loop, 0)
    loop.close()
    assert kept.run(left()) != (loop, 0)


def test_whatever_ends_a_coroutine_the_next_one_runs_on_the_same_loop(
    make_lease: Callable[..., Any], queries: Any
) -> None:
    """What a module keeps, such as an HTTP client, belongs to the loop on which it began."""
    loops: set[asyncio.AbstractEventLoop] = set()

    @job("t")
    async def ending(how: str) -> int:
        loop, others = await left()
        loops.add(loop)
        if how == "stop":
            loop.stop()
        if how == "exit":
            raise SystemExit
        await asyncio.sleep(0 if how == "return" else 60)
        return others

    executor = Executor(load_job_types([]), {}, NoTimeout(), queries)
    for how, ended in (
        ("stop", Ending.FAILED),
        ("exit", Ending.FAILED),
        ("timeout", Ending.TIMED_OUT),
        ("return", Ending.SUCCEEDED),
    ):
        timeout_s = 0.02 if how == "timeout" else 60.0
        lease = make_lease(payload=f'{{"how": "{how}"}}', timeout_s=timeout_s)
        finished = executor.run(RunningAttempt(lease, time.monotonic()))
        assert finished.ending is ended
    assert finished.result == "0"
    assert len(loops) == 1


@pytest.mark.parametrize("how", ["blocks", "catches"])
def test_a_coroutine_that_returns_after_its_timeout_has_timed_out_unless_it_caught_it(
    make_lease: Callable[..., Any], queries: Any, how: str
) -> None:
    @job("t")
    async def late(ctx: Context) -> str:
        if how == "blocks":
            time.sleep(0.1)  # noqa: ASYNC251 - that is it
        else:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
        return "partial"

    attempt = RunningAttempt(make_lease(timeout_s=0.05), time.monotonic())
    finished = Executor(load_job_types([]), {}, NoTimeout(), queries).run(attempt)
    lines = [line.line for line in attempt.take_lines()]
    if how == "catches":
        assert (finished.ending, finished.result, lines) == (Ending.SUCCEEDED, '"partial"', [])
        return
    assert (finished.ending, finished.result) == (Ending.TIMED_OUT, None)
    assert finished.error is not None
    assert finished.error.message == "it ran longer than its timeout of 0.05 s"
    assert len(lines) == 1 and "blocked the event loop, so its timeout could not" in lines[0]
