"""Attempts at once, without a database: where they run, and what they may not do to each other."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any
from unittest.mock import MagicMock

import pytest

from orpheus import Context, job
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.job_types import registry as job_types
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.around import Around
from orpheus.worker.attempt.concurrent_executor import ConcurrentExecutor
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.current import current_attempt
from orpheus.worker.attempt.executor import NoTimeout

BLOCKED_AFTER_S = 0.2
MOST_S = 30.0


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_types, "_registry", {})


class Jobs:
    """Starts attempts, and returns how they end."""

    def __init__(self, make_lease: Callable[..., Lease], queries: Any) -> None:
        self._make_lease = make_lease
        self._queries = queries
        self._n = 0
        self._ended: SimpleQueue[tuple[RunningAttempt, Finished]] = SimpleQueue()
        self.executor: ConcurrentExecutor | None = None
        self.around: Around = ()

    def start(self, name: str, **fields: Any) -> RunningAttempt:
        if self.executor is None:
            self.executor = ConcurrentExecutor(
                load_job_types([]),
                {},
                NoTimeout(),
                self._queries,
                around=self.around,
                capture=MagicMock(),
                places=8,
                blocked_after_s=BLOCKED_AFTER_S,
            )
            self.executor.on_end = lambda *ended: self._ended.put(ended)
        self._n += 1
        lease = self._make_lease(job_id=self._n, token=self._n, type=name, **fields)
        attempt = RunningAttempt(lease, time.monotonic())
        self.executor.start(attempt)
        return attempt

    def end(self) -> Finished:
        """How the next one ended."""
        return self._ended.get(timeout=MOST_S)[1]


@pytest.fixture
def jobs(make_lease: Callable[..., Lease], queries: Any) -> Iterator[Jobs]:
    made = Jobs(make_lease, queries)
    yield made
    if made.executor is not None:
        made.executor.stop()


def test_coroutines_share_a_loop_and_others_have_a_thread_each(jobs: Jobs) -> None:
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


def test_what_a_job_sets_in_its_context_is_gone_with_it(jobs: Jobs) -> None:
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
    jobs: Jobs, raised: type[BaseException]
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
    jobs: Jobs, spoil: Callable[[asyncio.AbstractEventLoop], object]
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
    jobs: Jobs, how: str
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


def test_a_job_whose_rest_cannot_be_ended_ends_all_the_same(jobs: Jobs) -> None:
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


class Unclassed(BaseException):
    """It cannot be asked what it is."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise SystemExit


def test_an_exception_that_cannot_be_looked_at_ends_its_own_attempt(jobs: Jobs) -> None:
    @job
    async def on_the_loop(ctx: Context) -> None:
        raise Unclassed

    @job
    def in_a_thread(ctx: Context) -> None:
        raise Unclassed

    for name in ("on_the_loop", "in_a_thread"):
        jobs.start(name)
        ended = jobs.end()
        assert ended.ending is Ending.FAILED
        assert ended.error is not None
        assert ended.error.type == "Unclassed"


def test_a_timeout_in_a_thread_is_known_to_the_worker(jobs: Jobs) -> None:
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


def test_functions_in_threads_that_outlive_their_jobs_are_known_to_the_worker(jobs: Jobs) -> None:
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
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
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


def test_a_job_that_blocks_the_loop_in_many_short_tasks_gives_time_to_the_others(
    jobs: Jobs,
) -> None:
    @job
    async def short_ones(ctx: Context) -> None:
        async def one() -> None:
            time.sleep(BLOCKED_AFTER_S / 2)  # noqa: ASYNC251 - that is it

        await asyncio.gather(*(one() for _ in range(8)))

    @job
    async def awaiting(ctx: Context) -> None:
        await asyncio.sleep(BLOCKED_AFTER_S)

    other, blocking = jobs.start("awaiting"), jobs.start("short_ones")
    for _ in range(2):
        assert jobs.end().ending is Ending.SUCCEEDED
    assert other.extra_time_s > 0.0
    assert blocking.extra_time_s == 0.0


def test_context_managers_are_around_attempts_on_the_loop_and_in_threads(jobs: Jobs) -> None:
    session = contextvars.ContextVar[int]("session", default=0)
    left: list[tuple[int, str]] = []

    @contextmanager
    def with_session(ctx: Context) -> Iterator[None]:
        session.set(ctx.job_id)
        try:
            yield
        except ValueError as error:
            left.append((ctx.job_id, str(error)))
            raise

    def body(n: int) -> int:
        if n > 2:
            raise ValueError(session.get())
        return session.get()

    @job
    def in_thread(n: int) -> int:
        return body(n)

    @job
    async def on_loop(n: int) -> int:
        await asyncio.sleep(0.01)
        return body(n)

    jobs.around = (with_session,)
    for name, n in (("in_thread", 1), ("on_loop", 2), ("in_thread", 3), ("on_loop", 4)):
        jobs.start(name, payload=f'{{"n": {n}}}')
    ended = {one.lease.job_id: (one.ending, one.result) for one in [jobs.end() for _ in range(4)]}
    assert ended == {
        1: (Ending.SUCCEEDED, "1"),
        2: (Ending.SUCCEEDED, "2"),
        3: (Ending.FAILED, None),
        4: (Ending.FAILED, None),
    }
    assert sorted(left) == [(3, "3"), (4, "4")]
