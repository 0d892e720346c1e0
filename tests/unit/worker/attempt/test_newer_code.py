"""A worker that meets a job of newer code than it has loaded."""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus import job
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.job_types import registry
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.context import Fit, RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout


def test_a_type_that_only_newer_code_defines_spends_no_retry(
    make_lease: Callable[..., Lease], queries: Any
) -> None:
    executor = Executor({}, {}, NoTimeout(), queries)
    executor.run(RunningAttempt(make_lease(type="t"), 0.0))
    assert not executor.is_outdated
    ended = executor.run(RunningAttempt(make_lease(type="child"), 0.0))
    assert ended.ending is Ending.RELEASED
    assert executor.is_outdated


@pytest.mark.parametrize(
    ("fit", "ending", "kind"),
    [
        (Fit.NEWLY, Ending.RELEASED, None),
        (Fit.YES, Ending.FAILED, "NewerPayload"),
        (Fit.NO, Ending.FAILED_PERMANENTLY, "PermanentError"),
    ],
)
def test_a_payload_that_only_newer_code_takes_spends_no_retry(
    make_lease: Callable[..., Lease],
    monkeypatch: pytest.MonkeyPatch,
    queries: Any,
    fit: Fit,
    ending: Ending,
    kind: str | None,
) -> None:
    monkeypatch.setattr(registry, "_registry", {})

    @job("t")
    def pay(order: int) -> None: ...

    queries.answer = fit
    executor = Executor(load_job_types([]), {}, NoTimeout(), queries)
    ended = executor.run(RunningAttempt(make_lease(payload='{"order": 1, "currency": "USD"}'), 0.0))
    assert (ended.ending, ended.error and ended.error.type) == (ending, kind)
    assert executor.is_outdated == (fit is Fit.NEWLY)
