"""One connection to the database, and the one way to write through it.

Every write is BEGIN IMMEDIATE: a transaction that reads first and writes later fails at once when
another process wrote in between, whatever the busy timeout.

A file that was moved, deleted or replaced while it is open is still written by the processes that
have it open, but nobody else finds it. So before each commit the files are looked up by name, and
if they are not the open ones, nothing is committed. Once they are back in place, writes succeed.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from orpheus.shared.errors import DatabaseBusy, DatabaseUnusable
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.process.failpoints import program_failpoint
from orpheus.shared.storage.sqlite.apsw_errors import BusyHandler, Translated
from orpheus.shared.storage.sqlite.at_commit import AtCommit
from orpheus.shared.storage.sqlite.sql import sql_file

Value = int | float | str | None
Row = tuple[Any, ...]

_STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's virtual machine: about a millisecond


class Database:
    """A connection with its transaction. Used by one thread."""

    def __init__(
        self, connection: apsw.Connection, path: Path, clock: Clock, bells: Doorbells, durable: bool
    ) -> None:
        self.path = path
        self.clock = clock
        self.bells = bells
        self._connection = connection
        self._translated = Translated(connection)
        self._names = (str(path), f"{path}-wal")
        self._files = [_file_called(name) for name in self._names]
        self._stop_reading_at_s = 0.0
        self._durable = durable
        self._synchronous_full: bool | None = None
        self.at_commit = AtCommit()
        self._counts_sql = sql_file("counts.sql")
        self._room_and_work_sql = sql_file("queues.sql")["has-room-and-work"]

    # Reading and executing

    def all(self, sql: str, *values: Value) -> list[Row]:
        """Return every row of a query. All are read at once, so no cursor stays open."""
        with self._translated:
            return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Value) -> Row | None:
        """Return the first row of a query, or None."""
        with self._translated:
            rows = self._connection.execute(sql, values).fetchall()
        return rows[0] if rows else None

    def run(self, sql: str, *values: Value) -> int:
        """Execute a statement; return the number of rows it changed."""
        with self._translated:
            self._connection.execute(sql, values)
            return self._connection.changes()

    def run_many(
        self, sql: str, rows: Sequence[Sequence[Value] | Mapping[str, Value]]
    ) -> list[Row]:
        """Execute a statement for each row of values; return what RETURNING gave."""
        with self._translated:
            return list(self._connection.executemany(sql, rows))

    def last_insert_id(self) -> int:
        """Return the id of the row that this connection inserted last."""
        return self._connection.last_insert_rowid()

    def data_version(self) -> int:
        """Return a number that changes when another connection commits (3 us a call)."""
        row = self.one("PRAGMA data_version")
        return int(row[0]) if row else 0

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several reads see one moment; inside a transaction, its moment.

        BEGIN DEFERRED is safe here only because nothing writes.
        """
        if self._connection.in_transaction:
            yield
            return
        with self._translated:
            self._connection.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            with contextlib.suppress(apsw.Error):  # some errors have rolled it back already
                self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def time_limit(self, limit_s: float) -> Iterator[None]:
        """Stop a statement that still runs after `limit_s`: it raises ReadTookTooLong."""
        self._stop_reading_at_s = time.monotonic() + limit_s
        self._connection.set_progress_handler(self._is_late, _STEPS_BETWEEN_LOOKS)
        try:
            yield
        finally:
            self._connection.set_progress_handler(None)

    def _is_late(self) -> bool:
        return time.monotonic() > self._stop_reading_at_s

    def copy_to(self, copy: apsw.Connection, step_pages: int) -> None:
        """Copy the database as it is at one moment. Raises apsw's errors, of either file.

        Without the snapshot, each commit of another process would restart the copy.
        """
        with self.snapshot():
            self._connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
            with copy.backup("main", self._connection, "main") as backup:
                while not backup.step(step_pages):
                    pass

    def checkpoint(self, mode: int) -> bool:
        """Move the write-ahead log into the database without waiting; False if some is left."""
        self._connection.set_busy_handler(None)
        try:
            with self._translated:
                frames, moved = self._connection.wal_checkpoint(mode=mode)
        except DatabaseBusy:
            return False
        finally:
            self._connection.set_busy_handler(BusyHandler())
        return frames == moved

    # Writing

    @contextlib.contextmanager
    def write(self, *, durable: bool) -> Iterator[None]:
        """Run a write transaction; inside one that is open, take part in it.

        `durable`: the commit waits for the disk, if the configuration asks for durability at all.
        Raises DatabaseBusy after 10 s without the write lock.
        """
        if self._connection.in_transaction:
            yield
            return
        self._set_synchronous(full=durable and self._durable)
        try:
            with self._translated:
                self._connection.execute("BEGIN IMMEDIATE")
            yield
            self.flush_counts()
            self._ring_for_free_places()
            self._check_names()
            program_failpoint("commit.before")
            with self._translated:
                self._connection.execute("COMMIT")
            program_failpoint("commit.after")
        except BaseException:
            self.at_commit = AtCommit()
            with contextlib.suppress(apsw.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise
        self._ring()

    def begin_and_undo(self, wait_s: float) -> None:
        """Begin a write transaction and roll it back, to check that one can begin.

        Raises DatabaseBusy after `wait_s` without the write lock, DatabaseUnusable.
        """
        if self._connection.in_transaction:
            return
        self._connection.set_busy_handler(BusyHandler(wait_s))
        try:
            self._check_names()
            with self._translated:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute("ROLLBACK")
        finally:
            self._connection.set_busy_handler(BusyHandler())

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Run part of an open transaction; an exception rolls back that part only."""
        before = self.at_commit.copy()
        with self._translated:
            self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            with contextlib.suppress(apsw.Error):
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            self.at_commit = before
            raise
        with self._translated:
            self._connection.execute("RELEASE part")

    def _set_synchronous(self, *, full: bool) -> None:
        if full != self._synchronous_full:  # it cannot change inside a transaction
            with self._translated:
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._synchronous_full = full

    def _check_names(self) -> None:
        """Raise DatabaseUnusable unless the names still belong to the open files."""
        if [_file_called(name) for name in self._names] != self._files:
            raise DatabaseUnusable(
                f"{self.path} or its -wal file was moved, deleted or replaced while in use, so "
                "nothing is written to it; put it back, or stop Orpheus and start it again"
            )

    # What the transaction gathered

    def flush_counts(self) -> None:
        """Write the kept counts gathered so far: at the commit, or when a verb reads them."""
        for name, rows in self.at_commit.take_counts(self.clock.wall_ms()):
            self.run_many(self._counts_sql[name], rows)

    def _ring_for_free_places(self) -> None:
        """Ring for each limited queue that has room and work.

        The worker that made room by ending a job may not take the next one.
        """
        self.at_commit.queues_with_work.update(
            queue
            for queue in self.at_commit.freed_places
            if self.one(self._room_and_work_sql, queue) is not None
        )

    def _ring(self) -> None:
        committed, self.at_commit = self.at_commit, AtCommit()
        committed.ring(self.bells)

    def close(self) -> None:
        """Close the connection; a transaction that is open is rolled back."""
        with contextlib.suppress(apsw.Error):
            self._connection.close()
        self.bells.close()


def _file_called(name: str) -> tuple[int, int] | None:
    """Return device and inode of the file of that name; None if there is none."""
    try:
        status = os.stat(name)  # noqa: PTH116 - Path.stat takes three times as long, each commit
    except OSError:
        return None
    return status.st_dev, status.st_ino
