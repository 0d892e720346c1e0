"""Whatever is wrong with the database: one line that says what to do, and the right code."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.storage import Store, open_store, state_files
from orpheus.shared.storage.sqlite import apsw_errors
from orpheus.supervisor.startup import lock_database

Orpheus = Callable[..., Any]

URL = "sqlite:///data/orpheus.db"
DATABASE = Path("data/orpheus.db")
NOBODY = 65_534
READING = [
    ["jobs"],
    ["show", "1"],
    ["logs", "1"],
    ["queues"],
    ["schedules"],
    ["workers"],
    ["types"],
    ["status"],
    ["db", "check"],
    ["db", "verify"],
    ["db", "backup", "copy.db"],
]
WRITING = [
    ["submit", "count", "n=1"],
    ["cancel", "1"],
    ["retry", "1"],
    ["run", "1"],
    ["delete", "1"],
    ["pause", "mail"],
    ["resume", "mail"],
]
ASKING = [["restart", "default-1"], ["drain", "default-1"], ["scale", "default", "1"]]
COMMANDS = [*READING, *WRITING, *ASKING, ["stack", "default-1"]]


@pytest.fixture
def database(orpheus: Orpheus) -> Path:
    """A database with a job, which nobody has open."""
    open_store(URL, create=True).close()
    return DATABASE


def check(orpheus: Orpheus, code: int, *words: str, commands: list[list[str]] = COMMANDS) -> None:
    """See that every command fails with this code and one line with these words."""
    for command in commands:
        answer = orpheus(*command)
        assert (answer.code, answer.out) == (code, ""), (command, answer)
        assert answer.err.count("\n") == 1, (command, answer)
        assert answer.err.startswith("orpheus: "), (command, answer)
        assert all(word in answer.err for word in words), (command, answer)


def test_a_missing_one_is_not_made(orpheus: Orpheus, tmp_path: Path) -> None:
    """Who is in a wrong folder must not be told to start a second Orpheus there."""
    elsewhere = "if it is elsewhere, give the configuration that says so (--config FILE or ORPHEUS_"
    check(orpheus, 74, "there is no database at", elsewhere, "else start Orpheus once")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"no database" * 1_000, b"short"])
def test_another_file_is_left_as_it_is(orpheus: Orpheus, database: Path, content: bytes) -> None:
    database.write_bytes(content)
    check(orpheus, 74)
    assert database.read_bytes() == content


def test_a_damaged_one_is_named_with_what_to_do(orpheus: Orpheus, database: Path) -> None:
    content = database.read_bytes()
    database.write_bytes(content[:100] + b"x" * (len(content) - 100))
    to_do = ("`orpheus db check`", "docs/operations.md", "Backup and restore")
    check(orpheus, 74, str(database), "is damaged", *to_do, commands=[["status"], ["jobs"]])


def test_one_of_a_newer_orpheus_is_left_as_it_is(orpheus: Orpheus, database: Path) -> None:
    connection = apsw.Connection(str(database))
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    check(orpheus, 74, "999, newer than", "update Orpheus")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command waits for a lock."""
    monkeypatch.setattr(apsw_errors.BusyHandler, "__call__", lambda *_: False)
    monkeypatch.setattr("orpheus.shared.storage.sqlite.turns.BUSY_BOUND_S", 0.05)


@pytest.mark.usefixtures("impatient")
def test_one_that_is_locked_can_be_tried_again(orpheus: Orpheus, store: Store) -> None:
    store.close()
    holder = apsw.Connection(str(DATABASE))
    holder.execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").fetchall()
    check(orpheus, 1, "another process has held the database", "try again")
    holder.close()


@pytest.mark.usefixtures("impatient")
def test_one_that_another_writes_can_be_read(orpheus: Orpheus, store: Store) -> None:
    with store.write(durable=False):
        check(orpheus, 1, "another process has held the database", commands=WRITING[:1])
        for command in (["jobs"], ["queues"], ["types"], ["db", "check"]):
            assert orpheus(*command).code == 0


@contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("reachable", [True, False])
def test_that_of_another_user_says_who_may_use_it(
    orpheus: Orpheus, database: Path, tmp_path: Path, reachable: bool
) -> None:
    if os.geteuid() != 0:
        reason = "only root can become another user"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    for command in COMMANDS:
        orpheus(*command)  # everything is imported now: nobody may not read Python's own folder
    database.parent.chmod(0o755 if reachable else 0o700)
    with as_nobody():
        check(orpheus, 74, "Permission denied", "run it as its owner: sudo -u root")
        with pytest.raises(DatabaseUnusable, match="run it as its owner: sudo -u root"):
            lock_database(state_files(f"sqlite:///{database}"))
