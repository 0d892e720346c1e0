"""What operators do to many jobs, its trail, and answers given again."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import BulkAction, CountChanged, JobFilter, KeptAnswer, Store

Submit = Callable[..., int]


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


def test_a_bulk_action_takes_only_the_jobs_it_applies_to(store: Store, submit: Submit) -> None:
    store.jobs.submit_many([NewJob("noop")] * 450)
    cancelled = submit()
    store.jobs.cancel(cancelled)
    assert store.bulk.change(BulkAction.RETRY, JobFilter(), by="cli") == 1
    assert store.bulk.change(BulkAction.DELETE, JobFilter(), by="cli") == 0
    assert store.bulk.change(BulkAction.CANCEL, JobFilter(), by="cli") == 451
    assert store.bulk.change(BulkAction.DELETE, JobFilter(status=Status.CANCELLED), by="cli") == 451
    assert sum(store.stats.counts().values()) == 0


def test_a_whole_flow_is_cancelled_as_many_jobs_as_it_has(store: Store, submit: Submit) -> None:
    first = submit()
    second = submit(depends_on=(first,))
    submit(depends_on=(second,))
    assert store.bulk.change(BulkAction.CANCEL, JobFilter(), expected_count=3, by="cli") == 3


def test_a_bulk_action_is_one_entry_of_the_trail_however_many_steps_it_takes(
    store: Store, submit: Submit
) -> None:
    store.jobs.submit_many([NewJob("noop", queue="mail")] * 450)
    wanted = JobFilter(status=Status.PENDING, queue="mail")
    store.bulk.change(BulkAction.CANCEL, wanted, max_id=420, by="cli:ada", reason="a mistake")
    store.bulk.change(BulkAction.DELETE, JobFilter(), by="cli:ada")
    (all_, some) = store.audit.page(9)
    assert (some.action, some.count, some.reason) == ("cancel", 420, "a mistake")
    assert some.target == "jobs with status=pending, queue=mail, id<=420"
    assert (all_.action, all_.target, all_.count) == ("delete", "all jobs", 420)


def test_the_trail_is_read_newest_first(store: Store) -> None:
    for n in range(3):
        store.audit.record("cancel", f"job {n}", by="curl", reason="because", count=n)
    rows = store.audit.page(2)
    assert [(row.target, row.count) for row in rows] == [("job 2", 2), ("job 1", 1)]
    assert [row.target for row in store.audit.page(2, rows[-1].id)] == ["job 0"]


def test_an_answer_is_given_again_for_a_day(store: Store, clock) -> None:
    answer = KeptAnswer("hash", 201, '{"id":1}', "/jobs/1")
    assert store.idempotency.find("k") is None
    store.idempotency.keep("k", answer)
    assert store.idempotency.find("k") == answer
    clock.advance(24 * 3_600_000)
    assert store.idempotency.find("k") is None
