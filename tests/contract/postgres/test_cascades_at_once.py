"""A cascade goes on while others submit jobs that depend on the same ended job."""

from collections.abc import Sequence

import psycopg
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store_in
from tests.contract.conftest import Opener
from tests.contract.postgres.conftest import begin_and_wait

pytestmark = pytest.mark.backends("postgresql")

_WAITS_FOR = "SELECT min(waits_for) FROM orpheus.jobs WHERE id = ANY(%s)"


@pytest.fixture
def stores(another: Opener) -> tuple[Store, Store]:
    pair = another(), another()
    for one in pair:
        one.dependencies.most_at_once = 2
    return pair


def statuses(store: Store, job_ids: Sequence[int]) -> set[Status]:
    return {store.jobs.get(one).status for one in job_ids}


def test_a_batch_that_commits_during_a_cascade_is_not_forgotten(
    stores: tuple[Store, Store], admin: psycopg.Connection
) -> None:
    first, second = stores
    ended = first.jobs.submit(NewJob("noop")).job.id
    old = first.jobs.submit_many([NewJob("noop", depends_on=(ended,))] * 3)
    first.jobs.cancel(ended)
    assert Status.BLOCKED in statuses(first, old)
    with second.write(durable=True):
        new = second.jobs.submit_many([NewJob("noop", depends_on=(ended,))] * 4)
        cascade = begin_and_wait(admin, first.dependencies.continue_cascades)
    cascade.join()
    while first.dependencies.continue_cascades():
        pass
    assert statuses(first, [*old, *new]) == {Status.CANCELLED}
    assert first.maintenance.verify() == []


def test_no_dependency_is_counted_twice_when_a_cascade_meets_a_submission(
    stores: tuple[Store, Store], admin: psycopg.Connection
) -> None:
    first, second = stores
    ended, running = first.jobs.submit_many([NewJob("noop")] * 2)
    waiting = first.jobs.submit_many(
        [NewJob("noop", depends_on=(ended, running), on_dependency_failure="run")] * 4
    )
    first.jobs.cancel(ended)
    late = NewJob("noop", depends_on=(ended,), on_dependency_failure="run")
    with first.write(durable=True):
        first.dependencies.continue_cascades()
        submits = begin_and_wait(admin, lambda: second.jobs.submit(late))
    submits.join()
    assert statuses(first, waiting) == {Status.BLOCKED}
    assert admin.execute(_WAITS_FOR, (waiting,)).fetchone() == (1,)
    assert first.maintenance.verify() == []


def test_a_late_job_that_is_cancelled_while_it_is_linked_takes_its_dependents_with_it(
    stores: tuple[Store, Store], postgresql_url: str
) -> None:
    first, second = stores
    running = first.jobs.submit(NewJob("noop")).job.id
    with psycopg.connect(postgresql_url) as connection:
        application = open_store_in(connection, lambda answer: answer)
        late = application.jobs.submit(NewJob("noop", depends_on=(running,))).job.id
    waiting = first.jobs.submit_many([NewJob("noop", depends_on=(late,))] * 4)
    with second.write(durable=True):
        second.jobs.cancel(late)
        assert not first.dependencies.continue_cascades()
    while first.dependencies.continue_cascades():
        pass
    assert statuses(first, waiting) == {Status.CANCELLED}
    assert first.maintenance.verify() == []
