"""Retention beside open transactions, and what is deleted with a job."""

import psycopg
import pytest

from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import NewJob, NewLine
from orpheus.shared.errors import NotFound
from orpheus.shared.process.last_lines import LastLine
from orpheus.shared.storage import Store, open_store_in
from tests.contract.conftest import FakeClock, LeaseSome, Opener

pytestmark = pytest.mark.backends("postgresql")


def test_a_job_that_an_open_transaction_depends_on_is_passed_over(
    another: Opener, clock: FakeClock, postgresql_url: str
) -> None:
    store = another()
    needed, other = store.jobs.submit_many([NewJob("noop")] * 2)
    store.jobs.cancel(needed)
    store.jobs.cancel(other)
    clock.advance(1)
    rules = RetentionRules(done_s=0, failed_s=0, cancelled_s=0, events=1_000)
    with psycopg.connect(postgresql_url) as application:
        inside = open_store_in(application, lambda answer: answer)
        late = inside.jobs.submit(NewJob("noop", depends_on=(needed,))).job.id
        assert store.retention.step(rules)
        with pytest.raises(NotFound):
            store.jobs.get(other)
        assert not all(store.retention.step(rules) for _ in range(5)), "it looks again in vain"
    while store.retention.step(rules):
        pass
    assert store.jobs.get(late).depends_on == (needed,)
    assert store.jobs.get(needed).id == needed


def test_deleting_events_reads_only_the_events_it_deletes(
    another: Opener, admin: psycopg.Connection
) -> None:
    """Not those before, which are deleted and not yet vacuumed, nor the whole table."""
    store = another()
    rows = "SELECT n, 0, 'job.finished', '{}' FROM generate_series(1, 50000) AS n"
    admin.execute(f"INSERT INTO orpheus.events (seq, at_ms, kind, body) {rows}")
    for statistics in ("none", "ANALYZE orpheus.event_batches, orpheus.event_rows"):
        if statistics != "none":
            admin.execute(statistics)
        sql = f"EXPLAIN {store._database.sql('retention.sql')['delete-events']}"
        plan = "\n".join(line for (line,) in store._database.all(sql, 40_001, 40_500))
        assert plan.count("Index Cond: ((last_seq >= ") == 2, f"{statistics}: {plan}"
        assert "Index Scan using event_rows_pkey" in plan, f"{statistics}: {plan}"
        assert "Seq Scan" not in plan, f"{statistics}: {plan}"


TABLES = {
    "large_payloads": "(job_id, payload) VALUES ({}, '1')",
    "job_tags": "(tag, job_id) VALUES ('tag', {})",
    "job_dependencies": "(job_id, depends_on) VALUES ({}, 1)",
    "cascades": "(job_id) VALUES ({})",
    "ended_attempts": """(job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms,
        lease_token) VALUES ({}, 1, 'failed', 'w', 1, 1, 1, 1)""",
    "steps": """(job_id, name, position, kind, state, attempt, at_ms, took_ms)
        VALUES ({}, 'charge', 1, 'step', 'kept', 1, 1, 1)""",
    "job_logs": """(job_id, attempt, at_ms, level, line, fields)
        VALUES ({}, 1, 1, 'info', 'a line', '{{}}')""",
    "audit_jobs": "(job_id, audit_id) VALUES ({}, 1)",
}


def test_the_rows_of_deleted_jobs_are_deleted_from_every_table_that_has_some(
    store: Store, admin: psycopg.Connection
) -> None:
    kept, *others = store.jobs.submit_many([NewJob("noop")] * 3)
    for table, values in TABLES.items():
        for job_id in (kept, *others):
            admin.execute(f"INSERT INTO orpheus.{table} {values.format(job_id)}".encode())
    admin.execute("DELETE FROM orpheus.jobs WHERE id = ANY(%s)", [others])
    columns = "SELECT table_name FROM information_schema.columns WHERE column_name = 'job_id'"
    found = {name for (name,) in admin.execute(columns.encode() + b" AND table_schema = 'orpheus'")}
    outlive_jobs = {"event_rows", "processes", "type_crashes"}
    views = {"attempts", "events", "event_bodies", "all_events"}
    assert found - outlive_jobs - views == set(TABLES)
    for table in TABLES:
        rows = admin.execute(f"SELECT job_id FROM orpheus.{table}".encode()).fetchall()
        assert rows == [(kept,)], table


@pytest.mark.parametrize("is_dead", [False, True])
def test_a_job_is_not_deleted_while_a_line_is_added_to_its_log(
    store: Store, lease: LeaseSome, admin: psycopg.Connection, is_dead: bool
) -> None:
    job_id = store.jobs.submit(NewJob("noop")).job.id
    token = lease()[0].token
    with store._database.write(durable=False):
        if is_dead:
            store.logs.append_last("life-1", [LastLine(token, 0, 0, "info", "a line")])
        else:
            assert store.logs.append(job_id, token, 1, [NewLine(0, "info", "a line")])
        with pytest.raises(psycopg.errors.LockNotAvailable):
            admin.execute("SELECT FROM orpheus.jobs WHERE id = %s FOR UPDATE NOWAIT", [job_id])
