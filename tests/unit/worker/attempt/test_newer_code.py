"""A worker that meets a job which only other code can read."""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus import job
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.errors import DatabaseAway, DatabaseBusy, StorageError
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout


def test_a_type_that_only_other_code_defines_is_given_back_as_not_entered(
    make_lease: Callable[..., Lease], queries: Any
) -> None:
    executor = Executor({}, {}, NoTimeout(), queries)
    ended = executor.run(RunningAttempt(make_lease(type="t"), 0.0))
    assert (ended.ending, ended.error and ended.error.type) == (Ending.FAILED, "UnknownJobType")
    queries.readers = {"t": "v2"}
    ended = executor.run(RunningAttempt(make_lease(type="t"), 0.0))
    assert (ended.ending, ended.versions, ended.error) == (Ending.UNENTERED, "v2", None)


@pytest.mark.parametrize(
    ("readers", "ending", "kind"),
    [("v2 v3", Ending.UNENTERED, None), (None, Ending.FAILED_PERMANENTLY, "PermanentError")],
)
def test_a_payload_that_only_other_code_takes_is_given_back_as_not_entered(
    make_lease: Callable[..., Lease],
    queries: Any,
    readers: str | None,
    ending: Ending,
    kind: str | None,
) -> None:
    @job("t")
    def pay(order: int) -> None: ...

    queries.readers = {"t": readers}
    executor = Executor(load_job_types([]), {}, NoTimeout(), queries)
    ended = executor.run(RunningAttempt(make_lease(payload='{"order": 1, "currency": "USD"}'), 0.0))
    assert (ended.ending, ended.versions) == (ending, readers)
    assert (ended.error and ended.error.type) == kind


@pytest.mark.parametrize("trouble", [DatabaseAway, DatabaseBusy])
def test_a_job_is_given_back_if_the_database_cannot_say_who_can_read_it(
    make_lease: Callable[..., Lease],
    monkeypatch: pytest.MonkeyPatch,
    queries: Any,
    trouble: type[StorageError],
) -> None:
    @job("t")
    def pay(order: int) -> None: ...

    def other_readers(*_: object) -> None:
        raise trouble("the server restarts")

    monkeypatch.setattr(queries, "other_readers", other_readers)
    lease = make_lease(payload='{"order": 1, "currency": "USD"}', type="t")
    for types in (load_job_types([]), {}):
        ended = Executor(types, {}, NoTimeout(), queries).run(RunningAttempt(lease, 0.0))
        assert (ended.ending, ended.versions, ended.error) == (Ending.UNENTERED, None, None)
