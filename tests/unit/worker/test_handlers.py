"""The built-in job types, called as plain functions."""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus import PermanentError
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.job_types.context import JobCancelled
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.job_context import JobContext
from orpheus.worker.handlers import flaky, sleep, sum_range, wordcount


@pytest.fixture
def running(make_lease: Callable[..., Lease]) -> RunningAttempt:
    return RunningAttempt(make_lease(attempt=2), 0.0)


@pytest.fixture
def ctx(running: RunningAttempt, queries: Any) -> JobContext:
    return JobContext(running, queries)


@pytest.mark.parametrize(
    ("n", "total"), [(0, 0), (1, 1), (100_000, 5_000_050_000), (4 * 10**9, 8_000_000_002 * 10**9)]
)
def test_sum_range_adds_up_to_n(ctx: JobContext, n: int, total: int) -> None:
    assert sum_range(ctx, n) == {"sum": total}
    assert total < 2**63


@pytest.mark.parametrize(("text", "count"), [("", 0), (" one\ttwo\n three ", 3)])
def test_wordcount_counts_words(ctx: JobContext, text: str, count: int) -> None:
    assert wordcount(ctx, text) == {"count": count}


def test_sleep_shows_its_progress(running: RunningAttempt, ctx: JobContext) -> None:
    assert sleep(ctx, 0.01) == {"slept": 0.01}
    assert running.unsaved_progress == (1.0, "slept")
    assert sleep(ctx, 0) == {"slept": 0}


def test_sleep_can_be_cancelled(running: RunningAttempt, ctx: JobContext) -> None:
    running.request_cancel(0.0)
    with pytest.raises(JobCancelled):
        sleep(ctx, 60)


def test_flaky_fails_as_often_as_told(ctx: JobContext) -> None:
    assert flaky(ctx, 1) == {"attempts": 2}
    with pytest.raises(RuntimeError, match="attempt 2 of 2"):
        flaky(ctx, 2)
    with pytest.raises(PermanentError):
        flaky(ctx, 2, permanent=True)
