"""The port between the verbs and a backend: what every database must be able to do.

The verbs (shared/storage/verbs/) are the same for all backends. A backend gives them a `Database`,
and the queries that they name, with the same parameters and columns.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TypeVar

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.storage.at_commit import AtCommit
from orpheus.shared.storage.figures import Standstill
from orpheus.shared.storage.queries import SqlFile

Value = int | float | str | None
Row = tuple[Any, ...]
Stored = TypeVar("Stored")
Read = TypeVar("Read")

NO_BOUND = 2**62
"""Of rows, or of bytes: more than there are."""
OF_DAMAGE = (
    "`orpheus db check` looks for damage, and docs/operations.md says how to put a backup in its "
    'place, under "Backup and restore"'
)


_ROWS_AT_ONCE = (256, 16, 1)
"""How many rows one statement inserts: as many of the first as there are, then of the next."""


def text_bytes(row: Row) -> int:
    """Return how many bytes the texts of a row have."""
    texts = [value for value in row if isinstance(value, str)]
    return sum(len(text) if text.isascii() else len(text.encode()) for text in texts)


def read_back(read: Callable[[Stored], Read], stored: Stored) -> Read:
    """Return `read` of what a column holds. Raises DatabaseUnusable if it has another form."""
    try:
        return read(stored)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise DatabaseUnusable(
            f"the database is damaged: what it holds cannot be read ({error}); {OF_DAMAGE}"
        ) from error


def inserts(
    sql: str, rows: Sequence[Sequence[Value]], ending: str = ""
) -> Iterator[tuple[str, Iterator[Value]]]:
    """Yield the statements that insert rows, each with its values; see `Database.insert`.

    Many rows are inserted by one statement: one for each takes twice as long, and after each this
    thread would wait for Python's interpreter lock, with SQLite's write lock in its hand.
    """
    first = 0
    for size in _ROWS_AT_ONCE:
        while len(rows) - first >= size:
            yield _insert_of(sql, size, ending), chain.from_iterable(rows[first : first + size])
            first += size


@cache
def _insert_of(sql: str, size: int, ending: str) -> str:
    head, values, row = sql.removesuffix(";").rpartition("VALUES ")
    return head + values + ", ".join([row] * size) + ending


class Database(Protocol):
    """One connection with its transaction, used by one thread.

    Every call may raise the errors of `write`. Parameters stand in SQL as `?`, `?1` or `:name`.
    """

    clock: Clock
    """The clock that leases, delays and schedules are compared with: the same for all processes."""
    own_clock: Clock
    """The clock of this process: by it, a worker ends its jobs even if `clock` cannot be read."""
    bells: Doorbells
    file_names: tuple[str, ...]
    """The paths of the files that it keeps open, but for doorbells: a fork must not use them."""
    has_many_hosts: bool
    """Whether other hosts may use it: then rows of another host are none of ours."""
    commits_late: bool
    """Whether its transactions are an application's, which may stay open for long.

    Then they must lock no row that others have to change.
    """
    one_writer: bool
    """Whether a transaction of `write` keeps others from writing, even if it writes nothing."""
    most_savepoints: int
    """How many a transaction should have at most."""
    at_commit: AtCommit
    """What the open transaction has gathered for its commit."""

    def sql(self, file: str) -> SqlFile:
        """Return the named queries of a file of this backend, for example of `jobs.sql`."""

    def give_way(self) -> None:
        """From now on let others write first who wait for the same lock and do not give way."""

    def others_wait(self) -> bool:
        """Return whether such a one waits now."""

    # Reading and executing

    def all(self, sql: str, *values: Value) -> list[Row]:
        """Return every row of a query."""

    def within(self, most_bytes: int, sql: str, *values: Value) -> tuple[list[Row], bool]:
        """Return the first rows of a query, up to `most_bytes` of text, and whether any is left.

        At least one row is returned, if there is one.
        """

    def one(self, sql: str, *values: Value) -> Row | None:
        """Return the first row of a query, or None."""

    def value(self, sql: str, *values: Value) -> Any:
        """Return the first value of the first row of a query; None: there is no row, or NULL."""

    def run(self, sql: str, *values: Value) -> int:
        """Execute a statement; return the number of rows it changed."""

    def run_many(
        self, sql: str, rows: Sequence[Sequence[Value] | Mapping[str, Value]]
    ) -> list[Row]:
        """Execute a statement for each row of values; return what they returned, in order."""

    def send(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Execute a statement for each row of values; the answers are not needed.

        It runs before the next statement and before the commit; its error may be raised there.
        """

    def insert(self, sql: str, rows: Sequence[Sequence[Value]]) -> Sequence[int]:
        """Insert rows by a query that ends in `VALUES (?, …);`; return their ids, in order."""

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert many rows into a table, inside a transaction, as fast as it can."""

    def take_tokens(self, n: int) -> Sequence[int]:
        """Return the next `n` tokens for leases, inside a transaction: they only grow."""

    def number_events(self, *, all_of_them: bool = False) -> None:
        """Give their seq to events that were committed without one; not in a transaction.

        If there are very many, or others number them, some may be left, but for `all_of_them`.
        """

    def lease_ends_ms(self, ttl_ms: int) -> tuple[int, int]:
        """Return when a lease of this transaction ends: on this process's clock, the database's.

        By this process's clock it never ends later than by the database's, even if reading that one
        was slow.
        """

    def lock(self, kind: str, names: Iterable[str]) -> bool:
        """Let no other transaction that locks one of these names go on before this one ends.

        A transaction that only reads takes no lock: it would wait for writers for nothing. Return
        whether another transaction may have changed what this one has read before.
        """

    def lock_within(self, kind: str, names: Iterable[str], limit_ms: int) -> frozenset[str]:
        """Lock names as `lock` does, but wait for other transactions up to `limit_ms` in all.

        Return those names that others hold: they are not locked, and the transaction can go on.
        """

    def lock_job(self, job_id: int, *, deletes: bool) -> bool:
        """Let no other transaction change a job before this one ends; return as `lock` does.

        `deletes`: also let none make a new job depend on it.
        """

    # Transactions

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, or a snapshot. Raises nothing."""

    def write(self, *, durable: bool) -> AbstractContextManager[None]:
        """Run a write transaction; inside one that is open, take part in it.

        `durable`: the commit waits for the disk, if the configuration asks for durability at all.
        Raises DatabaseBusy, DatabaseFull, DatabaseUnusable; then nothing was written, unless it is
        CommitInDoubt.
        """

    def savepoint(self) -> AbstractContextManager[None]:
        """Run part of an open transaction; an exception rolls back that part only."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Let several reads see one moment; inside a transaction, its moment."""

    def planned_for_values(self) -> AbstractContextManager[None]:
        """Let each statement of this block be planned for the values it is given.

        PostgreSQL has one plan for all values otherwise, and for a rare type that may be a bad one.
        """

    def snapshot_of_all(self) -> AbstractContextManager[None]:
        """The same as `snapshot`, for statements that read whole tables and join them.

        PostgreSQL follows an index row by row otherwise, which never ends for two long tables.
        """

    def time_limit(self, limit_s: float) -> AbstractContextManager[None]:
        """Stop a statement that still runs after `limit_s`: it raises ReadTookTooLong."""

    def limit_lock_waits(self, limit_ms: int | None) -> None:
        """Let no statement of the open transaction wait longer for another's: Contended.

        None: as long as usual. After that error in a savepoint, the transaction can go on. On
        SQLite no statement waits.
        """

    def flush_counts(self) -> None:
        """Write the kept counts gathered so far: at the commit, or when a verb reads them."""

    def begin_and_undo(self, wait_s: float) -> None:
        """Begin a write transaction and roll it back, to check that one can begin.

        Where it may be that none can be committed, one that changes nothing is committed instead.
        Raises DatabaseBusy after `wait_s`, DatabaseFull, DatabaseUnusable.
        """

    def changes(self) -> object:
        """Return a value that differs after another connection has committed."""

    def close(self) -> None:
        """Close the connection; a transaction that is open is rolled back."""


class Maintenance(Protocol):
    """Looks after the database as a whole."""

    def check(self) -> list[str]:
        """Return what is damaged, one sentence each; empty if nothing is."""

    def verify(self) -> list[str]:
        """Return which invariants do not hold, one sentence each, that begins with its name."""

    def backup(self, target: Path) -> None:
        """Write the database as it is now to `target`, a new file, while others go on working.

        Raises BackupRefused, DatabaseFull, DatabaseUnusable.
        """

    def checkpoint(self) -> None:
        """Keep what was written lately from growing without bound. Does not wait."""

    def fold_counts(self) -> None:
        """Make one row of many, where each transaction adds rows of its own to the kept counts."""

    def note_history(self) -> None:
        """Note how far the events have come, so that a start notices a restored backup."""

    def database_bytes(self) -> int:
        """Size of the database."""

    def wal_bytes(self) -> int:
        """Size of its write-ahead log."""

    def oldest_transaction_s(self) -> float | None:
        """Return the age of the oldest transaction that keeps deleted rows in the tables.

        0: there is none, or none matters here. None: this role may not see those of others.
        """

    def standstill(self) -> Standstill | None:
        """Return who keeps all others from writing for longer than a moment, if somebody does."""

    def free_bytes(self) -> int | None:
        """Return the free space where it is kept; None: unknown. Raises DatabaseUnusable."""


class Listening:
    """Rings this host's doorbells for them, until `stop`. On SQLite there are none."""

    def stop(self) -> None:
        """Listen no more; returns at once."""
