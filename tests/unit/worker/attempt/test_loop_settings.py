"""A job that changes the settings of the event loop, and those after it."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orpheus import Context, job
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.job_types import registry
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", {})


def _raise(*_: Any, **__: Any) -> Any:
    raise ValueError("spoiled")


def _exit(*_: Any) -> None:
    raise SystemExit


SPOILS: dict[str, Callable[[asyncio.AbstractEventLoop], object]] = {
    "a task factory that raises": lambda loop: loop.set_task_factory(_raise),
    "a task factory that makes no tasks": lambda loop: loop.set_task_factory(lambda *_: None),  # type: ignore[arg-type]
    "an exception handler that raises": lambda loop: loop.set_exception_handler(_exit),
    "debug mode": lambda loop: loop.set_debug(True),
    "threads that are shut down": lambda loop: loop.set_default_executor(_shut_down()),
    "a stop": lambda loop: loop.stop(),
}


def _shut_down() -> ThreadPoolExecutor:
    threads = ThreadPoolExecutor()
    threads.shutdown()
    return threads


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_what_a_job_changes_in_the_loop_is_set_anew_for_the_next_one(
    jobs: Any, spoil: Callable[[asyncio.AbstractEventLoop], object]
) -> None:
    @job
    async def spoiling(ctx: Context) -> None:
        spoil(asyncio.get_running_loop())

    @job
    async def usual(ctx: Context) -> list[Any]:
        in_thread = await asyncio.create_task(asyncio.to_thread(int, "3"))
        asyncio.create_task(_failing_when_it_is_cancelled())  # noqa: RUF006
        await asyncio.sleep(0)
        return [in_thread, asyncio.get_running_loop().get_debug()]

    async def _failing_when_it_is_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError

    for _ in range(2):
        jobs.start("spoiling")
        assert jobs.end().ending is Ending.SUCCEEDED
        jobs.start("usual")
        assert jobs.end().result == "[3,false]"
    assert jobs.executor is not None
    assert not jobs.executor.has_spoiled_loop


@pytest.mark.parametrize("how", ["create_task", "shutdown_default_executor"])
def test_a_job_that_cannot_start_on_the_loop_is_released_and_the_worker_knows_why(
    jobs: Any, how: str
) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @job
    async def spoiling(ctx: Context) -> None:
        loop = asyncio.get_running_loop()
        loops.append(loop)
        if how == "create_task":
            loop.create_task = _raise  # type: ignore[method-assign]
        else:
            await loop.shutdown_default_executor()

    @job
    async def usual(ctx: Context) -> None:
        pass

    jobs.start("spoiling")
    assert jobs.end().ending is Ending.SUCCEEDED
    jobs.start("usual")
    assert jobs.end().ending is Ending.RELEASED
    assert jobs.executor is not None
    assert jobs.executor.has_spoiled_loop
    vars(loops[0]).pop("create_task", None)  # else it cannot be closed


def test_a_job_whose_rest_cannot_be_ended_ends_all_the_same(jobs: Any) -> None:
    @job
    async def spoiling(ctx: Context) -> str:
        async def failing() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                raise ValueError

        asyncio.create_task(failing())  # noqa: RUF006
        await asyncio.sleep(0)
        asyncio.get_running_loop().set_exception_handler(_exit)
        return "a result"

    jobs.start("spoiling")
    assert jobs.end().result == '"a result"'


def test_with_one_place_it_is_set_anew_for_the_rest_of_the_job_too(
    make_lease: Callable[..., Any], queries: Any
) -> None:
    @job("t")
    async def spoiling(spoils: bool) -> bool:
        loop = asyncio.get_running_loop()
        await asyncio.create_task(asyncio.to_thread(int, "3"))
        was_debug = loop.get_debug()
        if spoils:
            loop.set_task_factory(_raise)
            loop.set_exception_handler(_raise)
            loop.set_debug(True)
        return was_debug

    executor = Executor(load_job_types([]), {}, NoTimeout(), queries)
    for spoils in ("true", "false"):
        lease = make_lease(payload=f'{{"spoils": {spoils}}}')
        finished = executor.run(RunningAttempt(lease, time.monotonic()))
        assert (finished.ending, finished.result) == (Ending.SUCCEEDED, "false")
    assert not executor.has_spoiled_loop


@pytest.mark.parametrize("how", ["create_task", "shutdown_default_executor"])
def test_with_one_place_too_a_job_that_cannot_start_is_released(
    make_lease: Callable[..., Any], queries: Any, how: str
) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @job("t")
    async def spoiling() -> None:
        loops.append(asyncio.get_running_loop())
        if how == "shutdown_default_executor":
            await loops[0].shutdown_default_executor()

    executor = Executor(load_job_types([]), {}, NoTimeout(), queries)
    executor.run(RunningAttempt(make_lease(), time.monotonic()))
    if how == "create_task":
        loops[0].create_task = _raise  # type: ignore[method-assign]
    finished = executor.run(RunningAttempt(make_lease(), time.monotonic()))
    assert finished.ending is Ending.RELEASED
    assert executor.has_spoiled_loop
