"""What `@job` says of a function, and the executor obeys."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from orpheus import Context, PermanentError, job
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.job_types import registry as job_types
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_types, "_registry", {})


@pytest.fixture
def run(make_lease: Callable[..., Lease], queries: Any) -> Callable[[str], Finished]:
    """Runs the job type `t` with a payload."""

    def run_once(payload: str) -> Finished:
        attempt = RunningAttempt(make_lease(payload=payload), time.monotonic())
        return Executor(load_job_types([]), {}, NoTimeout(), queries).run(attempt)

    return run_once


def test_an_error_of_a_type_that_the_job_names_is_permanent(
    run: Callable[[str], Finished],
) -> None:
    @job("t", permanent=(LookupError,))
    def find(*, kind: str, ctx: Context) -> None:
        raise {"key": KeyError, "value": ValueError, "own": PermanentError}[kind]

    endings = [run(f'{{"kind": "{kind}"}}').ending for kind in ("key", "value", "own")]
    assert endings == [Ending.FAILED_PERMANENTLY, Ending.FAILED, Ending.FAILED_PERMANENTLY]


@pytest.mark.parametrize("is_async", [False, True])
def test_the_context_is_handed_in_where_it_stands(
    run: Callable[[str], Finished], is_async: bool
) -> None:
    def last(a: int, *, context: Context) -> int:
        return a + context.job_id

    async def last_later(a: int, *, context: Context) -> int:
        return a + context.job_id

    job("t")(last_later if is_async else last)
    assert run('{"a": 2}').result == "9"


def test_a_function_may_take_no_context(run: Callable[[str], Finished]) -> None:
    @job("t")
    async def without(a: int) -> int:
        return a

    assert run('{"a": 2}').result == "2"
