"""An outbox in an application's SQLite database."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus import outbox
from orpheus.shared.outbox.table import create_table
from tests.integration.supervisor.outbox.draining import (
    Application,
    Draining,
    DrainingTests,
)
from tests.integration.supervisor.outbox.draining_process import DrainingProcess
from tests.integration.supervisor.outbox.refusing import RefusingTests
from tests.machine import wait_until

LOCK = """
import apsw, sys
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


class SqliteApplication(Application):
    """An application whose database is a file."""

    kind = "sqlite"

    def __init__(self, file: Path, journal_mode: str) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"
        self.execute(f"PRAGMA journal_mode = {journal_mode}")

    def connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.file))
        connection.set_busy_timeout(20_000)
        return connection

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        connection = self.connect()
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        connection = self.connect()
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        command = [sys.executable, "-c", LOCK, str(self.file)]
        with subprocess.Popen(command, stdin=-1, stdout=-1) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"locked\n"
            yield

    def undeletable(self, condition: str) -> None:
        self.execute(
            f"CREATE TRIGGER keep BEFORE DELETE ON orpheus_outbox WHEN old.{condition} "
            "BEGIN SELECT raise(IGNORE); END"
        )


@pytest.fixture
def application(tmp_path: Path) -> SqliteApplication:
    return SqliteApplication(tmp_path / "shop.db", "wal")


@pytest.fixture
def draining(
    tmp_path: Path, application: SqliteApplication, shared_process: DrainingProcess
) -> Iterator[Draining]:
    one = Draining(tmp_path, application, shared_process)
    yield one
    one.end()


class TestSqlite(DrainingTests, RefusingTests):
    """What holds for every database."""


def test_a_file_that_is_missing_is_not_made_and_drained_when_it_is_there(
    draining: Draining, application: SqliteApplication
) -> None:
    application.file.unlink()
    draining.start()
    reason = draining.until_logged("outbox_trouble")["reason"]
    assert reason == f"{application.file} cannot be opened: No such file or directory"
    draining.until_logged("outbox_attempt_failed", times=2)
    assert not application.file.exists()
    application.make_table()
    application.add(1)
    draining.until_empty()
    assert draining.numbers() == [1]


def test_a_file_that_takes_the_place_of_another_is_drained_and_keeps_its_log(
    draining: Draining, application: SqliteApplication, tmp_path: Path
) -> None:
    application.make_table()
    draining.start()
    application.add(1)
    draining.until_empty()
    other = SqliteApplication(tmp_path / "other.db", "wal")
    other.make_table()
    for suffix in ("-wal", "-shm"):
        Path(f"{application.file}{suffix}").unlink(missing_ok=True)
    other.file.replace(application.file)
    connection = application.connect()  # its rows are in the new -wal file only
    with connection:
        outbox.add(connection, "count", {"n": 2})
    draining.until_logged("outbox_well")
    draining.until_empty()
    connection.close()
    assert draining.numbers() == [1, 2]


def test_two_orpheus_do_not_drain_one_table_at_a_time(
    draining: Draining, application: SqliteApplication, tmp_path: Path
) -> None:
    application.make_table()
    draining.alone()
    draining.start()
    application.add(1)
    draining.until_empty()
    (tmp_path / "second").mkdir()
    second = Draining(tmp_path / "second", application)
    try:
        second.start()
        reason = second.until_logged("outbox_trouble")["reason"]
        assert reason == f'another Orpheus drains "orpheus_outbox" of {application.file}'
        assert draining.process is not None
        draining.process.send_signal(signal.SIGKILL)
        draining.process.wait(30)
        application.add(2)
        draining.until_empty()
        assert (draining.numbers(), second.numbers()) == ([1], [2])
    finally:
        second.end()


def test_text_that_is_not_utf_8_is_refused_and_stops_no_other(
    draining: Draining, application: SqliteApplication
) -> None:
    application.make_table()
    broken = "CAST(x'7b22ff' AS TEXT)"
    application.execute(
        f"INSERT INTO orpheus_outbox (type, payload) VALUES ('count', {broken});"
        f"INSERT INTO orpheus_outbox (type) VALUES ({broken});"
        "INSERT INTO orpheus_outbox (type, payload) VALUES ('count', x'7b226e223a20317d')"
    )
    draining.start()
    wait_until(lambda: draining.numbers() == [1], "the row of bytes that are JSON")
    wait_until(lambda: None not in application.rows("refused_reason"), "the reasons")
    assert application.rows() == [1, 2]


def test_a_table_whose_ids_are_used_again_is_drained_with_a_warning(
    draining: Draining, application: SqliteApplication
) -> None:
    application.execute(create_table("sqlite").replace("KEY AUTOINCREMENT", "KEY"))
    draining.start()
    application.add(1)
    draining.until_empty()
    line = draining.until_logged("outbox_ids_used_again")
    assert line["path"] == str(application.file)
    assert "AUTOINCREMENT" in line["note"]


@pytest.mark.parametrize("id_sql", ["x'6162'", "x'ff'", "1.5"])
def test_no_row_whose_id_is_no_integer_and_no_text_becomes_a_job(
    draining: Draining, application: SqliteApplication, id_sql: str
) -> None:
    application.execute(
        "CREATE TABLE orpheus_outbox (id BLOB PRIMARY KEY, type, payload, queue, priority, run_at,"
        "unique_key, concurrency_key, tags, refused_at, refused_reason);"
        f"INSERT INTO orpheus_outbox (id, type, payload) VALUES ({id_sql}, 'count', '{{\"n\": 1}}')"
    )
    draining.start()
    draining.until_logged("outbox_attempt_failed", times=2)
    reason = draining.until_logged("outbox_trouble")["reason"]
    kind = "real" if id_sql == "1.5" else "blob"
    assert f"an id of type {kind}; make the ids integers or text" in reason
    assert len(draining.log("outbox_trouble")) == 1
    assert draining.numbers() == []
    application.execute("UPDATE orpheus_outbox SET id = 'ab'")
    draining.until_empty()
    assert draining.numbers() == [1]


def test_rows_are_not_deleted_for_what_is_remembered_of_another_file(
    draining: Draining, application: SqliteApplication, tmp_path: Path
) -> None:
    application.make_table()
    application.add(1)
    draining.arm("outbox.jobs_committed")
    assert draining.start().wait(30) == -signal.SIGKILL
    other = SqliteApplication(tmp_path / "other.db", "wal")
    other.make_table()
    other.add(2)
    draining.application = other
    draining.start()
    draining.until_empty()
    draining.stop()
    assert draining.numbers() == [1, 2]
    (tmp_path / "link.db").symlink_to(application.file)  # another name of the first file
    application.url = f"sqlite:///{tmp_path}/link.db"
    draining.application = application
    draining.start()
    draining.until_empty()
    assert draining.numbers() == [1, 2]
