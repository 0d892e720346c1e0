"""Hot queries use their index and never sort the backlog."""

import re

import apsw
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import JobFilter, Store, database_path, open_store
from orpheus.shared.storage.sqlite.sql import sql_file

HOT = {
    ("leases.sql", "due-jobs"): "jobs_due",
    ("leases.sql", "queues-with-due-jobs"): "jobs_due",
    ("leases.sql", "something-leasable"): "jobs_due",
    ("leases.sql", "promote-due"): "jobs_scheduled",
    ("leases.sql", "leases-of"): "jobs_leased",
    ("leases.sql", "expired-leases"): "jobs_leased",
    ("leases.sql", "next-due"): "jobs_scheduled",
    ("jobs.sql", "running-jobs"): "jobs_leased",
    ("jobs.sql", "live-by-unique-key"): "jobs_unique_key",
    ("events.sql", "events-of-job"): "events_by_job",
    ("logs.sql", "after"): "job_logs_by_job",
    ("counts.sql", "first-due"): "jobs_due",
    ("counts.sql", "first-due-below"): "jobs_due",
    ("retention.sql", "expired-jobs"): "jobs_ended",
    ("retention.sql", "expired-key"): "idempotency_keys_by_age",
    ("retention.sql", "delete-keys"): "idempotency_keys_by_age",
}


@pytest.fixture
def connection(url: str):
    open_store(url, create=True).close()
    opened = apsw.Connection(str(database_path(url)))
    yield opened
    opened.close()


def plan_of(connection: apsw.Connection, sql: str) -> str:
    values = [1] * len(re.findall(r"\?", re.sub(r"--.*", "", sql)))
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    return "\n".join(str(row[3]) for row in rows)


@pytest.mark.parametrize(("file", "name"), HOT, ids=str)
def test_a_hot_query_uses_its_index_and_sorts_nothing(
    connection: apsw.Connection, file: str, name: str
) -> None:
    plan = plan_of(connection, sql_file(file)[name])
    assert HOT[file, name] in plan
    sorts = [line for line in plan.splitlines() if "TEMP B-TREE" in line]
    # At most a worker's few leases are sorted, never what waits.
    assert not sorts or name in ("leases-of", "expired-leases"), plan


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("status = ?", "jobs_by_status"),
        ("type = ?", "jobs_by_type"),
        ("queue = ?", "jobs_by_queue"),
    ],
)
def test_a_filtered_page_is_read_from_an_index_in_order(
    connection: apsw.Connection, condition: str, index: str
) -> None:
    sql = f"{sql_file('jobs.sql')['select-jobs']} WHERE {condition} ORDER BY jobs.id DESC LIMIT ?"
    plan = plan_of(connection, sql)
    assert index in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("other", [{"type": "noop"}, {"queue": "default"}], ids=str)
def test_a_rare_status_is_looked_up_before_a_common_type_or_queue(
    store: Store, connection: apsw.Connection, other: dict[str, str]
) -> None:
    job_id = store.jobs.submit(NewJob("noop")).job.id
    store.jobs.cancel(job_id)
    wanted = JobFilter(Status.CANCELLED, **other)
    join, conditions, _ = store.jobs._where(wanted)
    sql = f"{sql_file('jobs.sql')['select-jobs']}{join} WHERE {' AND '.join(conditions)}"
    assert "jobs_by_status" in plan_of(connection, f"{sql} ORDER BY jobs.id DESC LIMIT ?")
    assert [job.id for job in store.jobs.page(wanted, 10)] == [job_id]
    assert store.jobs.total(wanted).value == 1
