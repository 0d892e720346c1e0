"""One attempt, from payload to ending."""

import asyncio
import contextlib
import contextvars
import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

import pytest

from orpheus import Context, PermanentError, Snooze, job
from orpheus.shared.domain.jobs import Lease, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.job_types.context import JobCancelled
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.alarm import Alarm
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor
from tests.machine import slowness

Run = Callable[..., Finished]
SHORT_S = 0.2
"""A timeout, but long enough for the handler to begin on a busy machine."""


def finished(ending: Ending, result: str | None = None, **fields: Any) -> Finished:
    """What the attempt of any lease is expected to give."""
    return Finished(ANY, ending, result, **fields)


@pytest.fixture
def start(make_lease: Callable[..., Lease]) -> Callable[..., RunningAttempt]:
    def make(payload: str = "{}", timeout_s: float = 60.0) -> RunningAttempt:
        return RunningAttempt(make_lease(payload=payload, timeout_s=timeout_s), time.monotonic())

    return make


@pytest.fixture
def run(start: Callable[..., RunningAttempt], alarm: Alarm, queries: Any) -> Run:
    """Runs a handler once; how it ended."""

    def run_once(
        handler: Callable[..., Any],
        payload: str = "{}",
        timeout_s: float = 60.0,
        running: RunningAttempt | None = None,
    ) -> Finished:
        job("t")(handler)
        executor = Executor(load_job_types([]), {}, alarm, queries)
        return executor.run(running or start(payload, timeout_s))

    return run_once


def test_what_a_handler_returns_is_the_result(run: Run) -> None:
    def add(ctx: Context, a: int, b: int = 1) -> dict[str, int]:
        return {"sum": a + b, "attempt": ctx.attempt}

    assert run(add, '{"a": 2}') == finished(Ending.SUCCEEDED, '{"sum":3,"attempt":1}')


def test_what_a_job_sets_in_its_context_is_gone_with_it(run: Run) -> None:
    seen: contextvars.ContextVar[int] = contextvars.ContextVar("seen", default=0)

    def setting(ctx: Context) -> int:
        before = seen.get()
        seen.set(7)
        return before

    assert [run(setting).result, run(setting).result] == ["0", "0"]
    assert seen.get() == 0


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        (RuntimeError, Ending.FAILED),
        (PermanentError, Ending.FAILED_PERMANENTLY),
        (SystemExit, Ending.FAILED),
        (KeyboardInterrupt, Ending.FAILED),
        (GeneratorExit, Ending.FAILED),
        (MemoryError, Ending.FAILED),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
def test_whatever_a_handler_raises_ends_its_attempt_only(
    run: Run, kind: type[BaseException], ending: Ending, is_async: bool
) -> None:
    def fail(ctx: Context) -> None:
        raise kind("why")

    async def fail_later(ctx: Context) -> None:
        raise kind("why")

    ended = run(fail_later if is_async else fail)
    assert ended.ending is ending
    assert ended.error is not None
    assert (ended.error.type, ended.error.message) == (kind.__name__, "why")
    trace = str(ended.error.traceback)
    assert "test_executor.py" in trace
    assert "executor.py" not in trace.replace("test_executor.py", "")
    assert "asyncio" not in trace


def test_an_error_of_a_type_that_the_job_names_is_permanent(
    start: Callable[..., RunningAttempt], alarm: Alarm, queries: Any
) -> None:
    @job("t", permanent=(LookupError,))
    def find(*, kind: str, ctx: Context) -> None:
        raise {"key": KeyError, "value": ValueError}[kind]

    executor = Executor(load_job_types([]), {}, alarm, queries)
    endings = [executor.run(start(f'{{"kind": "{kind}"}}')).ending for kind in ("key", "value")]
    assert endings == [Ending.FAILED_PERMANENTLY, Ending.FAILED]


def test_a_retry_waits_as_long_as_the_job_says_for_its_error(
    start: Callable[..., RunningAttempt], alarm: Alarm, queries: Any
) -> None:
    @job("t", retry_on={ConnectionError: "5s", OSError: 9})
    def call(*, kind: str) -> None:
        error = {"refused": ConnectionRefusedError, "os": OSError, "value": ValueError}[kind]
        raise ExceptionGroup("several", [ValueError(), error()])

    executor = Executor(load_job_types([]), {}, alarm, queries)
    kinds = ("refused", "os", "value")
    waits_ms = [executor.run(start(f'{{"kind": "{kind}"}}')).retry_ms for kind in kinds]
    assert waits_ms == [5_000, 9_000, None]


def test_a_snooze_carries_its_delay(run: Run) -> None:
    def later(ctx: Context) -> None:
        raise Snooze("1.5s")

    assert run(later) == finished(Ending.SNOOZED, snooze_ms=1500)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_success_carries_the_children(run: Run, is_async: bool) -> None:
    def parent(ctx: Context) -> int:
        ctx.enqueue("child")
        return len(ctx.results)

    async def waiting_parent(ctx: Context) -> int:
        return parent(ctx)

    ended = run(waiting_parent if is_async else parent)
    assert ended == finished(Ending.SUCCEEDED, "1", children=(NewJob("child", ref="child-1"),))


@pytest.mark.parametrize("error", [Snooze(1), RuntimeError(), PermanentError(), JobCancelled()])
def test_children_of_an_attempt_that_does_not_succeed_are_dropped(
    run: Run, error: BaseException
) -> None:
    def parent(ctx: Context) -> None:
        ctx.enqueue("child")
        raise error

    assert run(parent).children == ()


def test_a_handler_past_its_timeout_is_interrupted(run: Run, alarm: Alarm) -> None:
    def spin(ctx: Context) -> None:
        while True:
            pass

    ended = run(spin, timeout_s=SHORT_S)
    assert ended.ending is Ending.TIMED_OUT
    assert alarm.has_raised
    assert ended.error is not None
    assert (ended.error.type, ended.error.message) == (
        "JobTimeout",
        "it ran longer than its timeout of 0.2 s",
    )
    assert "in spin" in str(ended.error.traceback)
    assert "alarm.py" not in str(ended.error.traceback)


def test_except_exception_does_not_catch_a_timeout(run: Run) -> None:
    def stubborn(ctx: Context) -> None:
        while True:
            with contextlib.suppress(Exception):
                time.sleep(60)

    assert run(stubborn, timeout_s=SHORT_S).ending is Ending.TIMED_OUT


def test_an_error_in_the_clean_up_after_a_timeout_is_still_a_timeout(run: Run) -> None:
    def untidy(ctx: Context) -> None:
        try:
            time.sleep(60)
        finally:
            raise RuntimeError("in the clean-up")

    ended = run(untidy, timeout_s=SHORT_S)
    assert ended.ending is Ending.TIMED_OUT
    assert ended.error is not None
    assert "in the clean-up" in str(ended.error.traceback)


def test_a_handler_may_catch_its_timeout_and_return_a_result(run: Run, alarm: Alarm) -> None:
    def partial(ctx: Context) -> str:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001
            return "partial"
        return "whole"

    assert run(partial, timeout_s=SHORT_S) == finished(Ending.SUCCEEDED, '"partial"')
    assert alarm.has_raised, "whatever it answered, it may have been raised inside a lock"


def test_a_coroutine_past_its_timeout_is_cancelled_through_its_loop(run: Run, alarm: Alarm) -> None:
    tidied: list[str] = []

    async def slow(ctx: Context) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            tidied.append("up")

    assert run(slow, timeout_s=SHORT_S).ending is Ending.TIMED_OUT
    assert tidied == ["up"]
    assert not alarm.has_raised


def test_a_function_whose_c_code_returns_past_its_timeout_has_timed_out(run: Run) -> None:
    def blocking(ctx: Context) -> str:
        end_s = time.monotonic() + 0.02
        while time.monotonic() < end_s:
            hashlib.pbkdf2_hmac("sha256", b"", b"", 300_000)
        return "too late"

    assert run(blocking, timeout_s=0.01).ending is Ending.TIMED_OUT


def test_a_timeout_error_that_a_coroutine_raises_itself_is_a_failure(run: Run) -> None:
    async def impatient(ctx: Context) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    ended = run(impatient)
    assert ended.ending is Ending.FAILED
    assert ended.error is not None
    assert ended.error.type == "TimeoutError"


def test_the_alarm_of_an_earlier_job_does_not_interrupt_a_later_one(run: Run, alarm: Alarm) -> None:
    assert run(lambda ctx: 1, timeout_s=0.2).ending is Ending.SUCCEEDED
    ended = run(lambda ctx: time.sleep(0.3), timeout_s=60)
    assert ended.ending is Ending.SUCCEEDED
    assert not alarm.has_raised


def test_a_short_timeout_after_a_long_one_is_raised_in_time(run: Run) -> None:
    assert run(lambda ctx: 1, timeout_s=60).ending is Ending.SUCCEEDED
    began_s = time.monotonic()
    assert run(lambda ctx: time.sleep(30), timeout_s=SHORT_S).ending is Ending.TIMED_OUT
    assert time.monotonic() - began_s < 10 * slowness()


def test_a_timeout_at_the_moment_of_return_never_leaves_the_executor(run: Run) -> None:
    for step in range(200):
        timeout_s = 0.0005 + step * 0.000_005
        ended = run(lambda ctx: time.sleep(0.001), timeout_s=timeout_s)
        assert ended.ending in (Ending.SUCCEEDED, Ending.TIMED_OUT)


def test_a_cancelled_job_ends_at_check_cancelled(
    run: Run, start: Callable[..., RunningAttempt]
) -> None:
    running = start()

    def work(ctx: Context) -> None:
        running.request_cancel(0.0)
        try:
            ctx.check_cancelled()
        except Exception:  # noqa: BLE001
            pytest.fail("JobCancelled is no Exception")

    assert run(work, running=running) == finished(Ending.CANCELLED)


def test_a_coroutine_is_cancelled_while_it_awaits(
    run: Run, start: Callable[..., RunningAttempt]
) -> None:
    running = start()
    awaiting = threading.Event()

    async def slow(ctx: Context) -> None:
        asyncio.get_running_loop().call_soon(awaiting.set)
        await asyncio.sleep(60)

    def cancel() -> None:
        awaiting.wait()
        running.request_cancel(0.0)

    thread = threading.Thread(target=cancel)
    thread.start()
    assert run(slow, running=running) == finished(Ending.CANCELLED)
    thread.join()


def test_a_coroutine_cancelled_before_it_starts_never_starts(
    run: Run, start: Callable[..., RunningAttempt]
) -> None:
    running = start()
    running.request_cancel(0.0)

    async def slow(ctx: Context) -> None:
        pytest.fail("it began")

    assert run(slow, running=running) == finished(Ending.CANCELLED)
