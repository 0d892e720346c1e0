"""Checks find what is broken and nothing else; backups are whole; the log is bounded."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.errors import DatabaseFull, DatabaseUnusable
from orpheus.shared.storage import BackupRefused, Store, database_path, open_store
from tests.contract.conftest import End, LeaseSome, Opener, Submit

pytestmark = pytest.mark.backends(
    "sqlite"
)  # PostgreSQL: tests/contract/postgres/test_maintenance.py.

Breaker = Callable[[str], None]

ROOT = Path(__file__).parents[2]
MIB = 2**20


@pytest.fixture
def busy_store(store: Store, submit: Submit, lease: LeaseSome, end: End, clock) -> Store:
    """1 done at its third attempt, 2 failed and retried, 3 running, 4 waits for it, 5 pending,
    6 cancelled, 7 deleted."""
    first = submit(priority=2, tags=("a", "b"), unique_key="ü")
    second, third = submit(priority=1, max_retries=0), submit()
    waiting, pending = submit(depends_on=(third,)), submit(delay_ms=10**9)
    for ending in (Ending.FAILED, Ending.CRASHED, Ending.SUCCEEDED):
        end(lease()[0], ending)
        clock.advance(10_000)
    end(lease()[0], Ending.FAILED)
    store.jobs.retry(second)
    end(lease()[0])
    assert [one.job_id for one in lease()] == [third]
    gone = [submit(), submit()]
    for one in gone:
        store.jobs.cancel(one)
    store.jobs.delete(gone[1])
    statuses = [store.jobs.get(one).status for one in (first, second, third, waiting, pending)]
    assert statuses == ["done", "done", "in_progress", "blocked", "pending"]
    return store


@pytest.fixture
def break_it(url: str) -> Iterator[Breaker]:
    """Executes SQL past every rule of the schema."""
    connections = []

    def execute(sql: str) -> None:
        connection = apsw.Connection(str(database_path(url)))
        connections.append(connection)
        connection.execute("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF")
        connection.execute(sql)

    yield execute
    for connection in connections:
        connection.close()


BREACHES = {
    "I1: job 1 ended twice": """
        INSERT INTO events (at_ms, kind, job_id, body)
        SELECT at_ms, kind, job_id, body FROM events WHERE job_id = 1 AND kind = 'job.done'""",
    "I3: jobs 3 and 5 are leased with the same token": """
        UPDATE jobs SET status = 'in_progress', is_due = 0, lease_incarnation = 'life-2',
            lease_expires_mono_ms = 1, lease_boot_id = 'boot-1',
            lease_token = (SELECT lease_token FROM jobs WHERE id = 3)
        WHERE id = 5""",
    "I4: job 1 is at attempt 3, but its attempts that ended are numbered 1,3": """
        DELETE FROM ended_attempts WHERE job_id = 1 AND number = 2""",
    "I4: job 1 is at attempt 3, but its attempts that ended are numbered 2,3": """
        DELETE FROM ended_attempts WHERE job_id = 1 AND number = 1""",
    "I4: job 3 is at attempt 2": "UPDATE jobs SET attempt = 2 WHERE id = 3",
    "I4: job 1: the token of attempt 2": """
        UPDATE ended_attempts SET lease_token = 1 WHERE job_id = 1 AND number = 2""",
    "I4: job 3 has token 99": "UPDATE jobs SET lease_token = 99 WHERE id = 3",
    "I4: job 1 has token 0": "UPDATE jobs SET lease_token = 0 WHERE id = 1",
    "I7: job 5 (pending) has spent 4 of 3 retries": "UPDATE jobs SET failures = 4 WHERE id = 5",
    "I7: job 2 (done) has spent 2 of 0 retries": "UPDATE jobs SET failures = 2 WHERE id = 2",
    "I7: job 3 has 5 attempts that spent a retry; allowed are 4": """
        WITH RECURSIVE n (number) AS (VALUES (2) UNION ALL SELECT number + 1 FROM n LIMIT 5)
        INSERT INTO ended_attempts
        SELECT 3, number, 'failed', 'w', 1, 1, 1, 'E', '', '', number, NULL, NULL, 1 FROM n""",
    "I11: between events 3 and 5 some are missing": "DELETE FROM events WHERE seq = 4",
    "I11: the last event was 999": "UPDATE sqlite_sequence SET seq = 999 WHERE name = 'events'",
    "I12: job 1 is not as its last event": "UPDATE jobs SET timeout_s = 1 WHERE id = 1",
    "I12: job 6 is not as its last event": "UPDATE jobs SET error_type = 'E' WHERE id = 6",
    "I12: job 4 is not as its last event": "UPDATE jobs SET depends_on = '[2]' WHERE id = 4",
    "I12: job 5 is gone, but its last event, 5, tells otherwise": "DELETE FROM jobs WHERE id = 5",
    "I12: job 7 is not as its last event": """
        CREATE TEMP TABLE copy AS SELECT * FROM jobs WHERE id = 6;
        UPDATE copy SET id = 7;
        INSERT INTO jobs SELECT * FROM copy""",
    "I12: job 6 has no event": "DELETE FROM events WHERE job_id = 6",
    "I16: large_payloads: a row names job 77": "INSERT INTO large_payloads VALUES (77, '1')",
    "I16: job_tags: a row names job 77": "INSERT INTO job_tags (job_id, tag) VALUES (77, 'tag')",
    "I16: job_dependencies: a row names job 77": """
        INSERT INTO job_dependencies (job_id, depends_on) VALUES (77, 1)""",
    "I16: cascades: a row names job 77": "INSERT INTO cascades VALUES (77)",
    "I16: ended_attempts: a row names job 77": """
        INSERT INTO ended_attempts (job_id, number, outcome, worker, pid, started_at_ms,
            finished_at_ms, lease_token) VALUES (77, 1, 'lost', 'w', 1, 1, 1, 1)""",
    "I16: job_logs: a row names job 77": """
        INSERT INTO job_logs VALUES (1, 77, 1, 1, 'info', 'a line', '{}')""",
    "I16: audit_jobs: a row names job 77": """
        INSERT INTO audit_jobs (job_id, audit_id) VALUES (77, 1)""",
    "I18: job 4 waits for 2 jobs, but 1": "UPDATE jobs SET waits_for = 2 WHERE id = 4",
    "I18: job 4 waits for 1 jobs, but 0": """
        UPDATE jobs SET status = 'failed', finished_at_ms = 1, error_type = 'E' WHERE id = 3""",
    "I18: job 4 waits for 1 jobs, but 0 of": "UPDATE job_dependencies SET waits = 0",
    "I18: jobs wait for each other: 4 → 4": """
        UPDATE jobs SET has_dependents = 1 WHERE id = 4;
        UPDATE job_dependencies SET depends_on = 4""",
    "I18: job 3 is in_progress, but its end": "INSERT INTO cascades VALUES (3)",
    "I19: queue default: 1 jobs are blocked, the kept count says 3": """
        UPDATE job_counts SET n = 3 WHERE status = 'blocked'""",
    "I19: queue lost: 0 jobs are done, the kept count says 1": """
        INSERT INTO job_counts VALUES ('lost', 'done', 1)""",
}


@pytest.mark.parametrize("breach", BREACHES)
def test_each_breach_is_told(busy_store: Store, break_it: Breaker, breach: str) -> None:
    break_it(BREACHES[breach])
    problems = busy_store.maintenance.verify()
    assert any(breach in problem for problem in problems), problems


def test_a_damaged_page_is_found(busy_store: Store, url: str) -> None:
    busy_store.close()
    connection = apsw.Connection(str(database_path(url)))
    [row] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'jobs_by_type'")
    connection.close()
    with database_path(url).open("r+b") as file:
        file.seek((int(str(row[0])) - 1) * 4_096 + 4_000)
        file.write(b"\xff" * 60)
    damaged = open_store(url)
    assert damaged.maintenance.check() != []
    assert any(problem.startswith("I16: ") for problem in damaged.maintenance.verify())
    damaged.close()


# Backups

WRITER = """
import sys
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_store

store = open_store(sys.argv[1])
while True:
    ids = store.jobs.submit_many([NewJob("noop", '"' + "x" * 2_000 + '"')] * 20)
    print(ids[-1], flush=True)
"""


def test_a_backup_is_the_database_at_one_moment(busy_store: Store, tmp_path: Path) -> None:
    target = tmp_path / "copies.db"
    busy_store.maintenance.backup(target)
    busy_store.jobs.submit(NewJob("after"))
    copy = open_store(f"sqlite:///{target}")
    assert copy.maintenance.verify() == []
    assert copy.jobs.get(1) == busy_store.jobs.get(1)
    assert copy.stats.counts()[Status.PENDING] + 1 == busy_store.stats.counts()[Status.PENDING]
    copy.close()
    assert target.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copies.db"]


def test_a_backup_is_made_under_load(store: Store, url: str, tmp_path: Path) -> None:
    store.jobs.submit_many([NewJob("noop", f'"{"x" * 4_000}"')] * 3_000)
    target = tmp_path / "copies.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as writer:
        assert writer.stdout is not None
        first = int(writer.stdout.readline())
        store.maintenance.backup(target)
        last = store.jobs.page(JobFilter(), 1)[0].id
        writer.kill()
    copy = open_store(f"sqlite:///{target}")
    newest = copy.stats.counts()[Status.PENDING]
    assert first <= newest < last  # it wrote all the while, and the copy is of one moment
    assert copy.maintenance.verify() == []
    copy.close()


def test_a_backup_takes_the_place_of_a_database_as_the_documentation_says(
    busy_store: Store, url: str, tmp_path: Path
) -> None:
    busy_store.maintenance.backup(tmp_path / "copies.db")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        busy_store.close()
        writer.kill()  # it leaves its log
    database = database_path(url)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").rename(tmp_path / f"away{suffix}")
    shutil.copy(tmp_path / "copies.db", database)
    restored = open_store(url)
    assert restored.maintenance.verify() == []
    assert [job.id for job in restored.jobs.page(JobFilter(), 1)] == [6]
    restored.close()


def test_a_backup_overwrites_nothing(store: Store, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for target in (precious, tmp_path / "link", tmp_path):
        with pytest.raises(BackupRefused, match="overwrites nothing"):
            store.maintenance.backup(target)
    with pytest.raises(BackupRefused, match="no folder"):
        store.maintenance.backup(tmp_path / "missing" / "copy.db")
    assert precious.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "link", "precious"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (apsw.FullError("database or disk is full"), DatabaseFull),
        (apsw.IOError("disk I/O error"), DatabaseUnusable),
        (PermissionError("not yours"), DatabaseUnusable),
    ],
)
def test_a_backup_that_fails_leaves_nothing_and_says_where(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    raised: type[Exception],
) -> None:
    def fail(part: Path) -> None:
        part.write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(store.maintenance, "_copy_to", fail)
    with pytest.raises(raised, match=r"copies\.db"):
        store.maintenance.backup(tmp_path / "copies.db")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


# The write-ahead log


def test_a_log_that_a_long_read_made_long_is_emptied_once_it_is_quiet(
    store: Store, another: Opener
) -> None:
    reader = another()
    with reader.snapshot():
        reader.stats.counts()
        for _ in range(70):
            store.jobs.submit(NewJob("noop", f'"{"x" * MIB}"'))
        store.maintenance.checkpoint()
        assert store.maintenance.wal_bytes() > 64 * MIB
    store.maintenance.checkpoint()
    assert store.maintenance.wal_bytes() == 0
    assert store.jobs.get(70).payload == f'"{"x" * MIB}"'
