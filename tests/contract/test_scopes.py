"""What a caller may see is all that lists, counts, searches, bulk actions and errors know of."""

import math

import pytest

from orpheus.shared.domain.access import Scope
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, JobError, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Actor, Budget, BulkAction, JobOrder, Store

JOBS = [("mail", "mail_one"), ("mail", "report"), ("Mail", "mail_one"), ("mail2", "mailXone")]
SCOPES = {
    Scope(("mail",)): {1, 2},
    Scope(("mail*",)): {1, 2, 4},
    Scope(types=("mail_*",)): {1, 3},
    Scope(("*ail", "nix"), ("report", "mail_one")): {1, 2, 3},
    Scope(("*",), ("*",)): {1, 2, 3, 4},
    Scope(("nix",)): set(),
}


@pytest.fixture(autouse=True)
def failed_jobs(store: Store) -> None:
    """A failed job of each queue and type, each for the same reason."""
    store.jobs.submit_many([NewJob(type, queue=queue) for queue, type in JOBS])
    for lease in store.leases.lease(Holder("default-1", "i", 1), ("*",), 9, 30_000):
        error = JobError("ValueError", "it broke", None)
        store.leases.finish([Finished(lease, Ending.FAILED_PERMANENTLY, error=error)])


@pytest.mark.parametrize(("scope", "seen"), SCOPES.items(), ids=str)
def test_only_jobs_in_scope_are_found_and_counted(
    store: Store, scope: Scope, seen: set[int]
) -> None:
    assert {job for job, names in enumerate(JOBS, 1) if scope.sees(*names)} == seen
    for wanted in (
        JobFilter(scope=scope),
        JobFilter(Status.FAILED, scope=scope),
        JobFilter(q="broke", scope=scope),
        JobFilter(ids=(1, 2, 3, 4), scope=scope),
        JobFilter(error="ValueError", since_ms=0, scope=scope),
    ):
        for order in (JobOrder.NEWEST, JobOrder.ENDED):
            page = store.lists.page(wanted, 9, order=order)
            assert {job.id for job in page.jobs} == seen
        assert store.lists.total(wanted, Budget(math.inf)).value == len(seen)
        assert store.bulk.count(BulkAction.RETRY, wanted, None) == len(seen)
    for queue, type in JOBS:
        one = {id for id in seen if JOBS[id - 1] == (queue, type)}
        page = store.lists.page(JobFilter(queue=queue, type=type, scope=scope), 9)
        assert {job.id for job in page.jobs} == one


@pytest.mark.parametrize(("scope", "seen"), SCOPES.items(), ids=str)
def test_errors_are_those_of_jobs_in_scope(store: Store, scope: Scope, seen: set[int]) -> None:
    groups = {group.type: group for group in store.errors.groups(scope)}
    assert sum(group.count for group in groups.values()) == len(seen)
    assert {group.newest for group in groups.values()} <= seen
    everything = {group.type: group for group in store.errors.groups()}
    if len(seen) == len(JOBS):
        assert groups == everything


def test_a_bulk_action_changes_only_jobs_in_scope(store: Store) -> None:
    wanted = JobFilter(Status.FAILED, scope=Scope(types=("mail_*",)))
    actor = Actor("api:ci")
    assert store.bulk.change(BulkAction.DELETE, wanted, by=actor.name) == 2
    assert [job.id for job in store.lists.page(JobFilter(), 9).jobs] == [4, 2]
    (entry,) = store.audit.find(9).rows
    assert (entry.target, entry.count) == ("jobs with status=failed", 2)
