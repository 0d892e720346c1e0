"""A bulk action in steps: whoever stops after one knows exactly what was changed."""

import threading
from collections.abc import Callable

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Lease, NewJob, NewLine, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.errors import DatabaseAway, DatabaseBusy
from orpheus.shared.storage import (
    BulkAction,
    BulkCursor,
    BulkStep,
    CountChanged,
    NoSuchCursor,
    Store,
)
from tests.audit_log import entries_of

Submit = Callable[..., int]
Lend = Callable[..., list[Lease]]
End = Callable[..., bool]
MAIL = JobFilter(queue="mail")


def step(store: Store, cursor: BulkCursor, action: BulkAction = BulkAction.CANCEL) -> BulkStep:
    return store.bulk.step(action, MAIL, 3, cursor, by="cli")


def all_steps(store: Store, action: BulkAction, limit: int, wanted: JobFilter = MAIL) -> list[int]:
    done = store.bulk.step(action, wanted, limit, store.bulk.first_cursor(None), by="cli")
    changed = [done.changed]
    while done.next_cursor is not None:
        done = store.bulk.step(action, wanted, limit, done.next_cursor, by="cli")
        changed.append(done.changed)
    assert done.so_far == sum(changed) == entries_of(store, 1)[0].count
    return changed


def test_steps_change_what_one_call_would_and_leave_one_entry(store: Store, submit: Submit) -> None:
    store.jobs.submit_many([NewJob("noop", queue="mail")] * 8)
    other = submit()
    for action in (BulkAction.CANCEL, BulkAction.RETRY, BulkAction.CANCEL, BulkAction.DELETE):
        assert all_steps(store, action, 3) == [3, 3, 2]
    assert [(entry.action, entry.count) for entry in entries_of(store, 9)] == [
        ("delete", 8),
        ("cancel", 8),
        ("retry", 8),
        ("cancel", 8),
    ]
    assert [job.id for job in store.jobs.page(JobFilter(), 9)] == [other]


def test_who_stops_knows_what_was_changed(store: Store) -> None:
    store.jobs.submit_many([NewJob("noop", queue="mail")] * 8)
    first = step(store, store.bulk.first_cursor(None))
    assert first.next_cursor is not None
    second = step(store, first.next_cursor)
    assert (second.changed, second.so_far) == (3, 6)
    assert store.stats.counts()[Status.CANCELLED] == 6
    assert entries_of(store, 1)[0].count == 6


def test_a_step_that_is_sent_twice_counts_no_job_twice(store: Store) -> None:
    store.jobs.submit_many([NewJob("noop", queue="mail")] * 8)
    first = step(store, store.bulk.first_cursor(None))
    assert first.next_cursor is not None
    step(store, first.next_cursor)
    again = step(store, first.next_cursor)
    assert (again.changed, again.so_far) == (2, 8)


def test_jobs_that_fail_again_are_not_retried_twice_by_a_step_that_is_sent_twice(
    store: Store, lease: Lend, end: End
) -> None:
    ids = store.jobs.submit_many([NewJob("noop", queue="mail")] * 8)
    for one in lease(8):
        end(one, Ending.FAILED_PERMANENTLY)
    first = step(store, store.bulk.first_cursor(None), BulkAction.RETRY)
    assert first.next_cursor is not None
    step(store, first.next_cursor, BulkAction.RETRY)
    for one in lease(6):
        end(one, Ending.FAILED_PERMANENTLY)
    again = step(store, first.next_cursor, BulkAction.RETRY)
    assert (again.changed, again.so_far) == (0, 6)
    assert {store.jobs.status(job_id) for job_id in ids[:6]} == {Status.FAILED}


def test_two_callers_with_the_same_cursor_count_each_job_once(
    store: Store, another: Callable[[], Store], lease: Lend
) -> None:
    store.jobs.submit_many([NewJob("noop", queue="mail")] * 300)
    lease(300)
    first = step(store, store.bulk.first_cursor(None))
    cursor = first.next_cursor
    assert cursor is not None
    together, stores, answers = threading.Barrier(2), [another(), another()], []

    def call(own: Store) -> None:
        together.wait()
        answers.append(own.bulk.step(BulkAction.CANCEL, MAIL, 300, cursor, by="cli"))

    callers = [threading.Thread(target=call, args=(own,)) for own in stores]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sum(answer.changed for answer in answers) == 297
    assert entries_of(store, 1)[0].count == 300


def test_later_jobs_are_left_alone_also_by_later_steps(store: Store, submit: Submit) -> None:
    store.jobs.submit_many([NewJob("noop", queue="mail")] * 4)
    store.bulk.change(BulkAction.CANCEL, MAIL, by="cli")
    first = step(store, store.bulk.first_cursor(None), BulkAction.RETRY)
    later = submit(queue="mail")
    store.jobs.cancel(later)
    assert first.next_cursor is not None
    last = step(store, first.next_cursor, BulkAction.RETRY)
    assert (last.changed, last.so_far, last.next_cursor) == (1, 4, None)
    assert store.jobs.status(later) is Status.CANCELLED


def test_the_first_step_changes_nothing_if_another_count_is_expected(
    store: Store, submit: Submit
) -> None:
    submit(queue="mail")
    cursor = store.bulk.first_cursor(None)
    with pytest.raises(CountChanged):
        store.bulk.step(BulkAction.CANCEL, MAIL, 3, cursor, expected_count=2, by="cli")
    assert entries_of(store, 1) == []
    assert store.stats.counts()[Status.PENDING] == 1


@pytest.mark.parametrize(
    ("action", "wanted", "by"),
    [
        (BulkAction.RETRY, MAIL, "cli"),
        (BulkAction.CANCEL, JobFilter(), "cli"),
        (BulkAction.CANCEL, MAIL, "somebody else"),
    ],
)
def test_a_cursor_of_other_steps_is_refused(
    store: Store, action: BulkAction, wanted: JobFilter, by: str
) -> None:
    store.jobs.submit_many([NewJob("noop", queue="mail")] * 8)
    cursor = step(store, store.bulk.first_cursor(None)).next_cursor
    assert cursor is not None
    with pytest.raises(NoSuchCursor):
        store.bulk.step(action, wanted, 3, cursor, by=by)
    assert entries_of(store, 1)[0].count == 3


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_steps_of_any_size_keep_the_order_of_dependencies(store: Store, limit: int) -> None:
    store.jobs.submit_many(
        [  # what waits has the lower id
            NewJob("load", queue="mail", ref="load", depends_on=("fetch",)),
            NewJob("report", queue="mail", depends_on=("load",), on_dependency_failure="run"),
            NewJob("fetch", queue="mail", ref="fetch"),
        ]
    )
    for action in (BulkAction.CANCEL, BulkAction.RETRY, BulkAction.CANCEL, BulkAction.DELETE):
        assert sum(all_steps(store, action, limit)) == 3, action


@pytest.mark.parametrize(
    ("times", "error", "before"),
    [(2, DatabaseBusy, 5), (3, DatabaseBusy, 3), (1, DatabaseAway, 2)],
)
def test_what_others_hold_is_tried_again_and_who_gives_up_says_what_was_changed(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
    error: type[DatabaseBusy],
    before: int,
) -> None:
    ids = store.jobs.submit_many([NewJob("noop")] * 5)
    monkeypatch.setattr(store._database, "most_savepoints", 2)
    cancel, refusals = store.jobs.cancel, [error("others wait; nothing was written")] * times

    def cancel_one(job_id: int) -> None:
        if job_id == ids[2] and refusals:
            raise refusals.pop()
        cancel(job_id)

    monkeypatch.setattr(store.jobs, "cancel", cancel_one)
    if before == 5:
        assert store.bulk.change(BulkAction.CANCEL, JobFilter(ids=tuple(ids)), by="cli") == 5
    else:
        with pytest.raises(error, match=rf"^others wait; {before} jobs were changed before, the"):
            store.bulk.change(BulkAction.CANCEL, JobFilter(ids=tuple(ids)), by="cli")
    assert entries_of(store, 1)[0].count == store.stats.counts()[Status.CANCELLED] == before


def test_long_logs_go_in_small_transactions_before_their_jobs(
    store: Store, submit: Submit, lease: Lend, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        submit()
    for number, held in enumerate(lease(3)):
        lines = [NewLine(1, "info", "said", "{}")] * (250 * number)
        store.logs.append(held.job_id, held.token, held.attempt, lines)
        end(held)
    delete, left = store.jobs.delete, []

    def delete_one(job_id: int) -> None:
        left.append(len(store.logs.after(job_id, 0, 1_000)))
        delete(job_id)

    transactions: list[int] = []
    monkeypatch.setattr(store.jobs, "delete", delete_one)
    store.jobs.lines_at_once = 100
    changed = store.bulk.change(
        BulkAction.DELETE, JobFilter(), by="cli", before_each=transactions.append
    )
    assert (changed, left) == (3, [0] * 3)
    assert transactions == [0] * (1 + 3 + 6 + 1), "its entry, 250 lines, 500, then all jobs"
    assert store.maintenance.verify() == []
