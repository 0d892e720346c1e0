"""Attempts at once, without a database: where they run, and what they may not do to each other."""

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest

from orpheus import Context, job
from orpheus.shared.domain.lifecycle import Ending
from orpheus.worker.attempt.concurrent_executor import ConcurrentExecutor
from orpheus.worker.attempt.context import current_attempt

BLOCKED_AFTER_S = 0.2  # see conftest.py
MOST_S = 30.0


def test_coroutines_share_a_loop_and_others_have_a_thread_each(jobs: Any) -> None:
    together = threading.Barrier(3)

    @job
    async def on_the_loop(ctx: Context) -> list[int]:
        await asyncio.to_thread(together.wait, MOST_S)
        return [threading.get_ident(), id(asyncio.get_running_loop())]

    @job
    def in_a_thread(ctx: Context) -> int:
        together.wait(MOST_S)
        return threading.get_ident()

    for name in ("on_the_loop", "in_a_thread", "in_a_thread"):
        jobs.start(name)
    results = {jobs.end().result for _ in range(3)}
    assert len(results) == 3
    for _ in range(2):
        jobs.start("on_the_loop")
    jobs.start("in_a_thread")
    loops = {result for _ in range(3) if (result := jobs.end().result or "").startswith("[")}
    assert len(loops) == 1
    assert loops < results, "the same loop and thread as before"


def test_what_a_job_sets_in_its_context_is_gone_with_it(jobs: Any) -> None:
    seen: contextvars.ContextVar[int] = contextvars.ContextVar("seen", default=0)

    @job
    def setting(ctx: Context) -> list[Any]:
        before = seen.get()
        seen.set(ctx.job_id)
        attempt = current_attempt.get()
        return [before, attempt is not None and attempt.lease.job_id == ctx.job_id]

    @job
    async def setting_on_the_loop(ctx: Context) -> list[Any]:
        return await asyncio.create_task(asyncio.to_thread(setting, ctx))

    for name in ("setting", "setting_on_the_loop") * 3:
        jobs.start(name)
        assert jobs.end().result == "[0,true]"


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_whatever_a_handler_raises_ends_its_own_attempt(
    jobs: Any, raised: type[BaseException]
) -> None:
    @job
    async def on_the_loop(ctx: Context, fail: bool = True) -> None:
        if fail:
            raise raised

    @job
    def in_a_thread(ctx: Context, fail: bool = True) -> None:
        if fail:
            raise raised

    @job
    async def in_a_task(ctx: Context) -> None:
        async def fail() -> None:
            raise raised

        task = asyncio.create_task(fail())
        task.add_done_callback(lambda one: one.cancelled() or one.exception())  # retrieved
        await asyncio.wait([task], timeout=0.05)

    for name in ("on_the_loop", "in_a_thread"):
        jobs.start(name)
        assert jobs.end().ending is Ending.FAILED
    jobs.start("in_a_task")
    assert jobs.end().ending in (Ending.SUCCEEDED, Ending.FAILED)
    for name in ("on_the_loop", "in_a_thread"):
        jobs.start(name, payload='{"fail": false}')
        assert jobs.end().ending is Ending.SUCCEEDED


def test_a_timeout_in_a_thread_is_known_to_the_worker(jobs: Any) -> None:
    @job
    def stepping(ctx: Context) -> None:
        while True:
            time.sleep(0.001)

    @job
    def short(ctx: Context) -> None:
        pass

    jobs.start("short")
    assert jobs.end().ending is Ending.SUCCEEDED
    assert jobs.executor is not None
    assert not jobs.executor.has_raised
    jobs.start("stepping", timeout_s=0.05)
    assert jobs.end().ending is Ending.TIMED_OUT
    assert jobs.executor.has_raised
    jobs.start("short")
    assert jobs.end().ending is Ending.SUCCEEDED


def test_functions_in_threads_that_outlive_their_jobs_are_known_to_the_worker(jobs: Any) -> None:
    has_begun, go_on = threading.Event(), threading.Event()

    def function() -> None:
        has_begun.set()
        go_on.wait(MOST_S)

    @job
    async def leaving(ctx: Context) -> None:
        for _ in range(8):
            asyncio.get_running_loop().run_in_executor(None, go_on.wait, MOST_S)

    @job
    async def stuck(ctx: Context) -> None:
        await asyncio.to_thread(function)

    kept = []
    for names in (("leaving",), ("leaving", "leaving"), ("stuck",)):
        if jobs.executor is not None:
            jobs.executor.stop()
        jobs.executor = None
        for name in names:
            attempt = jobs.start(name)
            if name == "stuck":
                assert has_begun.wait(MOST_S)
                attempt.request_cancel(time.monotonic())
            jobs.end()
        executor: ConcurrentExecutor | None = jobs.executor
        assert executor is not None
        kept.append(executor.has_kept_threads())
    go_on.set()
    assert kept == [False, True, True], "half of the threads, or one of a job that was stopped"


def test_each_job_that_blocks_the_loop_is_named_once_and_gives_time_to_the_others(
    jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    log = "orpheus.worker.attempt.event_loop.log.warning"
    monkeypatch.setattr(log, lambda _, **fields: told.append(fields))

    @job
    async def blocking(ctx: Context) -> None:
        time.sleep(5 * BLOCKED_AFTER_S)  # noqa: ASYNC251 - that is it

    @job
    async def awaiting(ctx: Context) -> None:
        await asyncio.sleep(3 * BLOCKED_AFTER_S)

    jobs.start("awaiting")
    first, second = jobs.start("blocking"), jobs.start("blocking")
    for _ in range(3):
        assert jobs.end().ending is Ending.SUCCEEDED
    assert [one["job"] for one in told] == [first.lease.job_id, second.lease.job_id]
    assert "test_concurrent_executor.py" in told[0]["where"]
    for attempt in (first, second):
        [line] = attempt.take_lines()
        assert (line.level, "blocks the event loop" in line.line) == ("warning", True)
        assert "test_concurrent_executor.py" in line.fields
    deadlines_s = [one.hard_deadline_s(10.0) - one.started_at_s for one in (first, second)]
    assert deadlines_s[0] == pytest.approx(first.lease.timeout_s + 30.0)
    assert deadlines_s[1] > second.lease.timeout_s + 30.0 + BLOCKED_AFTER_S
