"""What a schedule runs on: clocks that stand still, one database file, a connection a process.

The store is the real one. Before each statement stands a tap, where the engine may let another
process go first, or strike. The file is emptied between schedules: a hundred times cheaper than a
new one.
"""

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Protocol

import apsw

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.storage import Store, open_store
from orpheus.shared.storage.at_commit import AtCommit
from tests.databases import make_database
from tests.machine import folder_in_memory
from tests.sqlite_handle import handle_of

POOLS = {"default": ("*",), "mail": ("mail",)}
BACKOFF = BackoffRules(base_s=0.5, factor=2, max_s=4, jitter=0.1)
PROCESSES = ("api", "watcher", "supervisor", "default-1", "default-2", "mail-1")
_FIRST_WALL_MS = 1_800_000_000_000
_FIRST_UPTIME_MS = 50_000_000
_LATER_UPTIME_MS = 1_000


class SimulatedClock:
    """Wall time, monotonic time and the boot, each by itself. Only the engine moves them."""

    def __init__(self) -> None:
        self.start_again()

    def start_again(self) -> None:
        self.now_ms = 0
        """Time of the simulation: it only grows, through reboots too."""
        self.wall_offset_ms = 0
        self._boots = 1
        self._uptime_offset_ms = _FIRST_UPTIME_MS

    @property
    def boot_id(self) -> str:
        return f"boot-{self._boots}"

    def wall_ms(self) -> int:
        return _FIRST_WALL_MS + self.now_ms + self.wall_offset_ms

    def monotonic_ms(self) -> int:
        return self.now_ms + self._uptime_offset_ms

    def reboot(self) -> None:
        self._boots += 1
        self._uptime_offset_ms = _LATER_UPTIME_MS - self.now_ms


class Point(Enum):
    """Where a tap stands."""

    BEGIN = "before the write lock is asked for"
    STATEMENT = "before a statement"
    COMMIT = "before the commit"
    COMMITTED = "between the commit and the answer"


class Tables(Protocol):
    """A database as the checks see it."""

    def look(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query, as committed."""


Strike = Callable[[Any, Point], None]
"""Called with a tap."""


def no_strike(tap: Any, point: Point) -> None:
    return None


class BusyAfterBegin(AssertionError):
    """A write transaction lost its place to another: it should have held the lock from BEGIN on."""


class Tap:
    """A connection, with a point for the engine before each statement."""

    def __init__(self, connection: apsw.Connection, process: str) -> None:
        self._connection = connection
        self.process = process
        self.strike: Strike = no_strike

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def busy(self) -> Exception:
        """What a statement raises that waited for a lock in vain."""
        return apsw.BusyError("database is locked")

    def full(self) -> Exception:
        """What a statement raises that finds no space."""
        return apsw.FullError("database or disk is full")

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> apsw.Cursor:
        if sql == "COMMIT":
            return self._commit(sql)
        if not sql.startswith(("ROLLBACK", "RELEASE", "PRAGMA")):
            self.strike(self, Point.BEGIN if sql.startswith("BEGIN") else Point.STATEMENT)
        return self._holding(self._connection.execute, sql, values)

    def executemany(self, sql: str, rows: Any) -> apsw.Cursor:
        self.strike(self, Point.STATEMENT)
        return self._holding(self._connection.executemany, sql, rows)

    def _commit(self, sql: str) -> apsw.Cursor:
        self.strike(self, Point.COMMIT)
        cursor = self._holding(self._connection.execute, sql, ())
        self.strike(self, Point.COMMITTED)
        return cursor

    def _holding(self, execute: Callable[..., apsw.Cursor], sql: str, values: Any) -> apsw.Cursor:
        began = self._connection.in_transaction
        try:
            return execute(sql, values)
        except apsw.BusyError as error:
            if began:
                raise BusyAfterBegin("a transaction that had begun was refused as busy") from error
            raise


def _begin_at_once(connection: apsw.Connection) -> None:
    """Begin a write transaction without giving way first: who comes next is the engine's choice."""
    connection.execute("BEGIN IMMEDIATE")


class World:
    """One database file with a store for each process, and a connection that only looks."""

    has_one_writer = True
    """Whether nobody else writes between the begin and the end of a transaction."""
    has_one_clock = False
    """Whether all use that of the server, which nobody sets and no reboot stops."""

    def __init__(self, backoff: BackoffRules = BACKOFF) -> None:
        self.clock = SimulatedClock()
        self._folder = tempfile.mkdtemp(dir=folder_in_memory())
        url = f"sqlite:///{self._folder}/data/orpheus.db"
        self.stores: dict[str, Store] = {}
        self.taps: dict[str, Any] = {}
        make_database(url)
        for process in PROCESSES:
            store = open_store(url, durable=False, pools=POOLS, backoff=backoff, clock=self.clock)
            with handle_of(store) as connection:
                connection.set_busy_handler(None)  # nobody else in this thread would release it
                patched = handle_of(store).turns
                patched._wait = lambda tries: False  # type: ignore[method-assign]
                patched.begin = _begin_at_once  # type: ignore[method-assign]
            tap = Tap(connection, process)
            handle_of(store)._connection = tap  # type: ignore[assignment]
            self.stores[process], self.taps[process] = store, tap
        self.onlooker = open_store(url, durable=False, pools=POOLS, clock=self.clock)
        """A store that no fault strikes and that belongs to no process."""
        with handle_of(self.onlooker) as connection:
            connection.set_busy_handler(None)
            handle_of(self.onlooker).turns._wait = lambda tries: False  # type: ignore[method-assign]
        self._look = apsw.Connection(f"{self._folder}/data/orpheus.db")
        self._listen()
        tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        self._tables = [row[0] for row in self.look(tables) if row[0] != "history"]

    def _listen(self) -> None:
        bells = self.stores["watcher"].bells
        self.bells = {pool: bells.listen_pool(pool) for pool in POOLS}
        self.api_bell = bells.listen_api()

    @contextmanager
    def tables(self) -> Iterator[Tables]:
        """What is committed, as the invariants read it."""
        yield self

    def look(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What is committed, read past the store."""
        return self._look.execute(sql, values).fetchall()

    def empty(self, seed: int) -> None:
        """As after opening a new database."""
        for number, (process, store) in enumerate(self.stores.items()):
            self.taps[process].strike = no_strike
            store._database.at_commit = AtCommit()
            store.leases._ended._random = random.Random(seed * 100 + number)
        self._look.execute("BEGIN IMMEDIATE")
        for table in self._tables:
            self._look.execute(f"DELETE FROM {table}")
        self._look.execute("UPDATE sqlite_sequence SET seq = 0")
        self._look.execute("COMMIT")
        self._start_again()

    def _start_again(self) -> None:
        for bell in (*self.bells.values(), self.api_bell):
            bell.drain()
        self.clock.start_again()

    def _stop(self) -> None:
        for bell in (*self.bells.values(), self.api_bell):
            bell.close()
        for store in (*self.stores.values(), self.onlooker):
            store.close()

    def close(self) -> None:
        self._look.close()
        self._stop()
        shutil.rmtree(self._folder)
