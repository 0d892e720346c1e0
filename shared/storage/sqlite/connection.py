"""One connection to the database, and the one way to write through it.

Every write is BEGIN IMMEDIATE: a transaction that reads first and writes later fails at once when
another process wrote in between, whatever the busy timeout.

A file that was moved, deleted or replaced while it is open is still written by the processes that
have it open, but no other process finds it. So before each commit the files are looked up by name,
and if they are not the open ones, nothing is committed. Once the database and its -wal are back in
place, writes succeed; without its -shm file the database is opened anew
(shared/storage/sqlite/handle.py).
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.process.failpoints import program_failpoint
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage.at_commit import AtCommit
from orpheus.shared.storage.database import Row, Value, inserts, text_bytes
from orpheus.shared.storage.queries import SqlFile
from orpheus.shared.storage.sqlite.apsw_errors import BusyHandler
from orpheus.shared.storage.sqlite.free_space import free_bytes_beside
from orpheus.shared.storage.sqlite.handle import Handle
from orpheus.shared.storage.sqlite.sql import sql_file
from orpheus.shared.storage.verbs.queues import ring_for_freed_room

_SUFFIXES = ("", "-wal", "-shm", "-open")
_MOST_SAVEPOINTS = 256  # so many writes hold the lock for a few ms
_MAY_NOT_COMMIT_BELOW_BYTES = 16 * 2**20
_QUIET_S = 3.0
"""If the log was written within this time, somebody can write; an older log proves nothing."""
_STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's virtual machine: about a millisecond


class SqliteDatabase:
    """The port `Database` (shared/storage/database.py), on one file."""

    def __init__(
        self,
        path: Path,
        state: StateFiles,
        clock: Clock,
        bells: Doorbells,
        *,
        create: bool,
        durable: bool,
    ) -> None:
        """Open the connection; see `open_store` in shared/storage for the errors."""
        self.path = path
        self.clock = self.own_clock = clock
        self.bells = bells
        self.most_savepoints = _MOST_SAVEPOINTS
        self.one_writer = True
        self.has_many_hosts = False  # one, whatever its name was when it last started
        self.commits_late = False
        self.file_names = tuple(f"{path}{suffix}" for suffix in _SUFFIXES)
        self._handle = Handle(path, state, create=create, clock=clock)
        self._stop_reading_at_s = 0.0
        self._durable = durable
        self._synchronous: tuple[int, bool] | None = None
        """The opening of the handle for which it was set, and whether to FULL."""
        self.at_commit = AtCommit()
        self._counts_sql = sql_file("counts.sql")
        self._tokens_sql = sql_file("leases.sql")
        self._touch = sql_file("processes.sql")["touch"]

    def sql(self, file: str) -> SqlFile:
        """See Database."""
        return sql_file(file)

    def give_way(self) -> None:
        """See Database."""
        self._handle.turns.gives_way = True

    def others_wait(self) -> bool:
        """See Database."""
        return self._handle.turns.others_wait()

    # Reading and executing

    def all(self, sql: str, *values: Value) -> list[Row]:
        """Return every row of a query. All are read at once, so no cursor stays open."""
        with self._handle as connection:
            return connection.execute(sql, values).fetchall()

    def within(self, most_bytes: int, sql: str, *values: Value) -> tuple[list[Row], bool]:
        """Return the first rows of a query, up to `most_bytes` of text, and whether any is left.

        At least one row is returned, if there is one.
        """
        rows: list[Row] = []
        read_bytes = 0
        with self._handle as connection:
            cursor = connection.execute(sql, values)
            for row in cursor:
                read_bytes += text_bytes(row)
                if rows and read_bytes > most_bytes:
                    cursor.close()
                    return rows, True
                rows.append(row)
        return rows, False

    def one(self, sql: str, *values: Value) -> Row | None:
        """Return the first row of a query, or None."""
        with self._handle as connection:
            rows = connection.execute(sql, values).fetchall()
        return rows[0] if rows else None

    def value(self, sql: str, *values: Value) -> Any:
        """See Database."""
        row = self.one(sql, *values)
        return None if row is None else row[0]

    def run(self, sql: str, *values: Value) -> int:
        """Execute a statement; return the number of rows it changed."""
        with self._handle as connection:
            connection.execute(sql, values)
            return connection.changes()

    def run_many(
        self, sql: str, rows: Sequence[Sequence[Value] | Mapping[str, Value]]
    ) -> list[Row]:
        """Execute a statement for each row of values; return what RETURNING gave."""
        with self._handle as connection:
            return list(connection.executemany(sql, rows))

    def send(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Execute a statement for each row of values."""
        self.run_many(sql, rows)

    def insert(self, sql: str, rows: Sequence[Sequence[Value]]) -> Sequence[int]:
        """See Database. No other process inserts meanwhile, so the ids are a range."""
        with self._handle as connection:
            for statement, values in inserts(sql, rows):
                connection.execute(statement, tuple(values))
            last = connection.last_insert_rowid()
        return range(last - len(rows) + 1, last + 1)

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See Database."""
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - our own names
        with self._handle as connection:
            connection.executemany(sql, rows)

    def take_tokens(self, n: int) -> range:
        """See Database."""
        first = int(self.value(self._tokens_sql["last-token"]) or 0) + 1
        self.run(self._tokens_sql["take-tokens"], n)
        return range(first, first + n)

    def number_events(self, *, all_of_them: bool = False) -> None:
        """See Database: here an event has its seq from the start."""

    def lease_ends_ms(self, ttl_ms: int) -> tuple[int, int]:
        """See Database: it is one clock."""
        ends_ms = self.clock.monotonic_ms() + ttl_ms
        return ends_ms, ends_ms

    def lock(self, kind: str, names: Iterable[str]) -> bool:  # noqa: ARG002
        """See Database: there is one writer at a time."""
        return False

    def lock_within(
        self,
        kind: str,  # noqa: ARG002
        names: Iterable[str],  # noqa: ARG002
        limit_ms: int,  # noqa: ARG002
    ) -> frozenset[str]:
        """See Database: there is one writer at a time."""
        return frozenset()

    def lock_job(self, job_id: int, *, deletes: bool) -> bool:  # noqa: ARG002
        """See Database: there is one writer at a time."""
        return False

    def changes(self) -> tuple[int, int]:
        """See Database (3 us a call)."""
        return self._handle.opened, int(self.value("PRAGMA data_version"))

    def planned_for_values(self) -> contextlib.AbstractContextManager[None]:
        """See Database. Here each statement names the index that it follows."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several reads see one moment; inside a transaction, its moment.

        BEGIN DEFERRED is safe here only because nothing writes.
        """
        with self._handle as connection:
            if connection.in_transaction:
                yield
                return
            connection.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                with contextlib.suppress(apsw.Error):  # some errors have rolled it back already
                    connection.execute("ROLLBACK")

    def snapshot_of_all(self) -> contextlib.AbstractContextManager[None]:
        """See Database. Here each query names its index."""
        return self.snapshot()

    @contextlib.contextmanager
    def time_limit(self, limit_s: float) -> Iterator[None]:
        """Stop a statement that still runs after `limit_s`: it raises ReadTookTooLong."""
        with self._handle as connection:
            self._stop_reading_at_s = time.monotonic() + limit_s
            connection.set_progress_handler(self._is_late, _STEPS_BETWEEN_LOOKS)
            try:
                yield
            finally:
                connection.set_progress_handler(None)

    def limit_lock_waits(self, limit_ms: int | None) -> None:
        """See Database: there is one writer at a time."""

    def _is_late(self) -> bool:
        return time.monotonic() > self._stop_reading_at_s

    def copy_to(self, copy: apsw.Connection, step_pages: int) -> None:
        """Copy the database as it is at one moment. Raises StorageError for either file.

        Without the snapshot, each commit of another process would restart the copy.
        """
        with self.snapshot(), self._handle as connection:
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
            with copy.backup("main", connection, "main") as backup:
                while not backup.step(step_pages):
                    pass

    def checkpoint(self, mode: int) -> bool:
        """Move the write-ahead log into the database without waiting; False if some is left."""
        try:
            with self._handle as own, self._handle.turns.waiting_by(own, None) as connection:
                frames, moved = connection.wal_checkpoint(mode=mode)
        except DatabaseBusy:
            return False
        return frames == moved

    # Writing

    @contextlib.contextmanager
    def write(self, *, durable: bool) -> Iterator[None]:
        """Run a write transaction; inside one that is open, take part in it.

        `durable`: the commit waits for the disk, if the configuration asks for durability at all.
        Raises DatabaseBusy after 10 s without the write lock.
        """
        with self._handle as connection:
            if connection.in_transaction:
                yield
                return
            self._set_synchronous(connection, full=durable and self._durable)
            try:
                self._handle.turns.begin(connection)
                yield
                self.flush_counts()
                ring_for_freed_room(self)
                self._handle.check_names()
                program_failpoint("commit.before")
                connection.execute("COMMIT")
                self._handle.turns.after_commit(connection)
                program_failpoint("commit.after")
            except BaseException:
                self.at_commit = AtCommit()
                with contextlib.suppress(apsw.Error):
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                        self._handle.turns.let_next_in()
                raise
        self._ring()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, or a snapshot."""
        return self._handle.in_transaction

    def begin_and_undo(self, wait_s: float) -> None:
        """Begin a write transaction and roll it back, to check that one can begin.

        One can begin that cannot be committed. So on a disk that is nearly full, and where nobody
        has written for a while, one that changes nothing is committed, if a process is there.
        Raises DatabaseBusy after `wait_s` without the write lock, DatabaseFull, DatabaseUnusable.
        """
        handler = BusyHandler(wait_s)
        with self._handle as own, self._handle.turns.waiting_by(own, handler) as connection:
            if connection.in_transaction:
                return
            self._handle.check_names()
            self._set_synchronous(connection, full=False)
            connection.execute("BEGIN IMMEDIATE")
            try:
                if self.quiet_for_s() is not None or self.has_little_space():
                    connection.execute(self._touch)
                    connection.execute("COMMIT")
                    self._handle.turns.after_commit(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                    self._handle.turns.let_next_in()

    def check_names(self) -> None:
        """Raise DatabaseUnusable if the file was moved, deleted or replaced since it was opened."""
        with self._handle:
            self._handle.check_names()

    def quiet_for_s(self) -> float | None:
        """Return how long ago the last write was; None: lately, or never.

        It is negative once the clock was set back, and says nothing then.
        """
        try:
            age_s = time.time() - Path(f"{self.path}-wal").stat().st_mtime
        except OSError:
            return None
        return None if 0 <= age_s < _QUIET_S else age_s

    def has_little_space(self) -> bool:
        """Return whether a write that can begin may fail to commit."""
        return free_bytes_beside(self.path) < _MAY_NOT_COMMIT_BELOW_BYTES

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Run part of an open transaction; an exception rolls back that part only."""
        before = self.at_commit.copy()
        self.run("SAVEPOINT part")
        try:
            yield
        except BaseException:
            with self._handle as connection, contextlib.suppress(apsw.Error):
                connection.execute("ROLLBACK TO part")
                connection.execute("RELEASE part")
            self.at_commit = before
            raise
        self.run("RELEASE part")

    def _set_synchronous(self, connection: apsw.Connection, *, full: bool) -> None:
        wanted = (self._handle.opened, full)
        if wanted != self._synchronous:  # it cannot change inside a transaction
            connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._synchronous = wanted

    # What the transaction gathered

    def flush_counts(self) -> None:
        """Write the kept counts gathered so far: at the commit, or when a verb reads them."""
        for name, rows in self.at_commit.take_counts(self.clock.wall_ms()):
            self.run_many(self._counts_sql[name], rows)

    def _ring(self) -> None:
        committed, self.at_commit = self.at_commit, AtCommit()
        committed.ring(self.bells)

    def close(self) -> None:
        """Close the connection; a transaction that is open is rolled back."""
        self._handle.close()
        self.bells.close()
