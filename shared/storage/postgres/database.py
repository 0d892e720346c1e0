"""The port of the verbs on PostgreSQL: many connections of many hosts, that lock only rows.

A write is READ COMMITTED: each statement sees what was committed before it, and a row that it
changes is the newest. So what a verb reads for a change it reads FOR UPDATE, in the order of ids.

Once a second at most, the message that begins a write also asks for the version of the schema: a
newer Orpheus may have changed it since this connection was opened.
"""

import contextlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence

import psycopg

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.process.failpoints import program_failpoint
from orpheus.shared.storage.at_commit import AtCommit
from orpheus.shared.storage.database import Row
from orpheus.shared.storage.migrate import refuse_newer
from orpheus.shared.storage.postgres.clock import READ_CLOCK, host_ns
from orpheus.shared.storage.postgres.connection import LOCK_WAIT_S, Connection
from orpheus.shared.storage.postgres.notices import CHANNEL, Notices, sender_of
from orpheus.shared.storage.postgres.opening import READ_FLOOR, check_schema
from orpheus.shared.storage.postgres.statements import Statements
from orpheus.shared.storage.verbs.queues import ring_for_freed_room

_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
_PLAN_CUSTOM = "SET LOCAL plan_cache_mode = 'force_custom_plan'"
_PLAN_GENERIC = "SET LOCAL plan_cache_mode = 'force_generic_plan'"
_PLAN_FREELY = """SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on;
    SET LOCAL enable_mergejoin = on; SET LOCAL plan_cache_mode = 'auto';
    SET LOCAL max_parallel_workers_per_gather = 2;"""
_NUMBER_EVENTS = (
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; SELECT orpheus.number_events()"
)
"""One message is one transaction."""
_NUMBERS_FOR_S = 0.5
_LOOK_EVERY_S = 1.0
_READ_CLOCK_NOT_DURABLE = f"{READ_CLOCK}, set_config('synchronous_commit', 'off', true)"


class PostgresDatabase(Statements):
    """The port `Database` (shared/storage/database.py), on a schema of a PostgreSQL database."""

    def __init__(
        self,
        url: str,
        own_clock: Clock,
        bells: Doorbells,
        *,
        create: bool,
        durable: bool,
        clock: Clock | None,
        pooled: bool,
        lock_wait_s: float | None = None,
        is_patient: bool = False,
    ) -> None:
        """Connect; see `open_store` in shared/storage for the errors.

        `clock`: instead of the database's. `pooled`: a pooler lends another session to each
        transaction. `lock_wait_s`: see `open_store`. `is_patient`: see `Connection`.
        """
        self._look_at_s = 0.0
        self._name, self._newest = "", 0
        """What messages call the database, and the version of the newest schema that is known."""

        def prepare(raw: psycopg.Connection, name: str) -> None:
            self._name, self._newest = name, check_schema(raw, name, create=create)

        wait_s = LOCK_WAIT_S if lock_wait_s is None else lock_wait_s
        self._connection = Connection(
            url, pooled=pooled, prepare=prepare, lock_wait_s=wait_s, is_patient=is_patient
        )
        super().__init__(self._connection, own_clock, clock)
        self.bells = bells
        self._notices = Notices(sender_of(str(bells.folder)))
        self.commits_late = False
        self._durable = durable
        self._only_reads = False
        """Whether the open transaction is a snapshot."""

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See Database."""
        names = ", ".join(columns)
        self._connection.copy(f"COPY orpheus.{table} ({names}) FROM STDIN", rows)

    def number_events(self, *, all_of_them: bool = False) -> None:
        """See Database. It takes a transaction for each 5,000."""
        end_s = math.inf if all_of_them else time.monotonic() + _NUMBERS_FOR_S
        while not self._connection.in_transaction and time.monotonic() < end_s:
            if self._connection.at_once(_NUMBER_EVENTS).get_value(0, 0) != b"t":
                break

    def changes(self) -> tuple[int, str]:
        """See Database. Own commits change it, too, so it is not read inside a transaction."""
        if self._connection.in_transaction:
            return self._connection.opened, ""
        return self._connection.opened, str(self.value("SELECT pg_current_snapshot()::text"))

    def lock(self, kind: str, names: Iterable[str]) -> bool:
        """See Database."""
        return not self._only_reads and super().lock(kind, names)

    # Transactions

    @contextlib.contextmanager
    def write(self, *, durable: bool) -> Iterator[None]:
        """See Database. Raises DatabaseBusy if it waited for a lock for too long, or in a circle.

        If the connection is lost while it commits, CommitInDoubt: then nobody knows whether
        something was written.
        """
        if self._connection.in_transaction:
            yield
            return
        waits_for_disk = durable and self._durable
        try:
            self._begin_writing(READ_CLOCK if waits_for_disk else _READ_CLOCK_NOT_DURABLE)
            yield
            self.flush_counts()
            ring_for_freed_room(self)
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
    def snapshot(self) -> Iterator[None]:
        """See Database. Events that were committed before it have their numbers."""
        with self._reading(""):
            yield

    @contextlib.contextmanager
    def snapshot_of_all(self) -> Iterator[None]:
        """See Database. Its statements may take as long as they want."""
        within_s, self._connection.answers_within_s = self._connection.answers_within_s, None
        try:
            with self._reading(_PLAN_FREELY):
                yield
        finally:
            self._connection.answers_within_s = within_s

    @contextlib.contextmanager
    def planned_for_values(self) -> Iterator[None]:
        """See Database. The setting goes with the first statement, and back with the next one."""
        with self.snapshot():
            self._connection.send_many([(_PLAN_CUSTOM, [()])])
            yield
            self._connection.send_many([(_PLAN_GENERIC, [()])])

    @contextlib.contextmanager
    def time_limit(self, limit_s: float) -> Iterator[None]:
        """See Database. The reads of this block see one moment.

        The server bounds each statement. In a transaction, only what begins too late is stopped.
        """
        timeout = f"SET LOCAL statement_timeout = {max(1, round(limit_s * 1000))};"
        with self._until(limit_s), self._reading(timeout):
            yield

    @contextlib.contextmanager
    def _reading(self, settings: str) -> Iterator[None]:
        if self._connection.in_transaction:
            yield
            return
        self._begin(f"{_WRITE}; SELECT orpheus.number_events(); COMMIT; {_READ}", settings)
        self._only_reads = True
        try:
            yield
        except BaseException:
            self._connection.roll_back()
            raise
        finally:
            self._only_reads = False
        self._connection.end_reading()

    def limit_lock_waits(self, limit_ms: int | None) -> None:
        """See Database. The setting goes with the next statement."""
        wait_ms = self._connection.lock_wait_ms if limit_ms is None else limit_ms
        self._connection.send_many([(f"SET LOCAL lock_timeout = {wait_ms}", [()])])

    def _begin_writing(self, read_clock: str) -> None:
        """Begin with the first statement, which need not wait for an answer to this."""
        self._locked = set()
        self._read_clock.forget()
        looks = time.monotonic() >= self._look_at_s
        read = f"{read_clock}, ({READ_FLOOR})" if looks else read_clock

        def note_row(row: Row, asked_ns: int) -> None:
            self._read_clock.set(int(row[0]), asked_ns)
            if looks:
                refuse_newer(self._name, int(row[-1]), self._newest)
                self._look_at_s = time.monotonic() + _LOOK_EVERY_S

        statements = (_WRITE, *self._connection.settings, read)
        self._connection.begin_with_next(*statements, note_row=note_row)

    def _begin(self, begin: str, settings: str = "") -> None:
        self._locked = set()
        asked_ns = host_ns()
        own_settings = "".join(f"{setting};" for setting in self._connection.settings)
        now_ms = self._connection.begin(f"{begin} {own_settings} {settings} {READ_CLOCK}")
        self._read_clock.set(now_ms, asked_ns)

    def _read_time(self) -> None:
        if self._connection.is_beginning:
            self._connection.execute_waiting()
        else:
            super()._read_time()

    def begin_and_undo(self, wait_s: float) -> None:  # noqa: ARG002
        """See Database. No write waits here, unless the server does not answer."""
        if self._connection.in_transaction:
            if self.value("SELECT pg_is_in_recovery()"):
                raise DatabaseUnusable("the database has become a standby")
            return
        self._begin(f"{_WRITE};")
        self._connection.roll_back()

    def close(self) -> None:
        """See Database."""
        self._connection.close()
        self.bells.close()
