"""Context managers around each attempt: their order, what they see, and what they may do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest

from orpheus import Context, PermanentError, Snooze, job
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.job_types.context import JobCancelled, JobTimeout
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.around import load_around
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout

SEEN: list[Any] = []
Run = Callable[..., Finished]


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


@pytest.fixture(params=[False, True], ids=["plain", "async"])
def run(request: pytest.FixtureRequest, make_lease: Callable[..., Any], queries: Any) -> Run:
    """Runs a handler once, as a function and as a coroutine, inside some context managers."""

    def run_once(body: Callable[[Context], Any], *around: Any, **lease: Any) -> Finished:
        async def later(ctx: Context) -> Any:
            return body(ctx)

        def now(ctx: Context) -> Any:
            return body(ctx)

        job("t")(later if request.param else now)
        alarm = NoTimeout()
        executor = Executor(load_job_types([]), {}, alarm, queries, around=around)
        return executor.run(RunningAttempt(make_lease(**lease), time.monotonic()))

    return run_once


def noting(name: str) -> Callable[[Context], Any]:
    @contextmanager
    def around(ctx: Context) -> Iterator[None]:
        SEEN.append((name, ctx.type, ctx.job_id, ctx.attempt))
        try:
            yield
        except BaseException as error:
            SEEN.append((name, type(error)))
            raise
        SEEN.append((name, "done"))

    return around


def test_the_first_is_the_outermost(run: Run) -> None:
    ended = run(lambda ctx: SEEN.append("job"), noting("a"), noting("b"))
    assert ended.ending is Ending.SUCCEEDED
    assert SEEN == [("a", "t", 7, 1), ("b", "t", 7, 1), "job", ("b", "done"), ("a", "done")]


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (ValueError, Ending.FAILED),
        (PermanentError, Ending.FAILED_PERMANENTLY),
        (lambda: Snooze(1), Ending.SNOOZED),
        (JobCancelled, Ending.CANCELLED),
        (SystemExit, Ending.FAILED),
    ],
)
def test_they_see_how_the_attempt_ended(run: Run, error: Any, ending: Ending) -> None:
    def fail(ctx: Context) -> None:
        raise error()

    assert run(fail, noting("a")).ending is ending
    assert SEEN[1] == ("a", type(error()))


def test_an_exception_in_one_of_them_is_the_attempt_s(run: Run) -> None:
    @contextmanager
    def broken(ctx: Context) -> Iterator[None]:
        raise OSError("no session")
        yield

    ended = run(lambda ctx: SEEN.append("job"), noting("a"), broken, noting("c"))
    assert (ended.ending, ended.error and ended.error.message) == (Ending.FAILED, "no session")
    assert [("a", "t", 7, 1), ("a", OSError)] == SEEN


def test_an_exception_at_the_exit_fails_the_attempt(run: Run) -> None:
    @contextmanager
    def committing(ctx: Context) -> Iterator[None]:
        yield
        raise OSError("not committed")

    ended = run(lambda ctx: 5, noting("a"), committing)
    assert (ended.ending, ended.result) == (Ending.FAILED, None)
    assert SEEN[-1] == ("a", OSError)


def test_one_may_swallow_the_exception_and_then_the_result_is_null(run: Run) -> None:
    def fail(ctx: Context) -> None:
        raise ValueError

    ended = run(fail, lambda ctx: suppress(ValueError))
    assert (ended.ending, ended.result) == (Ending.SUCCEEDED, "null")


@asynccontextmanager
async def with_client(ctx: Context) -> AsyncIterator[None]:
    await asyncio.sleep(0)
    try:
        yield
    except BaseException as error:
        SEEN.append(type(error))
        raise
    SEEN.append("left")


def test_an_async_one_wraps_coroutines_and_no_plain_function(
    run: Run, request: pytest.FixtureRequest
) -> None:
    ended = run(lambda ctx: SEEN.append("job"), with_client, noting("b"))
    if request.node.callspec.id == "async":
        assert ended.ending is Ending.SUCCEEDED
        assert SEEN == [("b", "t", 7, 1), "job", ("b", "done"), "left"]
    else:
        assert ended.error is not None
        assert "does not support the context manager protocol" in ended.error.message


def test_a_coroutine_s_timeout_and_cancel_are_seen_as_such(
    make_lease: Callable[..., Any], queries: Any
) -> None:
    @job("t")
    async def endless() -> None:
        await asyncio.sleep(60)

    alarm = NoTimeout()
    executor = Executor(load_job_types([]), {}, alarm, queries, around=(noting("a"),))
    attempt = RunningAttempt(make_lease(timeout_s=0.05), time.monotonic())
    assert executor.run(attempt).ending is Ending.TIMED_OUT
    assert SEEN[-1] == ("a", JobTimeout)
    attempt = RunningAttempt(make_lease(), time.monotonic())
    attempt.request_cancel(0)
    assert executor.run(attempt).ending is Ending.CANCELLED
    assert SEEN[-1] == ("a", JobCancelled)


def test_commands_are_wrapped_too(make_lease: Callable[..., Any], queries: Any) -> None:
    class Command:
        def run(self, attempt: RunningAttempt) -> dict[str, int]:
            return {"exit_code": 0}

    alarm, commands = NoTimeout(), {"t": Command()}
    executor = Executor({}, commands, alarm, queries, around=(noting("a"),))  # type: ignore[arg-type]
    ended = executor.run(RunningAttempt(make_lease(), time.monotonic()))
    assert ended.result == '{"exit_code":0}'
    assert SEEN == [("a", "t", 7, 1), ("a", "done")]


def test_their_functions_are_loaded_by_name() -> None:
    assert load_around(["contextlib:nullcontext"])[0].__name__ == "nullcontext"
    with pytest.raises(ConfigurationError, match=r"jobs.around: contextlib has no function 'nope'"):
        load_around(["contextlib:nope"])
    with pytest.raises(ModuleNotFoundError):
        load_around(["no_such_module:f"])
