"""The jobs that a filter finds are looked up by what few jobs have."""

from collections.abc import Callable

import psycopg
import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import BulkAction, Store
from tests.machine import wait_until

JOBS = 2_000
READ = "SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'orpheus.jobs'::regclass"
ALL_VISIBLE = "SELECT relallvisible = relpages FROM pg_class WHERE oid = 'orpheus.jobs'::regclass"


def vacuum(admin: psycopg.Connection) -> None:
    """Vacuum until an index alone tells that a row is there.

    A snapshot that is held meanwhile, as by a backend that is connecting, prevents that.
    """

    def is_all_visible() -> bool:
        admin.execute("VACUUM ANALYZE orpheus.jobs, orpheus.job_tags")
        row = admin.execute(ALL_VISIBLE).fetchone()
        return row == (True,)

    wait_until(is_all_visible, "a vacuum that no snapshot hinders")


def total(store: Store, wanted: JobFilter) -> int:
    return store.lists.total(wanted).value


def matching(store: Store, wanted: JobFilter) -> int:
    return store.bulk.count(BulkAction.RETRY, wanted, None)


def on_page(store: Store, wanted: JobFilter) -> int:
    return len(store.jobs.page(wanted, 10))


@pytest.mark.parametrize("found", [total, matching, on_page])
def test_a_rare_status_is_looked_up_before_a_common_type(
    timed: Store, admin: psycopg.Connection, found: Callable[[Store, JobFilter], int]
) -> None:
    others = [NewJob(f"type-{number}") for number in range(9)]
    job_id, *_ = timed.jobs.submit_many([NewJob("noop")] * JOBS + others)
    timed.jobs.cancel(job_id)
    vacuum(admin)
    with timed._database.snapshot():
        ((before,),) = timed._database.all(READ)
        assert found(timed, JobFilter(Status.CANCELLED, "noop")) == 1
        ((after,),) = timed._database.all(READ)
    assert 1 <= after - before < JOBS / 10


@pytest.mark.parametrize(
    "wanted",
    [JobFilter(Status.CANCELLED), JobFilter(type="a"), JobFilter(queue="a"), JobFilter(tag="a")],
    ids=str,
)
def test_a_page_is_read_from_its_index_and_not_by_ids_through_all_that_is_newer(
    timed: Store, admin: psycopg.Connection, wanted: JobFilter
) -> None:
    """The server expects jobs of each kind everywhere, but they may all be older than a backlog."""
    with timed.write(durable=False):
        timed.jobs.submit_many([NewJob("a", queue="a", tags=("a",))] * (4 * JOBS))
        if wanted.status:
            sql = "UPDATE jobs SET status = 'cancelled', is_due = 0, finished_at_ms = 1"
            timed._database.run(f"{sql} WHERE type = 'a'")
        timed.jobs.submit_many([NewJob("b", queue="b", tags=("b",))] * JOBS)
    vacuum(admin)
    with timed._database.snapshot():
        ((before,),) = timed._database.all(READ)
        assert on_page(timed, wanted) == 10
        ((after,),) = timed._database.all(READ)
    assert 10 <= after - before < JOBS / 10
