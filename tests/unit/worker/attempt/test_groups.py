"""How an attempt ends that raises several exceptions at once."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from orpheus import Context, PermanentError, Snooze, job
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.job_types.context import JobCancelled
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout

Run = Callable[..., Finished]


@pytest.fixture
def run(make_lease: Callable[..., Any], queries: Any) -> Run:
    """Runs a coroutine in whose TaskGroup some exceptions are raised; how it ended."""

    async def one(error: BaseException) -> None:
        raise error

    def run_once(*errors: BaseException) -> Finished:
        @job("t")
        async def handler(ctx: Context) -> None:
            async with asyncio.TaskGroup() as group:
                for error in errors:
                    group.create_task(one(error))

        executor = Executor(load_job_types([]), {}, NoTimeout(), queries)
        return executor.run(RunningAttempt(make_lease(), time.monotonic()))

    return run_once


@pytest.mark.parametrize(
    ("errors", "ending", "named"),
    [
        ([ValueError("bad")], Ending.FAILED, "(1 sub-exception): ValueError: bad"),
        (
            [ValueError("bad"), PermanentError("worse")],
            Ending.FAILED_PERMANENTLY,
            "(2 sub-exceptions): ValueError: bad; PermanentError: worse",
        ),
        ([Snooze(1), PermanentError("worse")], Ending.FAILED_PERMANENTLY, "PermanentError: worse"),
        ([Snooze(1), ValueError("bad")], Ending.FAILED, "Snooze: for 1 s; ValueError: bad"),
        ([JobCancelled("it was"), JobCancelled("it was")], Ending.CANCELLED, None),
    ],
)
def test_a_group_ends_the_attempt_as_what_is_in_it_does(
    run: Run, errors: list[BaseException], ending: Ending, named: str | None
) -> None:
    ended = run(*errors)
    assert ended.ending is ending
    assert (ended.error is None) == (named is None)
    assert ended.error is None or (named or "") in ended.error.message


def test_a_group_of_snoozes_is_the_longest_of_them(run: Run) -> None:
    nested = BaseExceptionGroup("inner", [Snooze(2), Snooze(1)])
    ended = run(Snooze(1), nested)
    assert (ended.ending, ended.snooze_ms) == (Ending.SNOOZED, 2000)
