"""A bulk action changes jobs in small transactions, and says exactly what it has changed."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Lease, NewJob, NewLine, Status
from orpheus.shared.errors import DatabaseAway, DatabaseBusy
from orpheus.shared.storage import BulkAction, Store
from tests.audit_log import entries_of

Submit = Callable[..., int]
Lend = Callable[..., list[Lease]]
End = Callable[..., bool]


def test_parts_of_any_size_keep_the_order_of_dependencies(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store._database, "most_savepoints", 1)
    store.jobs.submit_many(
        [  # what waits has the lower id
            NewJob("load", queue="mail", ref="load", depends_on=("fetch",)),
            NewJob("report", queue="mail", depends_on=("load",), on_dependency_failure="run"),
            NewJob("fetch", queue="mail", ref="fetch"),
        ]
    )
    for action in (BulkAction.CANCEL, BulkAction.RETRY, BulkAction.CANCEL, BulkAction.DELETE):
        assert store.bulk.change(action, JobFilter(queue="mail"), by="cli") == 3, action


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
