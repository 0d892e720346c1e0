"""The invariants are checked as on SQLite; the rest is the server's."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.jobs import Status
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.storage import BackupRefused, Store
from tests.contract.conftest import End, LeaseSome, Submit
from tests.contract.test_maintenance import BREACHES, busy_store
from tests.machine import slowness

__all__ = ["busy_store"]

Breaker = Callable[[str], None]
pytestmark = pytest.mark.backends("postgresql")

OTHERS = {
    "I4: job 3 has token 99": "UPDATE jobs SET lease_token = 99000000000 WHERE id = 3",
    "I1: job 1 ended twice": """
        WITH made AS (INSERT INTO new_batches DEFAULT VALUES RETURNING id)
        INSERT INTO event_rows (batch, position, at_ms, kind, job_id, body)
        SELECT made.id, 1, at_ms, kind, job_id, body FROM made, events
        WHERE job_id = 1 AND kind = 'job.done'""",
    "I11: between events 3 and 5 some are missing": """
        DELETE FROM event_batches WHERE before_seq < 4 AND last_seq >= 4""",
    "I12: job 6 has no event": "DELETE FROM event_rows WHERE job_id = 6",
    "I7: job 3 has 5 attempts that spent a retry; allowed are 4": """
        INSERT INTO ended_attempts
        SELECT 3, number, 'failed', 'w', 1, 1, 1, 'E', '', '', number, NULL, NULL, 1
        FROM generate_series(2, 6) AS number""",
    "I11: the last event was 999": "UPDATE history SET last_seq = 999",
}
"""Where the SQL of SQLite is not understood, or does no harm."""


def test_the_age_of_the_oldest_transaction_that_has_written_is_told(store: Store, url: str) -> None:
    assert store.maintenance.oldest_transaction_s() == 0
    with psycopg.connect(url) as other:
        other.execute("SELECT 1")
        assert store.maintenance.oldest_transaction_s() == 0, "it holds nothing back"
        other.execute("SELECT pg_current_xact_id(), pg_sleep(0.2)")
        assert (store.maintenance.oldest_transaction_s() or 0) >= 0.2
    assert store.maintenance.oldest_transaction_s() == 0


@pytest.fixture
def break_it(url: str) -> Iterator[Breaker]:
    """Executes SQL past every rule of the schema."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(b"SELECT orpheus.number_events()")
        connection.execute(b"SET search_path = orpheus; SET session_replication_role = replica")
        checks = connection.execute(
            b"""SELECT conrelid::regclass::text, conname FROM pg_constraint
            WHERE connamespace = 'orpheus'::regnamespace AND contype = 'c'"""
        )
        for table, name in checks.fetchall():
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())

        def execute(sql: str) -> None:
            connection.execute(sql.encode())

        yield execute


@pytest.mark.parametrize("breach", BREACHES)
def test_each_breach_is_told(busy_store: Store, break_it: Breaker, breach: str) -> None:
    assert busy_store.maintenance.verify() == []
    break_it((BREACHES | OTHERS)[breach])
    problems = busy_store.maintenance.verify()
    assert any(breach in problem for problem in problems), problems


def test_a_backup_is_a_matter_of_the_server(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="pg_dump"):
        store.maintenance.backup(tmp_path / "copy")


def test_the_leader_keeps_the_rows_of_counts_few_all_the_time(
    store: Store, submit: Submit, lease: LeaseSome, end: End, url: str
) -> None:
    """Each read sums them up: in the minute between two looks of retention, 400,000 gathered."""
    upkeep = Upkeep(StoredSettings({}, (), JobDefaults(max_retries=3, timeout_s=60.0)))
    for _ in range(3):
        for _ in range(80):
            submit()
            end(lease()[0])
        upkeep.run(store)
        with psycopg.connect(url) as connection:
            for table in ("job_counts", "type_totals"):
                rows = connection.execute(f"SELECT count(*) FROM orpheus.{table}".encode())
                assert rows.fetchall()[0][0] < 100, table
    assert store.maintenance.verify() == []
    assert store.stats.counts()[Status.DONE] == 240


def multiply(url: str, copies: int) -> None:
    """Let a database with one done job have many of it, each with its events."""
    with psycopg.connect(url) as connection:
        connection.execute(b"SELECT orpheus.number_events()")
        connection.execute(
            f"""
            CREATE TEMP TABLE copies ON COMMIT DROP AS
                SELECT jobs.*, 1000 + n AS new_id FROM orpheus.jobs, generate_series(1, {copies}) n;
            UPDATE copies SET id = new_id;
            ALTER TABLE copies DROP COLUMN new_id;
            INSERT INTO orpheus.jobs SELECT * FROM copies;
            INSERT INTO orpheus.events
                SELECT last_seq + row_number() OVER (ORDER BY copies.id, seq), at_ms, kind,
                    copies.id, body
                FROM copies, orpheus.events, orpheus.history;
            UPDATE orpheus.history SET last_seq = (SELECT max(seq) FROM orpheus.events);
            INSERT INTO orpheus.job_counts (queue, status, n) VALUES ('default', 'done', {copies});
            """.encode()
        )


def test_many_jobs_are_verified_in_a_few_seconds(
    store: Store, url: str, submit: Submit, lease: LeaseSome, end: End
) -> None:
    """Joined job by job, as all other statements are, 20,000 took 78 s, and 60,000 did not end."""
    submit()
    end(lease()[0])
    multiply(url, 20_000)
    began_s = time.monotonic()
    assert store.maintenance.verify() == []
    assert time.monotonic() - began_s < 5 * slowness()
