"""The world of schedules on PostgreSQL: a connection for each process, in one thread.

Several transactions may be open at once there. Who would have to wait for another's lock is refused
at once, as after a long wait, since the other stands still meanwhile. The clock is one: the
server's, which no host moves and no reboot stops. So what only one writer can promise is checked
where nobody else came in between.
"""

import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.errors import DatabaseBusy, DatabaseFull
from orpheus.shared.storage import Store, open_store
from orpheus.shared.storage.at_commit import AtCommit
from orpheus.shared.storage.postgres.connection import Connection
from orpheus.shared.storage.postgres.sql_text import statement_of
from tests.copied_tables import CopiedTables
from tests.simulation.world import (
    BACKOFF,
    POOLS,
    PROCESSES,
    Point,
    SimulatedClock,
    Strike,
    Tables,
    World,
    no_strike,
)

_LOOKS = "options=-c%20search_path%3Dorpheus"
_WRITES = f"{_LOOKS}%20-c%20lock_timeout%3D1ms"
_KEPT = ("schema_migrations", "history")
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'orpheus'"
_SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'orpheus'"


class PostgresTap:
    """A connection, with a point for the engine before each statement."""

    def __init__(self, connection: Connection, process: str) -> None:
        self._connection = connection
        self.process = process
        self.strike: Strike = no_strike

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def busy(self) -> Exception:
        return DatabaseBusy("another transaction has held the rows for too long")

    def full(self) -> Exception:
        return DatabaseFull("no space is left on the device that holds the database")

    def begin(self, sql: str) -> int:
        self.strike(self, Point.BEGIN)
        return self._connection.begin(sql)

    def begin_with_next(self, *statements: str, **options: Any) -> None:
        self.strike(self, Point.BEGIN)
        self._connection.begin_with_next(*statements, **options)

    def at_once(self, sql: str) -> Any:
        self.strike(self, Point.BEGIN)
        return self._connection.at_once(sql)

    def execute(self, sql: str, *values: Any, **options: Any) -> Any:
        if not sql.startswith("RELEASE"):
            self.strike(self, Point.STATEMENT)
        return self._connection.execute(sql, *values, **options)

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> list[Any]:
        self.strike(self, Point.STATEMENT)
        return self._connection.execute_many(sql, rows)

    def send_many(self, batches: Iterable[tuple[str, Sequence[Sequence[Any]]]]) -> None:
        self.strike(self, Point.STATEMENT)
        self._connection.send_many(batches)

    def commit(self) -> None:
        self.strike(self, Point.COMMIT)
        self._connection.commit()
        self.strike(self, Point.COMMITTED)


class PostgresWorld(World):
    """One database with a store for each process, and a connection that only looks."""

    has_one_writer = False
    has_one_clock = True

    def __init__(self, url: str, backoff: BackoffRules = BACKOFF) -> None:
        """`url`: a database with the newest schema and nothing else."""
        self.clock = SimulatedClock()
        self._state = tempfile.TemporaryDirectory()
        self.stores, self.taps = {}, {}

        def opened() -> Store:
            return open_store(
                f"{url}?{_WRITES}",
                create=True,
                durable=False,
                pools=POOLS,
                backoff=backoff,
                clock=self.clock,
                state_dir=self._state.name,
            )

        self.onlooker = opened()
        for process in PROCESSES:
            store = opened()
            database: Any = store._database
            tap = PostgresTap(database._connection, process)
            database._connection = database._session = tap
            self.stores[process], self.taps[process] = store, tap
        self._looks = psycopg.connect(
            f"{url}?{_LOOKS}", autocommit=True, cursor_factory=psycopg.RawCursor
        )
        self._listen()
        tables = [row[0] for row in self._looks.execute(_TABLES).fetchall()]
        sequences = [row[0] for row in self._looks.execute(_SEQUENCES).fetchall()]
        emptied = [f"DELETE FROM {table}" for table in tables if table not in _KEPT]
        restarted = [f"ALTER SEQUENCE {sequence} RESTART" for sequence in sequences]
        self._empty = "; ".join([*emptied, *restarted, "UPDATE history SET last_seq = 0"])

    def look(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """See World. Events get their numbers first, as for every reader."""
        if "events" in sql:
            self._looks.execute("SELECT number_events()")
        return self._looks.execute(statement_of(sql).text, values).fetchall()

    @contextmanager
    def tables(self) -> Iterator[Tables]:
        """See World."""
        with CopiedTables(self._looks) as copied:
            yield copied

    def empty(self, seed: int) -> None:
        """See World."""
        for number, (process, store) in enumerate(self.stores.items()):
            tap = self.taps[process]
            tap.strike = no_strike
            if tap.in_transaction:
                tap.roll_back()
            store._database.at_commit = AtCommit()
            store.leases._ended._random = random.Random(seed * 100 + number)
        self._looks.execute(self._empty.encode())
        self._start_again()

    def close(self) -> None:
        """See World."""
        self._looks.close()
        self._stop()
        self._state.cleanup()
