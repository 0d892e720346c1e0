"""What the coroutines of jobs await, as an operator reads it."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.worker.attempt.awaits import awaits_of
from orpheus.worker.attempt.context import RunningAttempt
from tests.machine import wait_until

Work = Coroutine[Any, Any, Any]


class Loop:
    """An event loop in a thread, as a worker has one."""

    def __init__(self, make_lease: Callable[..., Lease]) -> None:
        self.loop = asyncio.new_event_loop()
        self._make_lease = make_lease
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def attempt(self, work: Work, job_id: int = 12, started_at_s: float = 0.0) -> RunningAttempt:
        """One whose handler runs on the loop."""
        lease = self._make_lease(job_id=job_id, type="report")
        attempt = RunningAttempt(lease, started_at_s, handler=work)
        attempt.tasks = lambda: asyncio.all_tasks(self.loop)
        self.loop.call_soon_threadsafe(self.loop.create_task, work)
        return attempt

    def end(self) -> None:
        """Leave nothing behind."""
        asyncio.run_coroutine_threadsafe(self._cancel(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _cancel(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def loop(make_lease: Callable[..., Lease]) -> Iterator[Loop]:
    made = Loop(make_lease)
    yield made
    made.end()


def text_with(words: str, *attempts: RunningAttempt) -> str:
    """What is told of the attempts, once these words are in it."""
    text = wait_until(lambda: words in (text := awaits_of(attempts)) and text, words)
    assert isinstance(text, str)
    return text


def functions(part: str) -> list[str]:
    return [line.rpartition(" in ")[2] for line in part.splitlines() if " in " in line]


async def innermost() -> None:
    await asyncio.Event().wait()


async def outermost() -> None:
    await innermost()


def test_each_coroutine_down_to_what_it_awaits_is_told_the_newest_call_first(loop: Loop) -> None:
    text = text_with("in wait", loop.attempt(outermost()))
    assert text.splitlines()[0] == (
        "Coroutine of job 12 (report), which waits (most recent call first):"
    )
    assert functions(text) == ["wait", "innermost", "outermost"]
    line = innermost.__code__.co_firstlineno + 1
    assert f'  File "{__file__}", line {line} in innermost' in text.splitlines()


async def waiting_for_one() -> None:
    await asyncio.create_task(innermost(), name="the\n\x1b[31mslow one")


def test_a_task_that_is_awaited_is_named_and_shown(loop: Loop) -> None:
    text = text_with("in innermost", loop.attempt(waiting_for_one()))
    own, task = text.split("\n\n")
    name = r"the\n\x1b[31mslow one"
    assert "which waits (most" in own
    assert functions(own) == ["waiting_for_one"]
    assert task.startswith(f"Coroutine of job 12 (report), its task {name}, which waits")
    assert functions(task) == ["wait", "innermost"]


def test_jobs_in_threads_have_no_coroutine(make_lease: Callable[..., Lease]) -> None:
    assert awaits_of([RunningAttempt(make_lease(), time.monotonic())]) == ""
