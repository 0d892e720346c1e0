"""What the verbs execute in a transaction on PostgreSQL, whoever has begun it.

PostgresDatabase (database.py) begins and commits its own; ApplicationDatabase (application.py) is a
part of one that an application has open.
"""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol

from orpheus.shared.errors import Contended, ReadTookTooLong, StorageError
from orpheus.shared.process.clock import Clock
from orpheus.shared.storage.at_commit import AtCommit
from orpheus.shared.storage.database import Row, Value, text_bytes
from orpheus.shared.storage.postgres.clock import READ_CLOCK, DatabaseClock, host_ns
from orpheus.shared.storage.postgres.sql import sql_file
from orpheus.shared.storage.postgres.sql_text import in_order, statement_of
from orpheus.shared.storage.queries import SqlFile

_LOCK = "SELECT pg_advisory_xact_lock(one) FROM unnest(?::bigint[]) AS one"
_TRY_LOCK = "SELECT one FROM unnest(?::bigint[]) AS one WHERE NOT pg_try_advisory_xact_lock(one)"
_MOST_SAVEPOINTS = 64
"""With more in one transaction, all others look for each row's state in pages that they share."""
_LOCK_JOB = "SELECT id FROM orpheus.jobs WHERE id = ? FOR NO KEY UPDATE"
_LOCK_TO_DELETE = "SELECT id FROM orpheus.jobs WHERE id = ? FOR UPDATE"
_FETCHED_AT_ONCE = 20
_CURSOR = "orpheus_page"
"""An application has cursors of its own in its transaction."""


class Answer(Protocol):
    """What one statement gave: a cursor of psycopg, or what stands for one."""

    @property
    def rowcount(self) -> int:
        """How many rows it gave or changed."""

    def fetchone(self) -> Any:
        """Return its first row, or None."""

    def fetchall(self) -> list[Any]:
        """Return its rows; none if it gives none."""


class Session(Protocol):
    """Executes statements, and raises the errors of shared/errors.py."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open that the verbs are part of."""

    def execute(
        self, sql: str, values: Sequence[Value | list[Value]] = (), *, prepare: bool = True
    ) -> Answer:
        """Execute one statement."""

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value | list[Value]]]) -> list[Row]:
        """Execute a statement for each row of values; return the rows that it gave."""

    def send_many(
        self, batches: Iterable[tuple[str, Sequence[Sequence[Value | list[Value]]]]]
    ) -> None:
        """Execute statements, each for its rows of values, with the next one at the latest."""

    def undo(self, sql: str) -> None:
        """Execute statements that undo a part of the open transaction."""


class Statements(ABC):
    """The part of the port `Database` (shared/storage/database.py) that begins no transaction."""

    def __init__(self, session: Session, own_clock: Clock, clock: Clock | None = None) -> None:
        """`clock`: instead of the database's."""
        self.file_names: tuple[str, ...] = ()
        self.has_many_hosts = True
        self.one_writer = False
        self.most_savepoints = _MOST_SAVEPOINTS
        self.own_clock = own_clock
        self._read_clock = DatabaseClock(self._read_time)
        self.clock: Clock = clock or self._read_clock
        self.at_commit = AtCommit()
        self._session = session
        self._deadline_s: float | None = None
        self._counts_sql = sql_file("counts.sql")
        self._tokens_sql = sql_file("leases.sql")
        self._locked: set[int] = set()
        """The names that this transaction has locked, by their numbers."""

    def give_way(self) -> None:  # noqa: B027 - each waits only for the rows that it needs
        """See Database."""

    def others_wait(self) -> bool:
        """See Database."""
        return False

    def sql(self, file: str) -> SqlFile:
        """See Database."""
        return sql_file(file)

    @property
    def in_transaction(self) -> bool:
        """See Database."""
        return self._session.in_transaction

    @abstractmethod
    def snapshot(self) -> contextlib.AbstractContextManager[None]:
        """See Database."""

    @abstractmethod
    def limit_lock_waits(self, limit_ms: int | None) -> None:
        """See Database."""

    # Reading and executing

    def all(self, sql: str, *values: Value) -> list[Row]:
        """See Database."""
        self._look_at_deadline()
        return self._session.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Value) -> Row | None:
        """See Database."""
        self._look_at_deadline()
        row: Row | None = self._session.execute(sql, values).fetchone()
        return row

    def within(self, most_bytes: int, sql: str, *values: Value) -> tuple[list[Row], bool]:
        """See Database. A cursor of the server gives some rows at a time."""
        rows: list[Row] = []
        read_bytes = 0
        with self.snapshot():
            self._cursor(f"DECLARE {_CURSOR} NO SCROLL CURSOR FOR {sql}", values)
            while found := self._cursor(f"FETCH {_FETCHED_AT_ONCE} FROM {_CURSOR}"):
                for row in found:
                    read_bytes += text_bytes(row)
                    if rows and read_bytes > most_bytes:
                        self._session.execute(f"CLOSE {_CURSOR}", prepare=False)
                        return rows, True
                    rows.append(row)
                if len(found) < _FETCHED_AT_ONCE:
                    break
            self._session.execute(f"CLOSE {_CURSOR}", prepare=False)
        return rows, False

    def _cursor(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        self._look_at_deadline()
        return self._session.execute(sql, values, prepare=False).fetchall()

    def value(self, sql: str, *values: Value) -> Any:
        """See Database."""
        row = self.one(sql, *values)
        return None if row is None else row[0]

    def run(self, sql: str, *values: Value) -> int:
        """See Database. Only inside a transaction, else it would be unknown whether it was done."""
        assert self._session.in_transaction
        return self._session.execute(sql, values).rowcount

    def run_many(
        self, sql: str, rows: Sequence[Sequence[Value] | Mapping[str, Value]]
    ) -> list[Row]:
        """See Database. All are sent before the first answer is awaited.

        A statement that takes arrays is executed once, for all rows.
        """
        values = [in_order(statement_of(sql), row) for row in rows]
        return self._session.execute_many(*_batch(sql, values)) if values else []

    def send(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """See Database. It is sent with what comes next."""
        if rows:
            self._session.send_many([_batch(sql, rows)])

    def insert(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[int]:
        """See Database. Others insert meanwhile, so the ids have gaps; but they grow."""
        assert self._session.in_transaction
        made = self.run_many(f"{sql.removesuffix(';')} RETURNING id", rows)
        return sorted(row[0] for row in made)

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

    def _read_time(self) -> None:
        asked_ns = host_ns()
        self._read_clock.set(int(self.value(READ_CLOCK)), asked_ns)

    # The transaction that is open

    def lock(self, kind: str, names: Iterable[str]) -> bool:
        """See Database. All take the locks in one order, so that no two wait for each other."""
        wanted = {_number_of(kind, name) for name in names} - self._locked
        if not wanted or not self._session.in_transaction:
            return False
        self._lock(wanted)
        return True

    def _lock(self, wanted: set[int]) -> None:
        self.all(_LOCK, _sorted_array(wanted))
        self._locked |= wanted

    def lock_within(self, kind: str, names: Iterable[str], limit_ms: int) -> frozenset[str]:
        """See Database. Those who wait get a name in turn, so it is not enough to try."""
        by_number = {_number_of(kind, name): name for name in names}
        held = self._try_to_lock(by_number.keys() - self._locked)
        if held and limit_ms:
            with contextlib.suppress(Contended), self.savepoint():
                self.limit_lock_waits(limit_ms)
                self._lock(held)
                self.limit_lock_waits(None)
            held = self._try_to_lock(held - self._locked)
        return frozenset(by_number[number] for number in held)

    def _try_to_lock(self, wanted: set[int]) -> set[int]:
        """Lock those that are free, and return the others."""
        held = {row[0] for row in self.all(_TRY_LOCK, _sorted_array(wanted))} if wanted else set()
        self._locked |= wanted - held
        return held

    def lock_job(self, job_id: int, *, deletes: bool) -> bool:
        """See Database. An open transaction whose jobs depend on it stops only who deletes it."""
        self.one(_LOCK_TO_DELETE if deletes else _LOCK_JOB, job_id)
        return True

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """See Database."""
        before, locked = self.at_commit.copy(), self._locked.copy()
        self._session.execute("SAVEPOINT part", prepare=False)
        try:
            yield
            self._session.execute("RELEASE part", prepare=False)
        except BaseException:
            with contextlib.suppress(StorageError):  # it is lost: what was raised says so
                self._session.undo("ROLLBACK TO part; RELEASE part")
            self.at_commit, self._locked = before, locked
            raise

    def flush_counts(self) -> None:
        """See Database."""
        gathered = self.at_commit.take_counts(self.clock.wall_ms())
        if gathered:
            self._session.send_many(_batch(self._counts_sql[name], rows) for name, rows in gathered)

    @contextlib.contextmanager
    def _until(self, limit_s: float) -> Iterator[None]:
        self._deadline_s = time.monotonic() + limit_s
        try:
            yield
        finally:
            self._deadline_s = None

    def _look_at_deadline(self) -> None:
        if self._deadline_s is not None and time.monotonic() > self._deadline_s:
            raise ReadTookTooLong(
                "reading it took too long and was stopped; ask for less, or later"
            )


def _batch(
    sql: str, rows: Sequence[Sequence[Value]]
) -> tuple[str, Sequence[Sequence[Value | list[Value]]]]:
    """Return a statement with its rows of values; with arrays, it is executed once."""
    return sql, [_columns_of(rows)] if statement_of(sql).takes_arrays else rows


def _columns_of(rows: Sequence[Sequence[Value]]) -> list[list[Value]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _sorted_array(numbers: Iterable[int]) -> str:
    return "{" + ",".join(map(str, sorted(numbers))) + "}"


def _number_of(kind: str, name: str) -> int:
    """Return the 64-bit number that stands for a name in the server's locks."""
    digest = blake2b(f"{kind}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
