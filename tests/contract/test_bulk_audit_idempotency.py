"""What operators do to many jobs, its trail, and answers given again."""

from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, NewJob, Status
from orpheus.shared.errors import TransitionRefused
from orpheus.shared.storage import Actor, BulkAction, CountChanged, KeptAnswer, Store
from tests.audit_log import entries_of
from tests.contract.conftest import Opener, Submit


def test_only_what_was_seen_and_counted_is_changed(store: Store, submit: Submit) -> None:
    seen = [submit(type="a") for _ in range(5)]
    submit(type="b")
    newer = submit(type="a")
    wanted = JobFilter(type="a")
    assert store.bulk.count(BulkAction.CANCEL, wanted, seen[-1]) == 5
    changed = store.bulk.change(
        BulkAction.CANCEL, wanted, max_id=seen[-1], expected_count=5, by="cli"
    )
    assert changed == 5
    assert store.jobs.get(newer).status is Status.PENDING


def test_another_count_than_expected_changes_nothing(store: Store, submit: Submit) -> None:
    submit()
    with pytest.raises(CountChanged, match="1 jobs match now, 2 were expected"):
        store.bulk.change(BulkAction.CANCEL, JobFilter(), expected_count=2, by="cli")
    assert store.stats.counts()[Status.PENDING] == 1


def test_with_or_fewer_only_more_jobs_than_expected_change_nothing(
    store: Store, submit: Submit
) -> None:
    for _ in range(2):
        submit()
    change = store.bulk.change
    given: dict[str, Any] = {"or_fewer": True, "by": "cli"}
    with pytest.raises(CountChanged, match="2 jobs match now, 1 were expected"):
        change(BulkAction.CANCEL, JobFilter(), expected_count=1, **given)
    assert change(BulkAction.CANCEL, JobFilter(), expected_count=3, **given) == 2
    with pytest.raises(CountChanged, match="0 jobs match now, 3 were expected"):
        change(BulkAction.CANCEL, JobFilter(), expected_count=3, **given)


def test_a_job_tells_what_was_done_to_it_alone_and_among_others(
    store: Store, submit: Submit
) -> None:
    job_id, other, done = submit(type="a"), submit(type="b"), submit(type="a")
    store.bulk.change(BulkAction.CANCEL, JobFilter(type="a"), by="cli:ada", reason="too many")
    store.audit.audited(Actor("cli:eve", "one more"), "retry", f"job {job_id}", lambda: None)
    store.audit.audited(Actor("cli:eve"), "cancel", f"job {other}", lambda: None)
    entries = entries_of(store, 10, job_id=job_id)
    assert [(row.action, row.by, row.reason) for row in entries] == [
        ("retry", "cli:eve", "one more"),
        ("cancel", "cli:ada", "too many"),
    ]
    assert entries_of(store, 10, entries[0].id, job_id) == entries[1:]
    assert entries_of(store, 1, job_id=job_id) == entries[:1]
    assert [row.action for row in entries_of(store, 10, job_id=done)] == ["cancel"]
    assert [row.by for row in entries_of(store, 10, job_id=other)] == ["cli:eve"]


FLOW = [  # what waits has the lower id
    NewJob("load", depends_on=("fetch",)),
    NewJob("report", depends_on=("load",), on_dependency_failure="run"),
    NewJob("fetch", ref="fetch"),
]


def flow(store: Store) -> list[int]:
    """Submit load, which waits for fetch, and a report that runs whatever becomes of load."""
    load, report, fetch = FLOW
    return store.jobs.submit_many([load._replace(ref="load"), report, fetch])


def test_the_count_is_exact_whatever_the_order_of_the_ids(store: Store) -> None:
    flow(store)
    for action in (BulkAction.CANCEL, BulkAction.RETRY, BulkAction.CANCEL, BulkAction.DELETE):
        assert store.bulk.count(action, JobFilter(), None) == 3
        assert store.bulk.change(action, JobFilter(), expected_count=3, by="cli") == 3
    assert store.maintenance.verify() == []


def test_what_waits_is_retried_after_what_it_waits_for(store: Store) -> None:
    load, report, fetch = flow(store)
    store.bulk.change(BulkAction.CANCEL, JobFilter(), by="cli")
    store.bulk.change(BulkAction.RETRY, JobFilter(), by="cli")
    statuses = [store.jobs.get(one).status for one in (fetch, load, report)]
    assert statuses == [Status.PENDING, Status.BLOCKED, Status.BLOCKED]


def test_jobs_whose_dependency_stays_failed_are_not_retried_nor_counted(store: Store) -> None:
    load, report, _ = flow(store)
    store.bulk.change(BulkAction.CANCEL, JobFilter(), by="cli")
    assert store.bulk.count(BulkAction.RETRY, JobFilter(type="load"), None) == 0
    with pytest.raises(TransitionRefused, match="which is cancelled: retry that first"):
        store.jobs.retry(load)
    assert store.bulk.count(BulkAction.RETRY, JobFilter(type="report"), None) == 1
    assert store.jobs.retry(report).status is Status.PENDING


def test_jobs_that_others_may_need_are_not_deleted_nor_counted(store: Store) -> None:
    flow(store)
    store.bulk.change(BulkAction.CANCEL, JobFilter(), by="cli")
    assert store.bulk.change(BulkAction.DELETE, JobFilter(type="fetch"), by="cli") == 0
    assert store.bulk.change(BulkAction.DELETE, JobFilter(type="report"), by="cli") == 1
    assert store.bulk.count(BulkAction.DELETE, JobFilter(), None) == 2


def test_the_jobs_of_a_bulk_action_are_those_of_one_moment(
    store: Store, another: Opener, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = another()
    submit()
    holder, read = Holder("default-1", "life-1", 1), store.lists._read

    def meanwhile(select: Any, source: Any, *more: Any) -> Any:
        found = read(select, source, *more)
        if "in_progress" in source.conditions[0].sql:  # read before `pending`
            assert other.leases.lease(holder, ("*",), 1, 30_000)
        return found

    monkeypatch.setattr(store.lists, "_read", meanwhile)
    assert store.bulk.count(BulkAction.CANCEL, JobFilter(), None) == 1


def test_a_bulk_action_is_one_entry_of_the_trail_however_many_steps_it_takes(
    store: Store, submit: Submit
) -> None:
    store.jobs.submit_many([NewJob("noop", queue="mail")] * 250)
    wanted = JobFilter(status=Status.PENDING, queue="mail")
    store.bulk.change(BulkAction.CANCEL, wanted, max_id=230, by="cli:ada", reason="a mistake")
    store.bulk.change(BulkAction.DELETE, JobFilter(), by="cli:ada")
    (all_, some) = entries_of(store, 9)
    assert (some.action, some.count, some.reason) == ("cancel", 230, "a mistake")
    assert some.target == "jobs with status=pending, queue=mail, id<=230"
    assert (all_.action, all_.target, all_.count) == ("delete", "all jobs", 230)


def test_an_answer_is_given_again_for_a_day(store: Store, clock) -> None:
    answer = KeptAnswer("hash", 201, '{"id":1}', "/jobs/1")
    assert store.idempotency.find("k") is None
    store.idempotency.keep("k", answer)
    assert store.idempotency.find("k") == answer
    clock.advance(24 * 3_600_000)
    assert store.idempotency.find("k") is None
