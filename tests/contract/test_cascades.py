"""The end of a job that thousands wait for: bounded transactions, and nothing forgotten.

`CASCADE_JOBS` says how many there are; `--long` takes so many that the bound is that of Orpheus.
"""

import os

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.errors import TransitionRefused
from orpheus.shared.storage import Store
from orpheus.shared.storage.verbs import dependencies
from tests.contract.conftest import End, LeaseSome, Opener, Submit

LENGTH = int(os.environ.get("CASCADE_JOBS", "110"))
AT_ONCE = LENGTH * 5 // 11
"""The bound of these tests: what one transaction does not reach takes two more."""
BOUND = dependencies._MOST_AT_ONCE
"""The bound of Orpheus."""


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every store that a test opens has the bound of these tests."""
    monkeypatch.setattr(dependencies, "_MOST_AT_ONCE", AT_ONCE)


def chain(length: int) -> list[NewJob]:
    """Each job waits for the one before it."""
    return [NewJob("noop", ref="0")] + [
        NewJob("noop", ref=str(n), depends_on=(str(n - 1),)) for n in range(1, length)
    ]


def fan(width: int, **fields: str) -> list[NewJob]:
    """All jobs wait for the first one."""
    return [NewJob("noop", ref="0")] + [
        NewJob("noop", depends_on=("0",), **fields)  # type: ignore[arg-type]
    ] * width


def end_first(store: Store, how: str, job_id: int, lease: LeaseSome, end: End) -> None:
    if how == "cancelled":
        store.jobs.cancel(job_id)
    else:
        end(lease()[0], Ending.SUCCEEDED if how == "done" else Ending.FAILED_PERMANENTLY)


@pytest.mark.parametrize(
    ("jobs", "how", "ends"),
    [
        (chain(LENGTH), "failed", Status.CANCELLED),
        (chain(LENGTH), "cancelled", Status.CANCELLED),
        (fan(LENGTH), "failed", Status.CANCELLED),
        (fan(LENGTH, on_dependency_failure="fail"), "cancelled", Status.FAILED),
        (fan(LENGTH, on_dependency_failure="run"), "cancelled", Status.PENDING),
        (fan(LENGTH), "done", Status.PENDING),
    ],
    ids=["chain fails", "chain cancelled", "fan fails", "fan of failing", "fan runs", "fan done"],
)
def test_a_transaction_goes_only_so_far_and_the_next_ones_go_on(
    store: Store,
    lease: LeaseSome,
    end: End,
    jobs: list[NewJob],
    how: str,
    ends: Status,
) -> None:
    ids = store.jobs.submit_many(jobs)
    end_first(store, how, ids[0], lease, end)
    blocked = [store.stats.counts()[Status.BLOCKED]]
    assert blocked[0] == len(ids) - 1 - AT_ONCE
    assert store.maintenance.verify() == []
    while store.dependencies.continue_cascades():
        blocked.append(store.stats.counts()[Status.BLOCKED])
        assert blocked[-2] - blocked[-1] <= AT_ONCE
    assert blocked[-1] == 0
    assert len(blocked) <= len(ids) / AT_ONCE + 2
    assert {store.jobs.get(one).status for one in ids[1:]} == {ends}
    assert store.maintenance.verify() == []


def test_all_ends_of_one_transaction_share_its_bound(store: Store) -> None:
    store.dependencies.most_at_once = BOUND
    heads = [store.jobs.submit_many(chain(400))[0] for _ in range(3)]
    with store.write(durable=True):
        for head in heads:
            store.jobs.cancel(head)
    assert store.stats.counts()[Status.CANCELLED] == len(heads) + 500
    while store.dependencies.continue_cascades():
        pass
    assert store.stats.counts()[Status.CANCELLED] == 1_200


def test_what_is_left_is_stored_and_another_process_goes_on(
    store: Store, another: Opener, lease: LeaseSome
) -> None:
    ids = store.jobs.submit_many(chain(LENGTH))
    store.jobs.cancel(ids[0])
    store.close()
    survivor = another()
    assert survivor.jobs.get(ids[-1]).status is Status.BLOCKED
    while survivor.dependencies.continue_cascades():
        pass
    assert survivor.stats.counts()[Status.CANCELLED] == LENGTH
    assert survivor.maintenance.verify() == []


def test_a_job_that_an_end_has_not_reached_does_not_run(
    store: Store, lease: LeaseSome, end: End
) -> None:
    ids = store.jobs.submit_many(fan(LENGTH))
    end(lease()[0], Ending.FAILED_PERMANENTLY)
    assert lease(10) == []
    assert store.jobs.get(ids[-1]).status is Status.BLOCKED


@pytest.mark.parametrize("policy", ["cancel", "run"])
def test_a_retry_stops_its_cascade_and_the_rest_waits_again(
    store: Store, lease: LeaseSome, end: End, policy: str
) -> None:
    store.dependencies.most_at_once = 2
    ids = store.jobs.submit_many(fan(5, on_dependency_failure=policy))
    store.jobs.cancel(ids[0])
    store.jobs.retry(ids[0])
    assert not store.dependencies.continue_cascades()
    reached = Status.CANCELLED if policy == "cancel" else Status.PENDING
    assert [store.jobs.get(one).status for one in ids[1:]] == [reached] * 2 + [Status.BLOCKED] * 3
    assert store.maintenance.verify() == []
    for one in lease(10):
        end(one)
    while store.dependencies.continue_cascades():
        pass
    assert [store.jobs.get(one).status for one in ids[3:]] == [Status.PENDING] * 3
    assert store.maintenance.verify() == []


def test_a_job_that_others_still_wait_for_is_kept(store: Store) -> None:
    store.dependencies.most_at_once = 2
    ids = store.jobs.submit_many(fan(5))
    store.jobs.cancel(ids[0])
    with pytest.raises(TransitionRefused, match="depends on job"):
        store.jobs.delete(ids[0])


def test_a_cancelled_dependent_is_not_reached_twice(store: Store) -> None:
    store.dependencies.most_at_once = 2
    ids = store.jobs.submit_many(fan(5))
    store.jobs.cancel(ids[0])
    store.jobs.cancel(ids[-1])
    while store.dependencies.continue_cascades():
        pass
    kinds = [event.kind for event in store.events.of_job(ids[-1], 9)]
    assert kinds == [Kind.JOB_ENQUEUED, Kind.JOB_CANCELLED]
    assert store.maintenance.verify() == []


def test_a_batch_behind_a_job_that_has_ended_is_reached_in_steps_too(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    first = submit()
    end(lease()[0])
    store.jobs.submit_many([NewJob("noop", depends_on=(first,))] * LENGTH)
    assert store.stats.counts()[Status.PENDING] == AT_ONCE
    while store.dependencies.continue_cascades():
        pass
    assert store.stats.counts()[Status.PENDING] == LENGTH


def test_nothing_is_written_without_a_cascade(store: Store, another: Opener) -> None:
    store.data_changed()
    assert not another().dependencies.continue_cascades()
    assert not store.data_changed()
