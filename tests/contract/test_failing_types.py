"""Types of which no job has succeeded since some failed: told as long as those are there."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.jobs import JobError, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Failures, Store, TypeRow
from orpheus.shared.storage.verbs import stats
from orpheus.shared.views.verdict import verdict_json
from tests.contract.conftest import FakeClock

MINUTE_MS, DAY_MS = 60_000, 86_400_000
Fail = Callable[..., int]


@pytest.fixture(autouse=True)
def begin_of_a_minute(clock: FakeClock, store: Store) -> None:
    """The figures are kept by the minute."""
    clock.advance(-clock.wall % MINUTE_MS)
    store.types.replace([TypeRow("charge", "{}", None, None, None, "")])


@pytest.fixture
def finish(
    store: Store, submit: Callable[..., int], lease: Callable[..., list[Lease]]
) -> Callable[[str, Ending, str], int]:
    def finish_one(job_type: str, ending: Ending, error: str) -> int:
        job = submit(job_type)
        (one,) = lease()
        if ending is Ending.SUCCEEDED:
            store.leases.finish([Finished(one, ending, "null")])
        else:
            store.leases.finish([Finished(one, ending, error=JobError(error, "no"))])
        return job

    return finish_one


@pytest.fixture
def fail(finish: Callable[[str, Ending, str], int]) -> Fail:
    def fail_one(error: str = "OSError", job_type: str = "charge") -> int:
        return finish(job_type, Ending.FAILED_PERMANENTLY, error)

    return fail_one


@pytest.fixture
def succeed(finish: Callable[[str, Ending, str], int]) -> Callable[[], int]:
    return lambda: finish("charge", Ending.SUCCEEDED, "")


def texts(store: Store) -> list[str]:
    found = verdict_json(store, [], {"default": ["*"]}, 30, {})["concerns"]
    return [one["text"] for one in found if one["code"] == "type_failing"]


def test_what_failed_is_told_until_one_succeeds(
    store: Store, fail: Fail, succeed: Callable[[], int], clock: FakeClock
) -> None:
    for error in ("OSError", "KeyError", "OSError"):
        fail(error)
    assert texts(store) == ["The last 3 jobs of charge failed, the newest less than a minute ago."]
    clock.advance(10 * MINUTE_MS)
    assert texts(store) == ["The last 3 jobs of charge failed, the newest 10 min ago."]
    clock.advance(DAY_MS)
    assert texts(store) == ["The last 3 jobs of charge failed, the newest 1 d ago."]
    succeed()
    assert texts(store) == []


def test_what_is_retried_or_deleted_is_not_told_and_none_counts_twice(
    store: Store, fail: Fail, lease: Callable[..., list[Lease]], clock: FakeClock
) -> None:
    jobs = [fail() for _ in range(4)]
    for _ in range(2):  # it fails again, so it has ended three times
        store.jobs.retry(jobs[0])
        (one,) = lease()
        error = JobError("OSError", "no")
        store.leases.finish([Finished(one, Ending.FAILED_PERMANENTLY, error=error)])
    clock.advance(10 * MINUTE_MS)
    assert store.stats.failing() == {"charge": Failures(4, clock.wall - 10 * MINUTE_MS)}
    store.jobs.delete(jobs[1])
    assert store.stats.failing()["charge"].jobs == 3
    store.jobs.retry(jobs[2])
    assert texts(store) == []


def test_only_what_failed_since_the_last_success_counts(
    store: Store, fail: Fail, succeed: Callable[[], int], clock: FakeClock
) -> None:
    fail()
    succeed()
    assert store.stats.failing() == {}
    clock.advance(MINUTE_MS)
    fail("KeyError")
    fail()
    assert store.stats.failing() == {"charge": Failures(2, clock.wall)}


def test_what_failed_before_the_figures_that_are_kept_is_not_told(
    store: Store, fail: Fail, clock: FakeClock
) -> None:
    fail()
    clock.advance(2 * DAY_MS + MINUTE_MS)
    assert store.stats.failing() == {}


def test_types_that_are_not_described_share_their_figures_so_none_is_judged(
    store: Store, fail: Fail
) -> None:
    fail(job_type="of-no-module")
    assert store.stats.failing() == {}


def test_of_many_failed_jobs_a_bounded_number_is_counted(
    store: Store, fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "MOST_FAILED", 3)
    for error in ("OSError", "KeyError") * 2:
        fail(error)
    assert store.stats.failing()["charge"].jobs == 3
