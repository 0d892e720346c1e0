"""From nothing to the first schema, and from that to a next one, whatever kills the process.

The next migration does not exist yet: the way from a file with jobs is walked before it does.
"""

import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.storage import database_path, open_store
from orpheus.shared.storage.migrate import Migration, load_migrations
from orpheus.shared.storage.sqlite import opening
from tests.sqlite_handle import handle_of

pytestmark = pytest.mark.backends("sqlite")  # PostgreSQL: tests/contract/postgres/test_opening.py.

ROOT = Path(__file__).parents[2]
REAL = load_migrations("orpheus.shared.storage.sqlite.migrations")
NEXT = Migration(
    REAL[-1].version + 1,
    "next",
    """
    ALTER TABLE jobs ADD COLUMN note TEXT;
    UPDATE jobs SET note = 'written before notes';
    CREATE INDEX jobs_by_note ON jobs (note) WHERE note IS NOT NULL;
    """,
)

# Forks a child for each statement of a start, which opens the database and is killed right before
# that statement, until one is not killed.
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


statement, status = 0, signal.SIGKILL
while status == signal.SIGKILL:
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
assert status == 0, status
print(statement)
"""


def at_version(monkeypatch: pytest.MonkeyPatch, migrations: list[Migration]) -> None:
    monkeypatch.setattr(opening, "load_migrations", lambda _: migrations)


def schema_of(path: Path) -> tuple[Any, ...]:
    """Its version, and everything its schema says."""
    connection = apsw.Connection(str(path))
    version = connection.pragma("user_version")
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
    connection.close()
    return version, *rows


@cache
def schema_after(count: int) -> tuple[Any, ...]:
    """The schema of a new database after so many migrations."""
    if not count:
        return (0,)
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        at_version(patch, [*REAL, NEXT][:count])
        path = Path(folder) / "data" / "orpheus.db"
        open_store(f"sqlite:///{path}", create=True).close()
        return schema_of(path)


@pytest.mark.parametrize("version", [1, 39, REAL[0].version - 1])
def test_a_schema_from_before_the_first_release_is_left_as_it_is(url: str, version: int) -> None:
    open_store(url, create=True).close()
    connection = apsw.Connection(str(database_path(url)))
    connection.pragma("user_version", version)
    connection.close()
    for create in (True, False):
        with pytest.raises(DatabaseUnusable, match="from before the first release"):
            open_store(url, create=create)
    assert schema_of(database_path(url))[0] == version


@pytest.mark.parametrize("count", [0, len(REAL)])
def test_a_start_killed_at_any_statement_leaves_the_schema_before_a_migration_or_after_it(
    url: str, tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = [*REAL, NEXT] if count else REAL
    if count:
        store = open_store(url, create=True)
        store.jobs.submit_many([NewJob("noop", unique_key=f"key-{n}") for n in range(3)])
        store.close()
    killed = tmp_path / "killed"
    killed.mkdir()
    answer = subprocess.run(
        [sys.executable, "-c", KILLED, database_path(url), killed, repr(migrations)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    statements = int(answer.stdout)
    assert statements > migrations[-1].sql.count(";\n")
    at_version(monkeypatch, migrations)
    found = set()
    for statement in range(1, statements + 1):
        path = killed / str(statement) / "orpheus.db"
        found.add(schema_of(path))
        store = open_store(f"sqlite:///{path}", create=True)
        store.jobs.submit(NewJob("noop"))
        assert store.stats.counts()[Status.PENDING] == (4 if count else 1)
        assert store.maintenance.verify() == []
        with handle_of(store) as connection:
            assert connection.pragma("auto_vacuum") == 2
        store.close()
        assert schema_of(path) == schema_after(len(migrations)), statement
    assert found == {schema_after(count), schema_after(len(migrations))}
