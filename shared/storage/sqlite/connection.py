"""One connection to the database, and the one way to write through it.

Every write is BEGIN IMMEDIATE: a transaction that reads first and writes later fails at once when
another process wrote in between, whatever the busy timeout. Waiting for the write lock retries
every 0.1 ms, because SQLite's own growing steps starve a waiter for seconds under load.

Kept counts and bells gather during the transaction: the counts are written just before the
commit, the bells are rung just after it, so nobody is woken to look for what is not there yet.

A file that was moved, deleted or replaced while it is open is still written by those who have it
open, and found by nobody else. So before each commit the files are looked up by their names, and
where those are not the open ones any more, nothing is committed. Back in place, all goes on.
"""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import apsw

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnusable,
    ReadTookTooLong,
    StorageError,
)
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.process.failpoints import program_failpoint
from orpheus.shared.storage.migrate import load_migrations
from orpheus.shared.storage.queries import Queries, load_queries
from orpheus.shared.storage.totals import rows_of

Value = int | float | str | None
Row = tuple[Any, ...]

_OLDEST_SAFE_SQLITE = (3, 51, 3)  # before it the WAL-reset bug corrupts a shared database
_APPLICATION_ID = 0x4F525048  # "ORPH" in the file's header
_BUSY_STEP_S = 0.000_1
_BUSY_BOUND_S = 10.0
_STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's virtual machine: about a millisecond
WAL_BOUND_BYTES = 64 * 1024 * 1024
"""A write-ahead log that has been longer is cut to this when it begins anew."""
_MINUTE_MS = 60_000


class Database:
    """A connection with its transaction, kept counts and bells. Used by one thread."""

    def __init__(
        self, connection: apsw.Connection, path: Path, clock: Clock, bells: Doorbells, durable: bool
    ) -> None:
        self.path = path
        self.clock = clock
        self.bells = bells
        self._connection = connection
        self._translated = _Translated(connection)
        self._names = (str(path), f"{path}-wal")
        self._files = [_file_called(name) for name in self._names]
        self._stop_reading_at_s = 0.0
        self._durable = durable
        self._synchronous_full: bool | None = None
        self._count_changes: Counter[tuple[str, Status]] = Counter()
        self._finished: Counter[tuple[str, Status]] = Counter()
        self._attempts: list[tuple[str, int, int]] = []
        self._queues_with_work: set[str] = set()
        self._places_freed: set[str] = set()
        self._api_has_news = False
        self._supervisor_is_asked = False
        self._counts_sql = sql_file("counts.sql")

    # Reading and executing

    def all(self, sql: str, *values: Value) -> list[Row]:
        """Every row of a query, read at once: no cursor stays open."""
        with self._translated:
            return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Value) -> Row | None:
        """The first row of a query, or None."""
        with self._translated:
            rows = self._connection.execute(sql, values).fetchall()
        return rows[0] if rows else None

    def run(self, sql: str, *values: Value) -> int:
        """Execute a statement; the number of rows it changed."""
        with self._translated:
            self._connection.execute(sql, values)
            return self._connection.changes()

    def run_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[Row]:
        """Execute a statement for each row of values; the rows that RETURNING gave."""
        with self._translated:
            return list(self._connection.executemany(sql, rows))

    def last_insert_id(self) -> int:
        """The id that the latest INSERT of this connection gave."""
        return self._connection.last_insert_rowid()

    def data_version(self) -> int:
        """Changes whenever another connection has committed (3 us a call)."""
        row = self.one("PRAGMA data_version")
        return int(row[0]) if row else 0

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads of one moment, or part of the transaction that is open already.

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
            with contextlib.suppress(apsw.Error):  # some errors have ended it already
                self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def time_limit(self, limit_s: float) -> Iterator[None]:
        """A statement that still runs after `limit_s` is stopped with ReadTookTooLong."""
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

        Without the snapshot each commit of another process would begin the copy anew.
        """
        with self.snapshot():
            self._connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
            with copy.backup("main", self._connection, "main") as backup:
                while not backup.step(step_pages):
                    pass

    def checkpoint(self, mode: int) -> bool:
        """Move the write-ahead log into the database without waiting; whether all of it was."""
        self._connection.set_busy_handler(None)
        try:
            with self._translated:
                frames, moved = self._connection.wal_checkpoint(mode=mode)
        except DatabaseBusy:
            return False
        finally:
            self._connection.set_busy_handler(_BusyHandler())
        return frames == moved

    # Writing

    @contextlib.contextmanager
    def write(self, *, durable: bool) -> Iterator[None]:
        """A write transaction, or part of the one that is open already.

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
            self._wake_for_free_places()
            self._check_names()
            program_failpoint("commit.before")
            with self._translated:
                self._connection.execute("COMMIT")
            program_failpoint("commit.after")
        except BaseException:
            self._forget_changes()
            with contextlib.suppress(apsw.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise
        self._ring()

    def begin_and_undo(self, wait_s: float) -> None:
        """Begin a write transaction and undo it, to see that one can begin.

        Raises DatabaseBusy after `wait_s` without the write lock, DatabaseUnusable.
        """
        if self._connection.in_transaction:
            return
        self._connection.set_busy_handler(_BusyHandler(wait_s))
        try:
            self._check_names()
            with self._translated:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute("ROLLBACK")
        finally:
            self._connection.set_busy_handler(_BusyHandler())

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Part of an open transaction that an exception undoes alone."""
        before = (
            self._count_changes.copy(),
            self._finished.copy(),
            list(self._attempts),
            set(self._queues_with_work),
            self._api_has_news,
            self._supervisor_is_asked,
        )
        with self._translated:
            self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            with contextlib.suppress(apsw.Error):
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            (
                self._count_changes,
                self._finished,
                self._attempts,
                self._queues_with_work,
                self._api_has_news,
                self._supervisor_is_asked,
            ) = before
            raise
        with self._translated:
            self._connection.execute("RELEASE part")

    def _set_synchronous(self, *, full: bool) -> None:
        if full != self._synchronous_full:  # it cannot change inside a transaction
            with self._translated:
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._synchronous_full = full

    def _check_names(self) -> None:
        """Raises DatabaseUnusable unless the open files are still the ones with their names."""
        if [_file_called(name) for name in self._names] != self._files:
            raise DatabaseUnusable(
                f"{self.path} or its -wal file was moved, deleted or replaced while in use, so "
                "nothing is written to it; put it back, or stop Orpheus and start it again"
            )

    # What a transaction gathers

    def count(self, queue: str, leaves: Status | None, enters: Status | None, n: int = 1) -> None:
        """Note that `n` jobs of `queue` moved from one status to another (None: did not exist)."""
        if leaves is enters:
            return
        if leaves is not None:
            self._count_changes[queue, leaves] -= n
        if leaves is Status.IN_PROGRESS:
            self._places_freed.add(queue)
        if enters is not None:
            self._count_changes[queue, enters] += n
            if enters in TERMINAL:
                self._finished[queue, enters] += n

    def count_attempt(self, outcome: str, due_ms: int, started_ms: int) -> None:
        """Note that an attempt ends now that was due and started at these times (wall clock)."""
        ran_ms = max(0, self.clock.wall_ms() - started_ms)
        self._attempts.append((outcome, max(0, started_ms - due_ms), ran_ms))

    def wake_workers(self, queue: str) -> None:
        """After the commit, ring the pools that serve `queue`."""
        self._queues_with_work.add(queue)

    def wake_every_pool(self) -> None:
        """After the commit, ring every pool: the limits have changed."""
        self._queues_with_work.add("*")

    def wake_api(self) -> None:
        """After the commit, ring the API: there is an event, a log line or progress."""
        self._api_has_news = True

    def wake_supervisor(self) -> None:
        """After the commit, ring the supervisor: an operator asks something of it."""
        self._supervisor_is_asked = True

    def flush_counts(self) -> None:
        """Write the gathered counts now."""
        changes = [
            (queue, status.value, n) for (queue, status), n in self._count_changes.items() if n
        ]
        if changes:
            self.run_many(self._counts_sql["change-count"], changes)
            self._count_changes.clear()
        ended: Counter[str] = Counter()
        if self._finished:
            minute = self.clock.wall_ms() // _MINUTE_MS
            self.run_many(
                self._counts_sql["add-finished"],
                [(minute, queue, status.value, n) for (queue, status), n in self._finished.items()],
            )
            for (_, status), n in self._finished.items():
                ended[status.value] += n
            self._finished.clear()
        if ended or self._attempts:
            self.run_many(self._counts_sql["add-total"], rows_of(ended, self._attempts))
            self._attempts.clear()

    def _wake_for_free_places(self) -> None:
        """A limited queue that has room and work: whoever freed the place may not take it."""
        sql = sql_file("queues.sql")["has-room-and-work"]
        self._queues_with_work.update(
            queue for queue in self._places_freed if self.one(sql, queue) is not None
        )

    def _forget_changes(self) -> None:
        self._count_changes.clear()
        self._finished.clear()
        self._attempts.clear()
        self._queues_with_work.clear()
        self._places_freed.clear()
        self._api_has_news = False
        self._supervisor_is_asked = False

    def _ring(self) -> None:
        if self._queues_with_work:
            self.bells.ring_pools_of(self._queues_with_work)
        if self._api_has_news:
            self.bells.ring_api()
        if self._supervisor_is_asked:
            self.bells.ring_supervisor()
        self._forget_changes()

    def close(self) -> None:
        """Close the connection; a transaction that is open is rolled back."""
        with contextlib.suppress(apsw.Error):
            self._connection.close()
        self.bells.close()


class _Translated:
    """A context without state, cheaper than a generator on the path of every statement.

    Damaged pages are not kept in the `connection`'s cache: the file may be put right.
    """

    def __init__(self, connection: apsw.Connection | None = None) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, apsw.Error):
            ours = _ours(error)
            if isinstance(ours, DatabaseUnusable) and self._connection is not None:
                self._connection.release_memory()
            if ours is not None:
                raise ours from error


def _ours(error: apsw.Error) -> StorageError | None:
    """What an error of apsw means to the user; None for a bug of ours, which stays as it is."""
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return DatabaseBusy(
            f"another process has held the database for over {_BUSY_BOUND_S:.0f} s; "
            "nothing was written, try again"
        )
    if isinstance(error, apsw.FullError):
        return DatabaseFull("no space is left on the device that holds the database")
    if isinstance(error, apsw.InterruptError):
        return ReadTookTooLong("reading it took too long and was stopped; ask for less, or later")
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return DatabaseUnusable(f"the database is damaged or no database: {error}")
    if isinstance(error, apsw.IOError | apsw.CantOpenError | apsw.ReadOnlyError):
        return DatabaseUnusable(f"the database cannot be used: {error}")
    return None


_TRANSLATED = _Translated()


def translated() -> _Translated:
    """Exceptions of apsw become those of shared/errors.py inside this context."""
    return _TRANSLATED


def sql_file(name: str) -> Queries:
    """The named queries of one file of shared/storage/sqlite/sql/."""
    if name not in _SQL_FILES:
        _SQL_FILES[name] = load_queries("orpheus.shared.storage.sqlite.sql", name)
    return _SQL_FILES[name]


_SQL_FILES: dict[str, Queries] = {}


def open_connection(path: Path, *, create: bool, clock: Clock) -> apsw.Connection:
    """A connection to a database of the current schema.

    Raises DatabaseUnusable (see `open_store` in shared/storage); a refused file is left as it was.
    """
    _check_sqlite_version()
    if create:
        _create_folder(path.parent)
    elif not path.exists():
        raise DatabaseUnusable(
            f"there is no database at {path}; start Orpheus once (python -m supervisor) to make it"
        )
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    old_umask = os.umask(0o077)
    try:
        with translated():
            connection = apsw.Connection(str(path), flags=flags)
    finally:
        os.umask(old_umask)
    try:
        with translated():
            connection.set_busy_handler(_BusyHandler())
            _prepare(connection, path, create=create, clock=clock)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_sqlite_version() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < _OLDEST_SAFE_SQLITE:
        raise DatabaseUnusable(
            f"SQLite {apsw.sqlite_lib_version()} can corrupt a database that several processes "
            f"write (WAL-reset bug); install apsw 3.53 or newer"
        )


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(f"cannot create the folder {folder}: {error.strerror}") from error
    if folder.is_symlink() or folder.stat().st_mode & 0o002:
        raise DatabaseUnusable(
            f"{folder} is a symbolic link or writable by everyone; refusing to keep jobs there"
        )


def _prepare(connection: apsw.Connection, path: Path, *, create: bool, clock: Clock) -> None:
    migrations = load_migrations("orpheus.shared.storage.sqlite.migrations")
    newest = migrations[-1].version
    application, version, has_tables = _header(connection)
    if application != _APPLICATION_ID and (application or has_tables):
        raise DatabaseUnusable(f"{path} is a database of another program; it was left as it is")
    if version > newest:
        raise DatabaseUnusable(
            f"{path} has schema {version}, newer than this Orpheus knows ({newest}); "
            "it was left as it is: update Orpheus"
        )
    if version < newest and not create:
        raise DatabaseUnusable(
            f"{path} has schema {version}, this Orpheus needs {newest}; "
            "start Orpheus once to update it"
        )
    if version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for pragma in (
        "journal_mode = WAL",
        "foreign_keys = ON",
        "mmap_size = 0",
        "trusted_schema = OFF",
        f"journal_size_limit = {WAL_BOUND_BYTES}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    for migration in migrations[version:]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _header(connection)[1] < migration.version:  # another process may have been first
                connection.execute(migration.sql)
                connection.execute(
                    "INSERT INTO schema_migrations VALUES (?, ?, ?)",
                    (migration.version, migration.name, clock.wall_ms()),
                )
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {migration.version}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _header(connection: apsw.Connection) -> tuple[int, int, bool]:
    """Application id, schema version, and whether there is any table.

    In one statement, so of one moment: another process may be making the schema right now.
    """
    sql = """SELECT application_id, user_version, EXISTS (SELECT 1 FROM sqlite_schema)
        FROM pragma_application_id, pragma_user_version"""
    [row] = connection.execute(sql).fetchall()
    application, version, has_tables = cast("Row", row)
    return application, version, bool(has_tables)


def _file_called(name: str) -> tuple[int, int] | None:
    """Device and inode of the file of that name."""
    try:
        status = os.stat(name)  # noqa: PTH116 - Path.stat takes three times as long, each commit
    except OSError:
        return None
    return status.st_dev, status.st_ino


class _BusyHandler:
    """Waits for the lock in constant 0.1 ms steps, up to the bound."""

    def __init__(self, bound_s: float = _BUSY_BOUND_S) -> None:
        self._bound_s = bound_s
        self._gives_up_at = 0.0

    def __call__(self, tries: int) -> bool:
        now = time.monotonic()
        if tries == 0:
            self._gives_up_at = now + self._bound_s
        if now > self._gives_up_at:
            return False
        time.sleep(_BUSY_STEP_S)
        return True
