"""Failed jobs are counted by type, error and location, whatever happens to them afterwards."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import JobError, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import BulkAction, ErrorGroup, Store
from tests.audit_log import entries_of
from tests.contract.conftest import End, FakeClock, LeaseSome, Submit

Fail = Callable[..., int]
T0_MS = 1_800_000_000_000


def error_at(location: str, type: str = "ValueError", message: str = "it broke") -> JobError:
    name, line = location.split(":")
    frame = f'  File "/srv/{name}", line {line}, in resize\n'
    return JobError(
        type, message, f"Traceback (most recent call last):\n{frame}{type}: {message}\n"
    )


@pytest.fixture
def fail(
    submit: Submit,
    lease: LeaseSome,
    end: End,
    clock: FakeClock,
) -> Fail:
    """Runs a job that fails, a second after what was before; its id."""

    def run(error: JobError, type: str = "resize", **fields: object) -> int:
        clock.advance(1000)
        job_id = submit(type, **fields)
        assert end(*lease(), Ending.FAILED_PERMANENTLY, error=error)
        return job_id

    return run


def test_jobs_with_the_same_type_error_and_location_are_one_group(store: Store, fail: Fail) -> None:
    fail(error_at("jobs.py:12", message="a.png"))
    fail(error_at("jobs.py:12", message="b.png"))
    last = fail(error_at("jobs.py:12", message="c.png"))
    where, first_ms, last_ms = "jobs.py:12 in resize", T0_MS + 1000, T0_MS + 3000
    assert store.errors.groups() == [
        ErrorGroup(
            "resize", "ValueError", where, 3, first_ms, last_ms, last, last, 3, 0, "c.png", 2
        )
    ]


def test_a_group_is_retried_without_its_neighbours(store: Store, fail: Fail) -> None:
    mine = [fail(error_at("jobs.py:12")), fail(error_at("jobs.py:12"))]
    others = [
        fail(error_at("jobs.py:13")),
        fail(error_at("jobs.py:12", "KeyError")),
        fail(error_at("jobs.py:12"), "crop"),
        fail(JobError("ValueError", "no traceback")),
    ]
    later = fail(error_at("jobs.py:12"))
    wanted = JobFilter(Status.FAILED, "resize", error="ValueError", where="jobs.py:12 in resize")
    assert store.lists.total(wanted).value == 3
    retried = store.bulk.change(
        BulkAction.RETRY, wanted, max_id=mine[-1], expected_count=2, by="cli:ada"
    )
    assert retried == 2
    assert [store.jobs.status(one) for one in mine] == [Status.PENDING] * 2
    assert {store.jobs.status(one) for one in (*others, later)} == {Status.FAILED}
    (entry,) = entries_of(store, 1)
    assert entry.target == (
        "jobs with status=failed, type=resize, error=ValueError, where=jobs.py:12 in resize, "
        f"id<={mine[-1]}"
    )


def test_another_type_error_or_location_is_another_group_and_the_largest_is_first(
    store: Store, fail: Fail
) -> None:
    fail(error_at("jobs.py:12"))
    fail(error_at("jobs.py:13"))
    fail(error_at("jobs.py:12", "KeyError"))
    fail(error_at("jobs.py:12"), "crop")
    fail(JobError("ValueError", "no traceback"))
    fail(error_at("jobs.py:12"))
    found = [(one.count, one.type, one.error, one.where) for one in store.errors.groups()]
    assert found == [
        (2, "resize", "ValueError", "jobs.py:12 in resize"),
        (1, "resize", "ValueError", ""),
        (1, "crop", "ValueError", "jobs.py:12 in resize"),
        (1, "resize", "KeyError", "jobs.py:12 in resize"),
        (1, "resize", "ValueError", "jobs.py:13 in resize"),
    ]
    assert [one.count for one in store.errors.groups(limit=2)] == [2, 1]


def test_a_retried_or_deleted_job_is_no_longer_counted(
    store: Store,
    fail: Fail,
    lease: LeaseSome,
    end: End,
    clock: FakeClock,
) -> None:
    retried, deleted, kept = (fail(error_at("jobs.py:12")) for _ in range(3))
    store.jobs.retry(retried)
    store.jobs.delete(deleted)
    (group,) = store.errors.groups()
    assert (group.count, group.newest) == (1, kept)
    clock.advance(1000)
    end(*lease(), Ending.FAILED_PERMANENTLY, error=error_at("jobs.py:99"))
    newest = store.errors.groups()[0]
    assert (newest.where, newest.newest) == ("jobs.py:99 in resize", retried)
    store.jobs.delete(kept)
    store.jobs.retry(retried)
    end(*lease())
    assert store.errors.groups() == []


def test_a_job_that_fails_because_of_another_has_no_location(
    store: Store,
    submit: Submit,
    lease: LeaseSome,
    end: End,
) -> None:
    other = submit("other")
    waiting = submit(depends_on=(other,), on_dependency_failure="fail")
    end(*lease(), Ending.FAILED_PERMANENTLY, error=error_at("jobs.py:12"))
    found = {one.newest: (one.error, one.where) for one in store.errors.groups()}
    assert found == {
        other: ("ValueError", "jobs.py:12 in resize"),
        waiting: ("DependencyFailed", ""),
    }
