"""From every version of the schema to the newest, whatever kills the process on the way.

The harness takes the migrations as they are, and with one more that does not exist yet, so that
the way from a file with jobs in it is walked before the first release needs it.
"""

import subprocess
import sys
from bisect import bisect_left
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import database_path, open_store
from orpheus.shared.storage.migrate import Migration, load_migrations
from orpheus.shared.storage.sqlite import opening
from orpheus.shared.storage.type_totals import BOUNDS_US
from tests.sqlite_handle import handle_of
from tests.variants import variants

pytestmark = pytest.mark.backends("sqlite")  # PostgreSQL: tests/contract/postgres/test_opening.py.

ROOT = Path(__file__).parents[2]
REAL = load_migrations("orpheus.shared.storage.sqlite.migrations")
NEXT = Migration(
    len(REAL) + 1,
    "next",
    """
    ALTER TABLE jobs ADD COLUMN note TEXT;
    UPDATE jobs SET note = 'written before notes';
    CREATE INDEX jobs_by_note ON jobs (note) WHERE note IS NOT NULL;
    """,
)
WAYS = {
    **{f"{base} to {len(REAL)}": (base, REAL) for base in range(len(REAL))},
    f"{len(REAL)} to the next": (len(REAL), [*REAL, NEXT]),
}
KILLS = {way: (base, migrations, 1) for way, (base, migrations) in WAYS.items()}
KILLS["1 to the next"] = (1, [*REAL, NEXT], len(REAL))
"""Ways, and in how many of their migrations the process is killed: in each that is the first for a
file, and in all of them for the oldest file with jobs."""
USUAL_KILLS = (f"0 to {len(REAL)}", "1 to the next", f"{len(REAL)} to the next")
"""The others do from a later file on what "1 to the next" does."""
USUAL_WAYS = (*USUAL_KILLS[::2], *(f"{base} to {len(REAL)}" for base in (1, len(REAL) - 1)))
"""A file of each version between, with jobs, is also where "1 to the next" goes on after a kill."""

# Three jobs as the first Orpheus wrote them: what is stored of a job has grown since.
JOBS = """
INSERT INTO jobs (type, payload, status, queue, priority, is_due, max_retries, timeout_s,
    created_at_ms, run_at_ms, unique_key)
SELECT 'noop', '{}', 'pending', 'default', 0, 1, 3, 900, 1, 1, 'key-' || value
FROM json_each('[0, 1, 2]');
INSERT INTO events (at_ms, kind, job_id, body)
SELECT 1, 'job.enqueued', id, json_object(
    'id', id, 'type', type, 'status', status, 'queue', queue, 'priority', priority, 'error', NULL,
    'attempt', attempt, 'max_retries', max_retries, 'timeout_s', timeout_s, 'progress', NULL,
    'message', NULL, 'created_at_ms', 1, 'run_at_ms', 1, 'started_at_ms', NULL,
    'finished_at_ms', NULL, 'worker', NULL, 'unique_key', unique_key, 'depends_on', json('[]'),
    'tags', json('[]'), 'cancel_requested', json('false'))
FROM jobs;
INSERT INTO job_counts VALUES ('default', 'pending', 3);
"""

# Forks a child for each statement of a migration, which opens the database and is killed right
# before it; the last child, which is not, exits where the next migration begins. Its file is where
# the children of the next one start: each would otherwise run all that came before again.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path

import apsw

from orpheus.shared.storage import open_store
from orpheus.shared.storage.migrate import Migration
from orpheus.shared.storage.sqlite import opening
from orpheus.shared.storage.type_totals import BOUNDS_US

base, folder, migrations = Path(sys.argv[1]), Path(sys.argv[2]), eval(sys.argv[3])
version, most, ENOUGH = int(sys.argv[4]), int(sys.argv[5]), 9


def open_until(statement, file, is_first):
    begun = entered = 0

    def trace(cursor, sql, values):
        nonlocal begun, entered
        entered += sql == "BEGIN IMMEDIATE"
        begun += is_first or entered > 0
        if entered > 1:
            os._exit(ENOUGH)
        if begun == statement:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    apsw.connection_hooks.append(lambda connection: setattr(connection, "exec_trace", trace))
    open_store(f"sqlite:///{file}", create=True).close()


def leave_at(newest, file):
    opening.load_migrations = lambda _: migrations[:newest]
    open_store(f"sqlite:///{file}", create=True, to_move=True).close()
    opening.load_migrations = lambda _: migrations


opening.load_migrations = lambda _: migrations
killed = 0
for number in range(most):
    statement, status = 0, signal.SIGKILL
    while status == signal.SIGKILL:
        statement, killed = statement + 1, killed + 1
        file = folder / str(killed) / "orpheus.db"
        file.parent.mkdir(mode=0o700)
        if base.exists():
            shutil.copy(base, file)
        child = os.fork()
        if child == 0:
            open_until(statement, file, number == 0)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) in (0, ENOUGH), status
    leave_at(version + number + 1, file)
    base = file
print(killed)
"""


def at_version(monkeypatch: pytest.MonkeyPatch, migrations: list[Migration]) -> None:
    monkeypatch.setattr(opening, "load_migrations", lambda _: migrations)


def make_base(url: str, monkeypatch: pytest.MonkeyPatch, migrations: list[Migration]) -> None:
    """A database as an Orpheus with only these migrations would have left it."""
    if migrations:
        at_version(monkeypatch, migrations)
        store = open_store(url, create=True, to_move=True)  # what tells of a move came later
        with store.write(durable=True), handle_of(store) as connection:
            connection.execute(JOBS)
        store.close()


def schema_of(path: Path) -> tuple[Any, ...]:
    """Its version, and everything its schema says."""
    connection = apsw.Connection(str(path))
    version = connection.pragma("user_version")
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
    connection.close()
    return version, *rows


def content_of(path: Path) -> str:
    """All that Orpheus finds in a file, but for the times of its migrations."""
    connection = apsw.Connection(str(path))
    pragmas = ("application_id", "auto_vacuum", "journal_mode", "page_size", "user_version")
    content: list[Any] = [connection.pragma(name) for name in pragmas]
    content += connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        what = "version, name" if name == "schema_migrations" else "*"
        content += connection.execute(f"SELECT '{name}', {what} FROM \"{name}\"").fetchall()
    connection.close()
    return repr(content)


@cache
def schema_after(version: int) -> tuple[Any, ...]:
    """The schema of a new database of this version."""
    if not version:
        return (0,)
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        at_version(patch, [*REAL, NEXT][:version])
        path = Path(folder) / "data" / "orpheus.db"
        open_store(f"sqlite:///{path}", create=True, to_move=True).close()
        return schema_of(path)


@pytest.mark.parametrize("way", variants(WAYS, *USUAL_WAYS))
def test_every_version_is_brought_to_the_newest_with_its_jobs(
    url: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, migrations = WAYS[way]
    make_base(url, monkeypatch, migrations[:base])
    at_version(monkeypatch, migrations)
    store = open_store(url, create=True)
    assert store.stats.counts()[Status.PENDING] == (3 if base else 0)
    assert store.maintenance.verify() == []
    store.close()
    assert schema_of(database_path(url)) == schema_after(len(migrations))


def test_a_file_of_an_older_index_of_unique_keys_takes_jobs_with_such_keys(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query that names an index which does not fit it is an error."""
    older = REAL[0].sql.replace(
        "WHERE unique_key IS NOT NULL AND finished_at_ms IS NULL",
        "WHERE unique_key IS NOT NULL AND status IN ('blocked', 'pending', 'in_progress')",
    )
    assert older != REAL[0].sql
    at_version(monkeypatch, [Migration(1, "initial", older), *REAL[1:7]])
    open_store(url, create=True, to_move=True).close()
    at_version(monkeypatch, REAL)
    store = open_store(url, create=True)
    first, again = (store.jobs.submit(NewJob("noop", unique_key="one")) for _ in range(2))
    assert (first.created, again.created) == (True, False)
    store.close()


def test_what_was_counted_in_wider_buckets_keeps_its_numbers_and_its_means(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_version(monkeypatch, REAL[:25])
    store = open_store(url, create=True, to_move=True)
    columns = "INSERT INTO type_totals (type, measure, outcome, bucket, n, total, most) VALUES "
    with store.write(durable=True), handle_of(store) as connection:
        # 90 runs of 2 to 5 ms, 10 of 30 to 90 ms, one of a day
        connection.execute(f"{columns} ('t', 'ran', 'succeeded', 0, 90, 270, 5)")
        connection.execute(f"{columns} ('t', 'ran', 'succeeded', 2, 10, 400, 90)")
        connection.execute(f"{columns} ('t', 'ran', 'failed', 12, 1, 86400000, 86400000)")
        connection.execute(f"{columns} ('t', 'cpu', '', 0, 101, 101000, 1000)")
        connection.execute(f"{columns} ('t', 'memory', '', 0, 101, 9000, 5000)")
    store.close()
    at_version(monkeypatch, REAL)
    store = open_store(url, create=True)
    (figures,) = store.stats.types()
    with store.write(durable=True), handle_of(store) as connection:
        later = bisect_left(BOUNDS_US, 52_000)
        connection.execute(f"{columns} ('t', 'ran', 'succeeded', {later}, 3, 156, 54)")
    (with_later,) = store.stats.types()
    store.close()
    rising = [with_later.runs.percentile_s(part / 100) or 0 for part in range(1, 101)]
    assert rising == sorted(rising), "some of the ten may have taken 90 ms"
    assert (figures.runs.n, figures.cpu.n, figures.peak_bytes) == (101, 101, 5000)
    assert figures.runs.sum_s == pytest.approx(0.27 + 0.4 + 86_400)
    assert figures.runs.percentile_s(0.5) == pytest.approx(0.003, rel=0.2)
    assert figures.runs.percentile_s(0.95) == pytest.approx(0.04, rel=0.2)
    assert figures.runs.percentile_s(1) == 86_400
    assert figures.cpu.percentile_s(0.5) == pytest.approx(0.001)


def test_a_job_that_was_unblocked_before_it_could_be_freed_is_as_its_event_tells(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_base(url, monkeypatch, REAL[:28])
    connection = apsw.Connection(str(database_path(url)))
    connection.execute("UPDATE jobs SET unblocked_at_ms = 5 WHERE id = 1")
    connection.execute(
        "UPDATE events SET body = json_set(body, '$.unblocked_at_ms', 5) WHERE seq = 1"
    )
    connection.close()
    at_version(monkeypatch, REAL)
    store = open_store(url, create=True)
    assert store.jobs.get(1).freed_at_ms == 5
    assert store.maintenance.verify() == []
    store.close()


def test_no_migration_is_edited_once_files_have_it() -> None:
    """An edited one makes new files differ from older ones. What it lacks is a new migration."""
    known = Path(__file__).with_name("migrations.sha256").read_text().splitlines()
    hashes = [f"{sha256(one.sql.encode()).hexdigest()}  {one.name}" for one in REAL]
    assert hashes == known


@pytest.mark.parametrize("way", variants(KILLS, *USUAL_KILLS))
def test_a_migration_killed_at_any_statement_leaves_the_schema_before_it_or_after_it(
    url: str, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, migrations, killed = KILLS[way]
    make_base(url, monkeypatch, migrations[:base])
    versions = [schema_after(version) for version in range(base, len(migrations) + 1)]
    (tmp_path / "killed").mkdir()
    paths = (database_path(url), tmp_path / "killed")
    answer = subprocess.run(
        [sys.executable, "-c", KILLED, *paths, repr(migrations), str(base), str(killed)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    statements = int(answer.stdout)
    done = migrations[base : base + killed]
    assert statements > sum(one.sql.count(";\n") for one in done)
    found, contents = set(), set()
    for statement in range(1, statements + 1):
        path = tmp_path / "killed" / str(statement) / "orpheus.db"
        found.add(schema_of(path))
        if (content := content_of(path)) in contents:
            continue  # one that is the same goes the same way on
        contents.add(content)
        at_version(monkeypatch, migrations)
        store = open_store(f"sqlite:///{path}", create=True)
        store.jobs.submit(NewJob("noop"))
        assert store.stats.counts()[Status.PENDING] == (4 if base else 1)
        assert store.maintenance.verify() == []
        assert store._database.one("PRAGMA auto_vacuum") == (2,)
        store.close()
        assert schema_of(path) == versions[-1], statement
    assert found == set(versions[: killed + 1])
