"""The audit log: how it is read in pages, and what an action changed."""

from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.errors import NotFound
from orpheus.shared.operations import operator_actions
from orpheus.shared.storage import Actor, BulkAction, Pause, Store
from tests.audit_log import entries_of
from tests.contract.conftest import Submit

ADA = Actor("cli:ada", "as asked")


def test_entries_are_read_in_pages_all_or_those_of_one_job(store: Store, submit: Submit) -> None:
    jobs = [submit(type="resize") for _ in range(3)]
    store.jobs.cancel(jobs[1], ADA)
    store.audit.record("pause", "queue mail", by="cli:eve")
    store.bulk.change(BulkAction.RETRY, JobFilter(), by="cli:eve", reason=None)
    store.audit.record("cancel", f"job {jobs[1]}0", by="cli:eve")
    for job_id, ids in ((None, [4, 3, 2, 1]), (jobs[1], [3, 1]), (jobs[0], [])):
        found: list[int] = []
        before_id, pages = None, 0
        while pages == 0 or before_id is not None:
            page = store.audit.find(1, before_id, job_id)
            found += [row.id for row in page.rows]
            before_id, pages = page.before_id, pages + 1
        assert found == ids


def changes(store: Store) -> list[tuple[str, str | None, str | None]]:
    """What each entry says of its target, the oldest first."""
    return [(row.action, row.before, row.after) for row in reversed(entries_of(store, 50))]


def test_an_entry_tells_how_its_target_stood_before_and_after(
    store: Store, submit: Submit, lease: Any, clock: Any
) -> None:
    later = submit(type="resize", run_at_ms=clock.wall + 1000)
    store.jobs.run_now(later, ADA)
    lease(1)
    store.jobs.cancel(later, ADA)
    gone = submit(type="resize")
    store.jobs.cancel(gone, ADA)
    store.jobs.retry(gone, ADA)
    store.jobs.cancel(gone)
    store.jobs.delete(gone, ADA)
    assert changes(store) == [
        ("run", "pending until 2027-01-15T08:00:01.000Z", "pending"),
        ("cancel", "in progress", "in progress, asked to stop"),
        ("cancel", "pending", "cancelled"),
        ("retry", "cancelled", "pending"),
        ("delete", "cancelled, of type resize", "deleted"),
    ]
    with pytest.raises(NotFound, match="no job"):
        store.jobs.retry(gone, ADA)
    assert len(entries_of(store, 50)) == 5


def test_only_a_new_reason_changes_who_paused_what_is_paused_already(
    store: Store, clock: Any
) -> None:
    store.schedules.configure([ScheduleDefinition("mail", "noop", every_s=60)])
    pauses = (
        (operator_actions.pause_queue, store.waiting.pauses, "open"),
        (operator_actions.pause_schedule, store.schedules.pauses, "running"),
    )
    for pause, standing, unpaused in pauses:
        told = len(changes(store))
        assert pause(store, ADA, "mail", paused=True) is None
        first, events = Pause("cli:ada", "as asked", clock.wall), store.events.last_seq()
        clock.advance(60_000)
        for again in (Actor("cli:eve"), Actor("cli:eve", ""), Actor("cli:eve", "as asked")):
            assert pause(store, again, "mail", paused=True) == first
            assert standing()["mail"] == first
        assert store.events.last_seq() == events, "nothing has happened"
        assert pause(store, Actor("cli:eve", "it is down"), "mail", paused=True) == first
        assert standing()["mail"] == Pause("cli:eve", "it is down", clock.wall)
        assert changes(store)[told:] == [
            ("pause", unpaused, "paused"),
            ("pause", "paused by cli:ada: as asked", "paused"),
        ]
