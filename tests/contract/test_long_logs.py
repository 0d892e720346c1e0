"""A job with a long log is deleted in small transactions."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.jobs import NewJob, NewLine
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.shared.storage import Actor, Store
from tests.audit_log import entries_of
from tests.contract.conftest import End, LeaseSome, Submit

ADA = Actor("cli:ada")
LINES = 250


@pytest.fixture
def logged(store: Store, submit: Submit, lease: LeaseSome, end: End) -> int:
    """A job that has ended and has written 250 lines; they are deleted 100 at a time."""
    submit()
    (held,) = lease()
    lines = [NewLine(1, "info", "said", "{}")] * LINES
    store.logs.append(held.job_id, held.token, held.attempt, lines)
    end(held)
    store.jobs.lines_at_once = 100
    return held.job_id


def nothing() -> None:
    pass


def delete_job(store: Store, job_id: int, before_each: Callable[[], None] = nothing) -> None:
    store.jobs.delete_long_log(job_id, before_each)
    store.jobs.delete(job_id, ADA)


def lines_left(store: Store, job_id: int) -> int:
    return len(store.logs.after(job_id, 0, 1_000))


def test_the_lines_of_a_long_log_go_before_its_job_in_small_transactions(
    store: Store, logged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, delete = [], store.jobs.delete

    def delete_one(job_id: int, by: Actor) -> None:
        left.append(lines_left(store, job_id))
        delete(job_id, by)

    monkeypatch.setattr(store.jobs, "delete", delete_one)
    delete_job(store, logged, lambda: left.append(lines_left(store, logged)))
    assert left == [250, 150, 50, 0]
    with pytest.raises(NotFound):
        store.jobs.get(logged)
    assert [(one.action, one.count) for one in entries_of(store, 9)] == [("delete", 1)]
    assert store.maintenance.verify() == []


def test_who_is_killed_meanwhile_leaves_a_job_that_can_be_deleted_again(
    store: Store, logged: int
) -> None:
    begun = []

    def before_each() -> None:
        begun.append(lines_left(store, logged))
        if len(begun) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delete_job(store, logged, before_each)
    assert (store.jobs.get(logged).status, lines_left(store, logged)) == ("done", 150)
    assert entries_of(store, 9) == []
    assert store.maintenance.verify() == []
    delete_job(store, logged)
    with pytest.raises(NotFound):
        delete_job(store, logged)


def test_a_job_that_is_not_deleted_keeps_its_log(store: Store, logged: int, submit: Submit) -> None:
    store.jobs.submit(NewJob("noop", depends_on=(logged,)))
    with pytest.raises(TransitionRefused, match="depends on"):
        delete_job(store, logged)
    assert lines_left(store, logged) == LINES
    with pytest.raises(TransitionRefused, match="cancel it before"):
        delete_job(store, submit())
    assert entries_of(store, 9) == []
