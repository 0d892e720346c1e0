"""Who holds the write lock of a real database, with real processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus.supervisor.linux.write_lock import LockHolder, LockWatch

CHILD = """
import sys
import apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print(flush=True)
while True:
    connection.execute("INSERT INTO t VALUES (1); COMMIT; BEGIN IMMEDIATE")
"""
CREATE = """
import sys
import apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("CREATE TABLE t (x)")
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    """A database that another process keeps open."""
    path = tmp_path / "a database.db"
    with subprocess.Popen(
        [sys.executable, "-c", CREATE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield path
        process.kill()


@pytest.fixture
def committing(database: Path) -> Iterator[None]:
    """A process takes the lock and releases it, again and again."""
    argv = [sys.executable, "-c", CHILD, str(database)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


@pytest.mark.usefixtures("committing")
def test_a_process_that_commits_again_and_again_is_not_looked_for(
    database: Path, wait_for: Callable[..., Any]
) -> None:
    watch, reader = LockWatch(database), apsw.Connection(str(database))
    watch.look(1.0)
    seen: list[LockHolder | None] = []
    versions: set[object] = set()

    def look() -> bool:
        version = reader.pragma("data_version")
        if version not in versions:  # it has committed since the last look
            seen.append(watch.look(1_000.0 * (1 + len(seen))))
            versions.update((version, reader.pragma("data_version")))  # the watch has seen these
        return len(seen) > 10

    try:
        wait_for(look, "ten looks after a commit")
    finally:
        reader.close()
    assert not any(seen[1:])


def test_a_check_does_not_release_the_lock_of_the_process_that_checks(database: Path) -> None:
    """As it would if it closed a descriptor of the -shm file."""
    writer, watch = apsw.Connection(str(database)), LockWatch(database)
    try:
        writer.execute("BEGIN IMMEDIATE")
        holders = [watch.look(now_s) for now_s in (1.0, 2.0, 3.0)]
    finally:
        writer.close()
    assert [holder.pid for holder in holders if holder] == [os.getpid()] * 3
