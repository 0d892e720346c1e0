"""The database inside of a transaction that an application has open on a connection of its own.

What a verb does is a part of that transaction: a savepoint, so that a statement which fails does
not spoil what the application has done. On a connection in autocommit mode, each part is a
transaction. The application commits; we send no COMMIT or ROLLBACK, change no setting of its
session, and prepare no statement.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row

from orpheus.shared.errors import CommitInDoubt, DatabaseUnusable
from orpheus.shared.process.clock import SystemClock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.storage.at_commit import AtCommit
from orpheus.shared.storage.database import Row, Value
from orpheus.shared.storage.postgres.clock import READ_CLOCK, host_ns
from orpheus.shared.storage.postgres.notices import CHANNEL, notice_of
from orpheus.shared.storage.postgres.opening import look_at_schema
from orpheus.shared.storage.postgres.psycopg_errors import (
    first_line,
    is_lost,
    translated_in_application,
)
from orpheus.shared.storage.postgres.sql_text import statement_of
from orpheus.shared.storage.postgres.statements import Statements
from orpheus.shared.storage.postgres.values import adapt_alone

_LOOK_EVERY_S = 1.0
_NOTIFY = "SELECT pg_notify(?, ?)"
_NO_SCHEMA = (
    "start Orpheus on this database once to make it; if Orpheus uses another database, write the "
    "job into an outbox (docs/outbox.md)"
)
_NO_BELLS = Path("/nonexistent")
"""Nobody rings before the commit, and that is the application's: the NOTIFY in it wakes workers."""

Connected = psycopg.Connection[Any] | psycopg.AsyncConnection[Any]
Finish = Callable[[Any], Any]
"""Returns what a method of the connection returns; of an asynchronous one, when it is there."""


class _Answer(msgspec.Struct, frozen=True):
    """The rows of a statement, read at once: a cursor may have to be awaited."""

    rows: list[Row]
    rowcount: int

    def fetchone(self) -> Row | None:
        return self.rows[0] if self.rows else None

    def fetchall(self) -> list[Row]:
        return self.rows


class ApplicationSession:
    """Executes statements on an application's connection, in parts of its transaction."""

    def __init__(self, connection: Connected, finish: Finish) -> None:
        self.in_transaction = False
        """Whether a part is open."""
        self._connection = connection
        self._finish = finish

    def execute(
        self,
        sql: str,
        values: Sequence[Value | list[Value]] = (),
        *,
        prepare: bool = True,  # noqa: ARG002 - a prepared one would stay in its session
    ) -> _Answer:
        """Execute one statement."""
        with _translating():
            cursor = self._cursor()
            self._finish(cursor.execute(statement_of(sql).text, values, prepare=False))
            rows = self._finish(cursor.fetchall()) if cursor.description is not None else []
            return _Answer(rows, cursor.rowcount)

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value | list[Value]]]) -> list[Row]:
        """Execute a statement for each row of values, without a wait between; return their rows."""
        if len(rows) == 1:
            return self.execute(sql, rows[0]).rows
        found: list[Row] = []
        with _translating():
            for cursor in self._send([(sql, row) for row in rows]):
                if cursor.description is not None:
                    found += self._finish(cursor.fetchall())
        return found

    def send_many(
        self, batches: Iterable[tuple[str, Sequence[Sequence[Value | list[Value]]]]]
    ) -> None:
        """Execute statements, each for its rows of values."""
        with _translating():
            self._send([(sql, row) for sql, rows in batches for row in rows])

    def _send(self, statements: Sequence[tuple[str, Sequence[Value | list[Value]]]]) -> list[Any]:
        """Send all before the first answer is awaited; return their cursors."""
        if len(statements) == 1:  # a pipeline of one statement takes twice as long
            self.execute(*statements[0])
            return []
        cursors = []
        with self._inside(self._connection.pipeline()):
            for sql, values in statements:
                cursors.append(self._cursor())
                text = statement_of(sql).text
                self._finish(cursors[-1].execute(text, values, prepare=False))
        return cursors

    def undo(self, sql: str) -> None:
        """Execute statements without parameters."""
        self.execute(sql)

    @contextlib.contextmanager
    def part(self) -> Iterator[int]:
        """Run a part of the transaction, which begins if none is open; give the time (ms).

        An exception undoes this part only. Raises DatabaseUnusable, and DatabaseBusy if the
        application must run its transaction again.
        """
        self._refuse_unusable()
        is_open = self._connection.info.transaction_status is TransactionStatus.INTRANS
        commits = self._connection.autocommit and not is_open
        with _translating(commits=commits):
            if not is_open and not commits:
                self.execute(READ_CLOCK)  # the driver begins a transaction with any statement
            with self._inside(self._connection.transaction()):
                now_ms = int(self.execute(READ_CLOCK).rows[0][0])
                self.in_transaction = True
                try:
                    yield now_ms
                finally:
                    self.in_transaction = False

    def _refuse_unusable(self) -> None:
        status = self._connection.info.transaction_status
        if self._connection.closed:
            raise DatabaseUnusable("your connection is closed, or was lost")
        if status is TransactionStatus.INERROR:
            raise DatabaseUnusable(
                "a statement of your transaction has failed, so nothing more can be done in it: "
                "roll it back, to its begin or a savepoint, and submit again"
            )
        is_in_pipeline = self._connection.pgconn.pipeline_status != PipelineStatus.OFF
        # psycopg holds its lock while it executes a statement that a signal handler interrupts.
        is_locked = self._connection.lock.locked()
        if status is TransactionStatus.ACTIVE or is_in_pipeline or is_locked:
            raise DatabaseUnusable(
                "your connection has not finished another statement (a COPY, a stream, or a "
                "pipeline): submit before or after it"
            )

    def _cursor(self) -> Any:
        """Return a cursor of our own: that of the application may make other rows of the answer."""
        kind: Any = psycopg.RawCursor
        if isinstance(self._connection, psycopg.AsyncConnection):
            kind = psycopg.AsyncRawCursor
        cursor = kind(self._connection, row_factory=tuple_row)
        adapt_alone(cursor)
        return cursor

    @contextlib.contextmanager
    def _inside(self, block: Any) -> Iterator[None]:
        """Run a block of psycopg, which is entered and left with `await` on an asynchronous one."""
        is_async = hasattr(block, "__aenter__")
        leave = block.__aexit__ if is_async else block.__exit__
        self._finish(block.__aenter__() if is_async else block.__enter__())
        try:
            yield
        except BaseException as error:
            self._finish(leave(type(error), error, error.__traceback__))
            raise
        self._finish(leave(None, None, None))


class ApplicationDatabase(Statements):
    """The port `Database` (shared/storage/database.py), inside of an application's transaction."""

    def __init__(self, connection: Connected, finish: Finish) -> None:
        """`finish`: see `Finish`. Nothing is executed yet."""
        self._application = ApplicationSession(connection, finish)
        super().__init__(self._application, SystemClock())
        self.bells = Doorbells(_NO_BELLS, {})
        self.commits_late = True
        self._look_at_s = 0.0

    def number_events(self, *, all_of_them: bool = False) -> None:
        """Do nothing: events are numbered after their commit, in a transaction of their own."""

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See Database. Nothing is moved into an application's transaction."""
        raise NotImplementedError

    def planned_for_values(self) -> contextlib.AbstractContextManager[None]:
        """See Database. Here no statement is prepared, so each is planned for its values anyway."""
        return contextlib.nullcontext()

    def changes(self) -> int:
        """Return 0: nothing here waits for commits of others."""
        return 0

    @contextlib.contextmanager
    def write(self, *, durable: bool) -> Iterator[None]:  # noqa: ARG002 - see Database
        """See Database. It is as durable as the application's commit.

        Raises DatabaseBusy if the application must run its transaction again.
        """
        if self._session.in_transaction:
            yield
            return
        with self.snapshot():
            yield
            self.flush_counts()
            notice = notice_of(self.at_commit)
            if notice is not None:
                self.all(_NOTIFY, CHANNEL, notice)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several reads be one part; what they see is up to the application's transaction."""
        if self._session.in_transaction:
            yield
            return
        self.at_commit, self._locked = AtCommit(), set()
        asked_ns = host_ns()
        with self._application.part() as now_ms:
            self._read_clock.set(now_ms, asked_ns)
            self._look_at_schema()
            yield

    def snapshot_of_all(self) -> contextlib.AbstractContextManager[None]:
        """See Database. How statements are planned is up to the application."""
        return self.snapshot()

    @contextlib.contextmanager
    def time_limit(self, limit_s: float) -> Iterator[None]:
        """See Database. Only what begins too late is stopped: timeouts are the application's."""
        with self._until(limit_s), self.snapshot():
            yield

    def limit_lock_waits(self, limit_ms: int | None) -> None:
        """Do nothing: timeouts are the application's."""

    def _look_at_schema(self) -> None:
        """Raise DatabaseUnusable, once a second at most, if the verbs cannot work on the schema."""
        if time.monotonic() >= self._look_at_s:
            name = "the database of your connection"
            look_at_schema(lambda sql: self.all(sql)[0], name, _NO_SCHEMA)
            self._look_at_s = time.monotonic() + _LOOK_EVERY_S

    def begin_and_undo(self, wait_s: float) -> None:  # noqa: ARG002 - no write waits here
        """See Database."""
        with self.snapshot():
            pass

    def close(self) -> None:
        """Do nothing: the connection is the application's."""


@contextlib.contextmanager
def _translating(*, commits: bool = False) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if commits and is_lost(error):
            raise CommitInDoubt(
                f"your connection was lost in a commit ({first_line(error)}), which may have been "
                "done; look before you try again"
            ) from error
        ours = translated_in_application(error)
        if ours is None:
            raise
        raise ours from error
