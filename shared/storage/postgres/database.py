"""The port of the verbs on PostgreSQL: many connections of many hosts, that lock only rows.

A write is READ COMMITTED: each statement sees what was committed before it, and a row that it
changes is the newest. So what a verb reads for a change it reads FOR UPDATE, in the order of ids.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain

from orpheus.shared.errors import DatabaseUnusable, ReadTookTooLong, StorageError
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.process.failpoints import program_failpoint
from orpheus.shared.storage.at_commit import AtCommit
from orpheus.shared.storage.database import Row, Value
from orpheus.shared.storage.postgres.clock import NOW_MS, DatabaseClock, host_ns
from orpheus.shared.storage.postgres.connection import Connection
from orpheus.shared.storage.postgres.notices import CHANNEL, Notices, sender_of
from orpheus.shared.storage.postgres.opening import check_schema
from orpheus.shared.storage.postgres.sql import sql_file
from orpheus.shared.storage.queries import SqlFile
from orpheus.shared.storage.verbs.free_places import ring_for_free_places

_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE;"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
_NUMBER_EVENTS = f"{_WRITE} SELECT orpheus.number_events(); COMMIT;"
_NOT_DURABLE = "SET LOCAL synchronous_commit = off;"
_NOW = f"SELECT {NOW_MS}"
_LOCK = "SELECT pg_advisory_xact_lock(one) FROM unnest(?::bigint[]) AS one"
_ROWS_AT_ONCE = (256, 16, 1)
"""How many rows one statement inserts: as many of the first as there are, then of the next."""
_LOCK_JOB = "SELECT id FROM orpheus.jobs WHERE id = ? FOR UPDATE"
_FETCHED_AT_ONCE = 20


class PostgresDatabase:
    """The port `Database` (shared/storage/database.py), on a schema of a PostgreSQL database."""

    def __init__(
        self,
        url: str,
        own_clock: Clock,
        bells: Doorbells,
        *,
        create: bool,
        durable: bool,
        clock: Clock | None = None,
        pooled: bool = False,
    ) -> None:
        """Connect; see `open_store` in shared/storage for the errors.

        `clock`: instead of the database's. `pooled`: a pooler lends another session to each
        transaction.
        """
        self.bells = bells
        self._notices = Notices(sender_of(str(bells.folder)))
        self.file_names: tuple[str, ...] = ()
        self.has_many_hosts = True
        self.own_clock = own_clock
        self.at_commit = AtCommit()
        self._durable = durable
        self._deadline_s: float | None = None
        self._connection = Connection(
            url,
            pooled=pooled,
            prepare=lambda raw, place: check_schema(raw, place, create=create),
        )
        self._read_clock = DatabaseClock(self._ask_time)
        self.clock: Clock = clock or self._read_clock
        self._counts_sql = sql_file("counts.sql")
        self._tokens_sql = sql_file("leases.sql")
        self._insert_sql: dict[tuple[str, int], str] = {}
        """By the query for one row, and how many are inserted at once."""
        self._locked: set[int] = set()
        """The names that this transaction has locked, by their numbers."""

    def sql(self, file: str) -> SqlFile:
        """See Database."""
        return sql_file(file)

    # Reading and executing

    def all(self, sql: str, *values: Value) -> list[Row]:
        """See Database."""
        self._look_at_deadline()
        return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Value) -> Row | None:
        """See Database."""
        self._look_at_deadline()
        return self._connection.execute(sql, values).fetchone()

    def within(self, most_bytes: int, sql: str, *values: Value) -> tuple[list[Row], bool]:
        """See Database. A cursor of the server gives some rows at a time."""
        rows: list[Row] = []
        read_bytes = 0
        with self.snapshot():
            self._cursor(f"DECLARE page NO SCROLL CURSOR FOR {sql}", values)
            while found := self._cursor(f"FETCH {_FETCHED_AT_ONCE} FROM page"):
                for row in found:
                    read_bytes += sum(_text_bytes(value) for value in row)
                    if rows and read_bytes > most_bytes:
                        self._connection.control("CLOSE page")
                        return rows, True
                    rows.append(row)
                if len(found) < _FETCHED_AT_ONCE:
                    break
            self._connection.control("CLOSE page")
        return rows, False

    def _cursor(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        self._look_at_deadline()
        cursor = self._connection.execute(sql, values, prepare=False)
        return cursor.fetchall() if cursor.description is not None else []

    def run(self, sql: str, *values: Value) -> int:
        """See Database. Only inside a transaction, else nobody could tell whether it was done."""
        assert self._connection.in_transaction
        return self._connection.execute(sql, values).rowcount

    def run_many(
        self, sql: str, rows: Sequence[Sequence[Value] | Mapping[str, Value]]
    ) -> list[Row]:
        """See Database. All are sent before the first answer is awaited."""
        return self._connection.execute_many(sql, rows) if rows else []

    def insert(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[int]:
        """See Database. Others insert meanwhile, so the ids have gaps; but they grow."""
        assert self._connection.in_transaction
        ids: list[int] = []
        for size in _ROWS_AT_ONCE:
            while len(rows) - len(ids) >= size:
                values = chain.from_iterable(rows[len(ids) : len(ids) + size])
                made = self._connection.execute(self._insert_many(sql, size), tuple(values))
                ids += sorted(row[0] for row in made.fetchall())
        return ids

    def _insert_many(self, sql: str, size: int) -> str:
        text = self._insert_sql.get((sql, size))
        if text is None:
            head, values, row = sql.removesuffix(";").rpartition("VALUES ")
            text = f"{head}{values}{', '.join([row] * size)} RETURNING id"
            self._insert_sql[sql, size] = text
        return text

    def take_tokens(self, n: int) -> list[int]:
        """See Database. What holds the jobs meanwhile are locks on their rows."""
        return sorted(row[0] for row in self.all(self._tokens_sql["take-tokens"], n))

    def lease_ends_ms(self, ttl_ms: int) -> tuple[int, int]:
        """See Database. The database's clock may be ahead by what its answer took."""
        here_ms = self.own_clock.monotonic_ms()
        there_ms = self.clock.monotonic_ms()  # it may have to ask
        if self.clock is self._read_clock:
            here_ms -= self._read_clock.answer_ms
        return here_ms + ttl_ms, there_ms + ttl_ms

    def number_events(self) -> None:
        """See Database."""
        if not self._connection.in_transaction:
            self._connection.at_once(_NUMBER_EVENTS)

    def lock(self, kind: str, names: Iterable[str]) -> bool:
        """See Database. All take the locks in one order, so that no two wait for each other."""
        wanted = {_number_of(kind, name) for name in names} - self._locked
        if not wanted or not self._connection.in_transaction:
            return False
        self.all(_LOCK, "{" + ",".join(map(str, sorted(wanted))) + "}")
        self._locked |= wanted
        return True

    def lock_job(self, job_id: int) -> bool:
        """See Database."""
        self.one(_LOCK_JOB, job_id)
        return True

    def changes(self) -> tuple[int, str]:
        """See Database. This connection's own commits change it, too."""
        row = self.one("SELECT pg_current_snapshot()::text")
        return self._connection.opened, str(row[0]) if row else ""

    # Transactions

    @contextlib.contextmanager
    def write(self, *, durable: bool) -> Iterator[None]:
        """See Database. Raises DatabaseBusy if it waited for a lock for too long, or in a circle.

        If the connection is lost while it commits, DatabaseUnusable: then nobody knows whether
        something was written.
        """
        if self._connection.in_transaction:
            yield
            return
        waits_for_disk = durable and self._durable
        try:
            self._begin(_WRITE, "" if waits_for_disk else _NOT_DURABLE)
            yield
            self.flush_counts()
            ring_for_free_places(self)
            program_failpoint("commit.before")
            self._connection.commit()
            program_failpoint("commit.after")
        except BaseException:
            self.at_commit = AtCommit()
            self._connection.roll_back()
            raise
        committed, self.at_commit = self.at_commit, AtCommit()
        committed.ring(self.bells)
        notice = self._notices.payload(committed, time.monotonic())
        if notice is not None:
            self._connection.notify(CHANNEL, notice)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """See Database."""
        before, locked = self.at_commit.copy(), self._locked.copy()
        self._connection.control("SAVEPOINT part")
        try:
            yield
        except BaseException:
            with contextlib.suppress(StorageError):  # it is lost: what was raised says so
                self._connection.control("ROLLBACK TO part; RELEASE part")
            self.at_commit, self._locked = before, locked
            raise
        self._connection.control("RELEASE part")

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """See Database. Events that were committed before it have their numbers."""
        with self._reading(""):
            yield

    @contextlib.contextmanager
    def time_limit(self, limit_s: float) -> Iterator[None]:
        """See Database. The reads of this block see one moment.

        The server bounds each statement. In a transaction, only what begins too late is stopped.
        """
        self._deadline_s = time.monotonic() + limit_s
        try:
            with self._reading(f"SET LOCAL statement_timeout = {max(1, round(limit_s * 1000))};"):
                yield
        finally:
            self._deadline_s = None

    def _look_at_deadline(self) -> None:
        if self._deadline_s is not None and time.monotonic() > self._deadline_s:
            raise ReadTookTooLong(
                "reading it took too long and was stopped; ask for less, or later"
            )

    @contextlib.contextmanager
    def _reading(self, settings: str) -> Iterator[None]:
        if self._connection.in_transaction:
            yield
            return
        self._begin(f"{_NUMBER_EVENTS} {_READ}", settings)
        try:
            yield
        except BaseException:
            self._connection.roll_back()
            raise
        self._connection.end_reading()

    def _begin(self, begin: str, settings: str) -> None:
        self._locked = set()
        asked_ns = host_ns()
        now_ms = self._connection.begin(f"{begin} {self._connection.settings} {settings} {_NOW}")
        self._read_clock.set(now_ms, asked_ns)

    def _ask_time(self) -> int:
        row = self.one(_NOW)
        return int(row[0]) if row else 0

    def begin_and_undo(self, wait_s: float) -> None:  # noqa: ARG002
        """See Database. No write waits here, unless the server does not answer."""
        if self._connection.in_transaction:
            if self.one("SELECT pg_is_in_recovery()") == (1,):
                raise DatabaseUnusable("the database has become a standby")
            return
        self._begin(_WRITE, "")
        self._connection.roll_back()

    def flush_counts(self) -> None:
        """See Database."""
        gathered = self.at_commit.take_counts(self.clock.wall_ms())
        if gathered:
            self._connection.send_many((self._counts_sql[name], rows) for name, rows in gathered)

    def close(self) -> None:
        """See Database."""
        self._connection.close()
        self.bells.close()


def _number_of(kind: str, name: str) -> int:
    """Return the 64-bit number that stands for a name in the server's locks."""
    digest = blake2b(f"{kind}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _text_bytes(value: object) -> int:
    if not isinstance(value, str):
        return 0
    return len(value) if value.isascii() else len(value.encode())
