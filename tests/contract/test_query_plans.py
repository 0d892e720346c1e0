"""Hot queries use their index and never sort the backlog."""

import re
from typing import Any

import apsw
import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import JobOrder, Store, database_path
from orpheus.shared.storage.sqlite.sql import sql_file
from tests.databases import make_database
from tests.sqlite_handle import handle_of

pytestmark = pytest.mark.backends("sqlite")  # It is about SQLite's planner.

HOT = {
    ("leases.sql", "due-of-all"): "jobs_due_of_all",
    ("leases.sql", "heads-of-all"): "jobs_due_of_all",
    ("leases.sql", "due-of-one"): "jobs_due (queue=? AND priority<?)",
    ("leases.sql", "head-of-one"): "jobs_due (queue=?)",
    ("leases.sql", "head-of-next"): "jobs_due (queue>?)",
    ("leases.sql", "something-leasable"): "jobs_due",
    ("keys.sql", "running"): "jobs_of_key (queue=? AND concurrency_key=? AND status=?)",
    ("keys.sql", "is-parked"): "jobs_parked (queue=? AND concurrency_key=?)",
    ("keys.sql", "parked-and-next"): "jobs_of_key (queue=? AND concurrency_key=?",
    ("keys.sql", "parked"): "jobs_parked (queue=? AND concurrency_key=?)",
    ("keys.sql", "opened"): "key_rates_waiting (boot_id=? AND opens_mono_ms",
    ("keys.sql", "next-opening"): "key_rates_waiting (boot_id=?",
    ("keys.sql", "next-parked-key"): "jobs_parked (queue=? AND concurrency_key>?)",
    ("keys.sql", "full"): "key_rates_idle (boot_id=? AND full_mono_ms<?)",
    ("quarantines.sql", "held-jobs"): "jobs_held (type=?)",
    ("quarantines.sql", "hold"): "jobs USING INTEGER PRIMARY KEY (rowid=?)",
    ("leases.sql", "promote-due"): "jobs_scheduled",
    ("schedules.sql", "last-runs"): "SEARCH jobs USING INTEGER PRIMARY KEY (rowid=?)",
    ("schedules.sql", "pauses"): "audit_by_target (target=?)",
    ("leases.sql", "leases-of"): "jobs_by_status (status=?)",
    ("leases.sql", "any-expired"): "jobs_by_status (status=?)",
    ("leases.sql", "expired-leases"): "jobs_by_status (status=?)",
    ("leases.sql", "next-due"): "jobs_scheduled",
    ("dependencies.sql", "waiting-for"): "job_dependents",
    ("dependencies.sql", "needed-by"): "job_dependents",
    ("graphs.sql", "jobs-before"): "job_dependencies USING PRIMARY KEY (job_id=?)",
    (
        "graphs.sql",
        "jobs-after",
    ): "COVERING INDEX job_dependents (depends_on=?)",
    ("graphs.sql", "links-of-graph"): "job_dependencies USING PRIMARY KEY (job_id=?)\n",
    ("audit.sql", "to-target"): "audit USING INDEX audit_by_target (target=?)",
    ("audit.sql", "entries-of-job"): "audit USING INDEX audit_by_target (target=?",
    ("jobs.sql", "running-jobs"): "jobs_by_status (status=?)",
    ("jobs.sql", "holders-of-unique-keys"): "jobs_unique_key",
    ("events.sql", "events-of-job"): "events_by_job",
    ("jobs.sql", "run-of"): "INTEGER PRIMARY KEY (rowid=?)",
    ("counts.sql", "newest-of-queue"): "COVERING INDEX jobs_by_queue (queue=? AND id>?)",
    ("counts.sql", "first-job-from"): "INTEGER PRIMARY KEY (rowid>?)",
    ("why.sql", "pauses"): "audit_by_target (target=?)",
    ("why.sql", "leased-before"): "jobs_by_status (status=?)",
    ("why.sql", "running-of-queue"): "jobs_by_status (status=?)",
    ("why.sql", "running-of-key"): "jobs_of_key (queue=? AND concurrency_key=? AND status=?",
    ("logs.sql", "after"): "job_logs_by_job",
    ("why.sql", "first-due"): "jobs_due (queue=? AND priority<?)",
    ("why.sql", "come-due"): "jobs_scheduled (run_at_ms<?)",
    ("why.sql", "held-queues"): "jobs_held",
    ("counts.sql", "due-of-queue"): "jobs_parked (queue=?)",
    ("why.sql", "first-parked"): "COVERING INDEX jobs_parked (queue=?)",
    ("counts.sql", "only-failed"): "COVERING INDEX jobs_failed (type=? AND error_type>?)",
    ("alerts.sql", "seen"): "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    ("alerts.sql", "late-jobs"): "jobs_due (queue=?)",
    ("alerts.sql", "late-delayed-jobs"): "jobs_scheduled (run_at_ms<?)",
    ("retention.sql", "expired-jobs"): "jobs_ended",
    ("retention.sql", "expired-with-retention"): "jobs_done_with_retention (<expr>",
    ("jobs.sql", "expired"): "jobs_expiring (expires_ms>? AND expires_ms<?)",
    ("retention.sql", "expired-key"): "idempotency_keys_by_age",
    ("retention.sql", "delete-keys"): "idempotency_keys_by_age",
}


SORTS = {
    "leases-of", "expired-leases", "parked-and-next", "leased-before", "running-of-queue",
    "running-of-key", "late-delayed-jobs", "late-jobs", "links-of-graph", "last-runs",
    "only-failed", "running-jobs", "first-parked", "come-due",
    "held-queues", "entries-of-job",
}  # fmt: skip


@pytest.fixture
def connection(url: str):
    make_database(url)
    opened = apsw.Connection(str(database_path(url)))
    yield opened
    opened.close()


def plan_of(connection: apsw.Connection, sql: str) -> str:
    numbers = re.findall(r"\?(\d*)", re.sub(r"--.*", "", sql))
    values = [1] * (max([int(one or 0) for one in numbers] or [0]) or len(numbers))
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    return "\n".join(str(row[3]) for row in rows)


@pytest.mark.parametrize(("file", "name"), HOT, ids=str)
def test_a_hot_query_uses_its_index_and_sorts_nothing(
    connection: apsw.Connection, file: str, name: str
) -> None:
    plan = plan_of(connection, sql_file(file)[name])
    assert HOT[file, name] in plan
    sorts = [line for line in plan.splitlines() if "TEMP B-TREE" in line]
    # At most the few leases of workers are sorted, or the next of a key, or the newest runs
    # of each schedule or alert, a bounded part of what is held back, or what was done to one job.
    assert not sorts or name in SORTS, plan


def test_groups_of_errors_are_counted_from_an_index(connection: apsw.Connection) -> None:
    plan = plan_of(connection, sql_file("errors.sql")["groups"])
    assert "SCAN jobs USING COVERING INDEX jobs_failed" in plan
    assert plan.count("COVERING INDEX jobs_failed (type=? AND error_type=? AND error_where=?)") >= 2


def test_no_statement_of_a_job_is_prepared_again_because_a_value_has_changed(store: Store) -> None:
    """Without QPSG, SQLite does so wherever a value might let it use a partial index."""
    prepared_again: set[str] = set()

    def note(event: dict[str, Any]) -> None:
        if event["stmt_status"]["SQLITE_STMTSTATUS_REPREPARE"]:
            prepared_again.add(event["sql"])

    with handle_of(store) as connection:
        for number in range(3):
            if number == 1:  # the first round prepares all of them
                connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
            store.jobs.submit_many([NewJob("noop"), NewJob("noop", queue=f"q{number}")])
            assert store.leases.is_work_due()
            holder = Holder(f"w-{number}", f"i{number}", number)
            leases = store.leases.lease(holder, ("*",), 2, 30_000 + number)
            assert len(leases) == 2
            store.leases.renew({one.job_id: one.token for one in leases}, 30_000)
            store.leases.finish([Finished(one, Ending.SUCCEEDED, "null") for one in leases])
            store.jobs.page(JobFilter(Status.DONE), number + 1)
            store.stats.counts()
        connection.trace_v2(0, None)
    assert not prepared_again


@pytest.mark.parametrize("other", [{"type": "noop"}, {"queue": "default"}], ids=str)
def test_a_rare_status_is_looked_up_before_a_common_type_or_queue(
    store: Store, connection: apsw.Connection, other: dict[str, Any]
) -> None:
    job_id = store.jobs.submit(NewJob("noop")).job.id
    store.jobs.cancel(job_id)
    wanted = JobFilter(Status.CANCELLED, **other)
    source = store.lists._source(wanted, JobOrder.NEWEST)
    assert source.hint == f"\n{sql_file('jobs.sql')['by-status']}\n"
    assert [job.id for job in store.jobs.page(wanted, 10)] == [job_id]
    assert store.lists.total(wanted).value == 1
