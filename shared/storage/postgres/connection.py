"""The connection under one `PostgresDatabase`: opened anew after it was lost, between transactions.

A server that has vanished, or a transaction that stands still with its locks, must not make others
wait: each wait for one of them has a bound of 10 s or less, and a server that hangs is noticed
after 20 s. Behind a pooler, another program may be next to get the session: settings are made for
each transaction there, and no statement is prepared.

A forked child opens a connection of its own at the next use. It is cut off from the connections of
its parent, whose answers come through them. If a signal handler forks while a connection is being
opened, the child leaves that to its parent.
"""

import os
import socket
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar, cast

import psycopg
from psycopg.abc import PQGenConn
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq.abc import PGresult

from orpheus.shared.errors import (
    CommitInDoubt,
    ConfigurationError,
    DatabaseBusy,
    DatabaseUnusable,
)
from orpheus.shared.storage.database import Row, Value
from orpheus.shared.storage.postgres.clock import host_ns
from orpheus.shared.storage.postgres.messages import ANSWERS_WITHIN_S, Execution, Messages
from orpheus.shared.storage.postgres.psycopg_errors import (
    cannot_connect,
    first_line,
    is_lost,
    translated,
)
from orpheus.shared.storage.postgres.sql_text import statement_of
from orpheus.shared.storage.postgres.values import adapt

T = TypeVar("T")

_PARAMETERS = {
    "application_name": "orpheus",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    "keepalives_idle": "3",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "9000",
}
_SERVER_KEEPS_ALIVE = {
    # Else the sessions of a host that was switched off are there for hours, and count.
    "tcp_keepalives_idle": "5s",
    "tcp_keepalives_interval": "2s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10s",
}
LOCK_WAIT_S = 9.0
_SETTINGS = {
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",  # to compile a query takes longer than to run one of ours
    # Statistics of a queue are soon wrong: made while it was empty, they had each statement read
    # the whole table once it was long. Every statement has an index to follow, row by row.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # To start more processes of the server for a read takes longer than such a read.
    "max_parallel_workers_per_gather": "0",
    # One plan for all values. The server would plan a statement of many jobs anew each time, as it
    # knows no array's length before; for one job, that takes as long as to run it.
    "plan_cache_mode": "force_generic_plan",
}


class Connection:
    """Executes statements in the transaction that its user begins. Used by one thread."""

    def __init__(
        self,
        url: str,
        *,
        pooled: bool,
        prepare: Callable[[psycopg.Connection, str], object],
        lock_wait_s: float = LOCK_WAIT_S,
        is_patient: bool = False,
    ) -> None:
        """Connect. `prepare` looks at the database behind each new connection, named for the user.

        `is_patient`: statements may take as long as they want.

        Raises DatabaseUnusable, DatabaseAway, DatabaseBusy, and ConfigurationError for a URL that
        PostgreSQL does not understand.
        """
        self.opened = 0
        """How often it was opened."""
        self.settings: tuple[str, ...] = ()
        """The statements that each transaction must begin with."""
        self.lock_wait_ms = round(lock_wait_s * 1000)
        """How long a statement waits for another transaction, unless that is limited."""
        if pooled:
            settings = {**_SETTINGS, **_lock_timeout(lock_wait_s)}.items()
            self.settings = tuple(f"SET LOCAL {name} = '{text}'" for name, text in settings)
        self._pooled = pooled
        self._parameters = parameters_of(url, pooled=pooled, lock_wait_s=lock_wait_s)
        self._name = _name_of(self._parameters)
        self._prepare = prepare
        self._process = 0
        self._connection: psycopg.Connection | None = None
        self._messages: Messages | None = None
        """What executes statements on it."""
        self._waiting: list[Execution] = []
        """What was sent by `send_many`, and what begins the transaction."""
        self._note_row: Callable[[int], None] | None = None
        """Notes what the begin of the transaction reads, as long as that waits to be sent."""
        self.answers_within_s = None if is_patient else ANSWERS_WITHIN_S
        self.in_transaction = False
        _all.add(self)
        self._open()

    # Executing

    def execute(
        self, sql: str, values: Sequence[Value | list[Value]] = (), *, prepare: bool = True
    ) -> Execution:
        """Execute one statement. Outside a transaction it must be a read: it may be repeated.

        `prepare`: whether the server may keep its plan.
        """
        statement = Execution(statement_of(sql).text, values, may_prepare=prepare)
        self._execute(statement)
        return statement

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value | list[Value]]]) -> list[Row]:
        """Execute a statement for each row of values, without a wait between; return their rows."""
        statements = [Execution(statement_of(sql).text, row) for row in rows]
        self._execute(*statements)
        return [row for statement in statements for row in statement.fetchall()]

    def copy(self, sql: str, rows: Iterable[Row]) -> None:
        """Send rows to a `COPY … FROM STDIN`, in a transaction."""
        assert self.in_transaction
        if self._waiting:
            self._execute()
        with self._translating():
            self._at_hand().copy(sql, rows)

    def send_many(
        self, batches: Iterable[tuple[str, Sequence[Sequence[Value | list[Value]]]]]
    ) -> None:
        """Execute statements, each for its rows of values, in one message with what comes next."""
        assert self.in_transaction
        for sql, rows in batches:
            self._waiting += [Execution(statement_of(sql).text, row) for row in rows]

    def _execute(self, *statements: Execution) -> None:
        """Execute what waits, and these."""
        waiting, self._waiting = [*self._waiting, *statements], []
        note_row, self._note_row = self._note_row, None
        asked_ns = host_ns()
        with self._translating():
            self._at_first(lambda messages: messages.execute(waiting), begins=note_row is not None)
        if note_row is not None:
            note_row(asked_ns)

    # Transactions

    def begin(self, sql: str) -> int:
        """Begin a transaction by statements without parameters; return the number of the last."""
        result = self.at_once(sql)
        self.in_transaction = True
        return int(result.get_value(0, 0) or 0)

    def begin_with_next(self, *statements: str, note_row: Callable[[Row, int], None]) -> None:
        """Begin a transaction in one message with what is executed first in it.

        The last of `statements` gives a row: `note_row` gets it, and when it was asked for.
        """
        self._waiting = [
            Execution(statement.encode(), may_prepare=False) for statement in statements
        ]
        last = self._waiting[-1]
        self._note_row = lambda asked_ns: note_row(last.fetchall()[0], asked_ns)
        self.in_transaction = True

    @property
    def is_beginning(self) -> bool:
        """Whether nothing of the transaction was executed yet."""
        return self._note_row is not None

    def execute_waiting(self) -> None:
        """Execute now what waits for the next statement."""
        self._execute()

    def at_once(self, sql: str) -> PGresult:
        """Execute statements without parameters that begin one or more transactions.

        They may be executed twice. Return the result of the last.
        """
        with self._translating():
            try:
                return self._at_first(lambda messages: messages.execute_text(sql))
            except psycopg.Error:
                self.roll_back()
                raise

    def undo(self, sql: str) -> None:
        """Execute statements that undo a part of the transaction, and what waits with it."""
        self._waiting = []
        with self._translating():
            self._at_hand().execute_text(sql)

    def commit(self) -> None:
        """Commit. Raises CommitInDoubt if it is unknown whether it was committed."""
        if self.is_beginning:  # if the connection has died while idle, that is no doubtful commit
            self._execute()
        self._at_hand()  # if it was lost before, nothing was committed
        commit = Execution(b"COMMIT", may_prepare=False)
        try:
            self._execute(commit)
        except DatabaseBusy as error:
            if self._messages is None:
                raise CommitInDoubt(
                    "the connection to the database was lost in a commit, which may have been "
                    "done; look before you try again"
                ) from error
            raise
        self.in_transaction = False
        if commit.result.command_status != b"COMMIT":  # a statement had failed, and nobody minded
            raise DatabaseUnusable("the transaction had failed before its commit")

    def notify(self, channel: str, payload: str) -> None:
        """Tell all who listen, outside a transaction. If that fails, nothing else does.

        Nobody else can notify during its commit, so this commit does not wait for the disk. The
        caller does not wait for it either: the next statement does.
        """
        text = payload.replace("'", "''")
        notify = f"pg_notify('{channel}', '{text}')"
        if self._messages is None:
            return
        try:
            self._messages.execute_unawaited(
                f"SELECT set_config('synchronous_commit', 'off', true), {notify}"
            )
        except psycopg.Error as error:
            if is_lost(error):
                self._drop()

    def roll_back(self) -> None:
        """Undo the transaction that is open; if the connection is lost, that has been done."""
        self._end("ROLLBACK")

    def end_reading(self) -> None:
        """End a transaction that has written nothing."""
        self._end("COMMIT")  # at a ROLLBACK, the server would say so in its statistics

    def _end(self, sql: str) -> None:
        was_beginning = self.is_beginning
        self.in_transaction, self._waiting, self._note_row = False, [], None
        if self._messages is None or was_beginning:
            return
        try:
            self._messages.execute_text(sql)
        except psycopg.Error:
            self._drop()

    # Opening

    def close(self) -> None:
        """Close the connection; a transaction that is open is rolled back."""
        self.in_transaction, self._waiting, self._note_row = False, [], None
        self._drop()

    def _drop(self) -> None:
        connection, self._connection, self._messages = self._connection, None, None
        if connection is not None and self._process == os.getpid():
            connection.close()

    def leave_to_parent(self, dead: int) -> None:
        """In a forked child: read from `dead` instead of what the server sends to the parent."""
        if self._connection is not None and not self._connection.closed:
            os.dup2(dead, self._connection.fileno(), inheritable=False)

    def _open(self) -> None:
        process = os.getpid()
        try:
            connection = _Opening.connect(
                **cast("dict[str, Any]", self._parameters),
                autocommit=True,
                cursor_factory=psycopg.RawCursor,
                prepare_threshold=None,
            )
        except psycopg.Error as error:
            why = self._without_password(first_line(error))
            raise cannot_connect(error, f"{self._name} cannot be reached: {why}") from None
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        adapt(connection)
        self._connection, self._process = connection, process
        _refuse_in_child(process)  # a child that is forked from here on is cut off from it
        self._messages = Messages(
            connection, prepares=not self._pooled, within_s=lambda: self.answers_within_s
        )
        self.opened += 1
        try:
            with self._translating():
                self._prepare(connection, self._name)
        except BaseException:
            self._drop()
            raise

    def _at_hand(self, *, begins: bool = False) -> Messages:
        """Return the connection; outside a transaction a new one, if there is none any more."""
        if self._messages is not None and self._process == os.getpid():
            return self._messages
        if self.in_transaction and not begins:
            raise DatabaseBusy("the connection was lost in this transaction; nothing was written")
        self._drop()
        self._open()
        assert self._messages is not None
        return self._messages

    def _at_first(self, call: Callable[[Messages], T], *, begins: bool = False) -> T:
        """Return what `call` returns; call it again if the connection had died while idle.

        `begins`: it begins the transaction that is open.
        """
        try:
            return call(self._at_hand(begins=begins))
        except psycopg.Error as error:
            if (self.in_transaction and not begins) or not is_lost(error):
                raise
        self._drop()
        return call(self._at_hand(begins=begins))

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            if is_lost(error):
                self._drop()
            ours = translated(error)
            if ours is None:
                raise
            raise ours from error

    def _without_password(self, text: str) -> str:
        """Return the text without the password: libpq never quotes it, but a proxy may."""
        password = self._parameters.get("password")
        return text.replace(password, "…") if password else text


class _Opening(psycopg.Connection):
    """A connection that only the process which began to open it goes on to open.

    Parent and child would each read a part of what the server answers to the other.
    """

    @classmethod
    def _connect_gen(cls, *arguments: Any, **named: Any) -> PQGenConn[Self]:
        process = os.getpid()
        steps = super()._connect_gen(*arguments, **named)
        try:
            wanted = next(steps)
            while True:
                ready = yield wanted
                _refuse_in_child(process)
                wanted = steps.send(ready)
        except StopIteration as end:
            return cast("Self", end.value)


def _refuse_in_child(process: int) -> None:
    if os.getpid() != process:
        raise RuntimeError("this process was forked while a connection was opened")


def parameters_of(url: str, *, pooled: bool, lock_wait_s: float = LOCK_WAIT_S) -> dict[str, str]:
    """Return what to connect with. What the URL says goes before our own settings."""
    try:
        said = {name: str(value) for name, value in conninfo_to_dict(url).items() if value}
    except psycopg.Error:  # its text quotes the URL, and so the password
        raise ConfigurationError(
            "database.url: PostgreSQL does not understand this URL; use "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from None
    if not pooled:  # a pooler refuses them
        settings = {**_SETTINGS, **_lock_timeout(lock_wait_s), **_SERVER_KEEPS_ALIVE}
        ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
        said["options"] = f"{ours} {said.get('options', '')}".strip()
    return {**_PARAMETERS, **said}


def _lock_timeout(wait_s: float) -> dict[str, str]:
    return {"lock_timeout": f"{round(wait_s * 1000)}ms"}


def _name_of(parameters: Mapping[str, str]) -> str:
    return f"{parameters.get('host', 'localhost')}/{parameters.get('dbname', '')}"


_all: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def _leave_to_parent() -> None:
    near, far = socket.socketpair()
    far.close()
    for connection in list(_all):
        connection.leave_to_parent(near.fileno())
    near.close()


os.register_at_fork(after_in_child=_leave_to_parent)
