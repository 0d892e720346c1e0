"""From every version of the schema to the newest, whatever kills the process on the way.

The harness takes the migrations as they are, and with one more that does not exist yet, so that
the way from a file with jobs in it is walked before the first release needs it.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import database_path, open_store
from orpheus.shared.storage.migrate import Migration, load_migrations
from orpheus.shared.storage.sqlite import opening

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

# Forks a child for each statement, which opens the database and is killed right before it.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path

import apsw

from orpheus.shared.storage import open_store
from orpheus.shared.storage.migrate import Migration
from orpheus.shared.storage.sqlite import opening

base, folder, migrations = Path(sys.argv[1]), Path(sys.argv[2]), eval(sys.argv[3])
opening.load_migrations = lambda _: migrations


def open_until(statement, file):
    begun = 0

    def trace(cursor, sql, values):
        nonlocal begun
        begun += 1
        if begun == statement:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    apsw.connection_hooks.append(lambda connection: setattr(connection, "exec_trace", trace))
    open_store(f"sqlite:///{file}", create=True).close()


statement, status = 0, -1
while status != 0:
    statement += 1
    file = folder / str(statement) / "orpheus.db"
    file.parent.mkdir(mode=0o700)
    if base.exists():
        shutil.copy(base, file)
    child = os.fork()
    if child == 0:
        open_until(statement, file)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
print(statement)
"""


def at_version(monkeypatch: pytest.MonkeyPatch, migrations: list[Migration]) -> None:
    monkeypatch.setattr(opening, "load_migrations", lambda _: migrations)


def make_base(url: str, monkeypatch: pytest.MonkeyPatch, migrations: list[Migration]) -> None:
    """A database as an Orpheus with only these migrations would have left it."""
    if migrations:
        at_version(monkeypatch, migrations)
        store = open_store(url, create=True)
        store.jobs.submit_many([NewJob("noop", unique_key=f"key-{n}") for n in range(3)])
        store.close()


def schema_of(path: Path) -> tuple[Any, ...]:
    """Its version, and everything its schema says."""
    connection = apsw.Connection(str(path))
    version = connection.pragma("user_version")
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
    connection.close()
    return version, *rows


@pytest.fixture
def schema_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[Migration]], tuple[Any, ...]]:
    """The schema of a new database that has these migrations."""

    def made(migrations: list[Migration]) -> tuple[Any, ...]:
        path = tmp_path / f"version-{len(migrations)}" / "orpheus.db"
        if not migrations:
            return (0,)
        at_version(monkeypatch, migrations)
        open_store(f"sqlite:///{path}", create=True).close()
        return schema_of(path)

    return made


@pytest.mark.parametrize("way", WAYS)
def test_every_version_is_brought_to_the_newest_with_its_jobs(
    url: str, way: str, monkeypatch: pytest.MonkeyPatch, schema_after
) -> None:
    base, migrations = WAYS[way]
    make_base(url, monkeypatch, migrations[:base])
    at_version(monkeypatch, migrations)
    store = open_store(url, create=True)
    assert store.stats.counts()[Status.PENDING] == (3 if base else 0)
    assert store.maintenance.verify() == []
    store.close()
    assert schema_of(database_path(url)) == schema_after(migrations)


@pytest.mark.parametrize("way", WAYS)
def test_a_migration_killed_at_any_statement_leaves_the_schema_before_it_or_after_it(
    url: str, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch, schema_after
) -> None:
    base, migrations = WAYS[way]
    make_base(url, monkeypatch, migrations[:base])
    versions = [schema_after(migrations[:n]) for n in range(base, len(migrations) + 1)]
    (tmp_path / "killed").mkdir()
    answer = subprocess.run(
        [sys.executable, "-c", KILLED, database_path(url), tmp_path / "killed", repr(migrations)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    statements = int(answer.stdout)
    assert statements > sum(one.sql.count(";\n") for one in migrations[base:])
    found = set()
    for statement in range(1, statements + 1):
        path = tmp_path / "killed" / str(statement) / "orpheus.db"
        found.add(schema_of(path))
        at_version(monkeypatch, migrations)
        store = open_store(f"sqlite:///{path}", create=True)
        store.jobs.submit(NewJob("noop"))
        assert store.stats.counts()[Status.PENDING] == (4 if base else 1)
        assert store.maintenance.verify() == []
        assert store._database.one("PRAGMA auto_vacuum") == (2,)
        store.close()
        assert schema_of(path) == versions[-1], statement
    assert found == set(versions)
