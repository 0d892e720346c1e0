"""The connection under one `PostgresDatabase`: opened anew after it was lost, between transactions.

A server that has vanished, or a transaction that stands still with its locks, must not make others
wait: each wait for one of them has a bound of 10 s or less. For an answer of a server that is still
there, but hangs, it waits as long as that takes. Behind a pooler, another program may be next to
get the session: settings are made for each transaction there, and no statement is prepared.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from orpheus.shared.errors import ConfigurationError, DatabaseBusy, DatabaseUnusable
from orpheus.shared.storage.postgres.psycopg_errors import (
    cannot_connect,
    first_line,
    is_lost,
    translated,
)
from orpheus.shared.storage.postgres.sql_text import statement_of
from orpheus.shared.storage.postgres.statements import rows_of
from orpheus.shared.storage.postgres.values import adapt

Value = int | float | str | None
Row = tuple[Any, ...]
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
_SETTINGS = {
    "lock_timeout": "9s",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",  # to compile a query takes longer than to run one of ours
    # Statistics of a queue are soon wrong: made while it was empty, they had each statement read
    # the whole table once it was long. Every statement has an index to follow, row by row.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
_MOST_PREPARED = 400  # more than there are queries: each is parsed once for a connection
_FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)


class Connection:
    """Executes statements in the transaction that its user begins. Used by one thread."""

    def __init__(
        self, url: str, *, pooled: bool, prepare: Callable[[psycopg.Connection, str], None]
    ) -> None:
        """Connect. `prepare` looks at the database behind each new connection, named for the user.

        Raises DatabaseUnusable, DatabaseAway, DatabaseBusy, and ConfigurationError for a URL that
        PostgreSQL does not understand.
        """
        self.opened = 0
        """How often it was opened."""
        self.settings = ""
        """The settings that each transaction must begin with."""
        if pooled:
            self.settings = "".join(
                f"SET LOCAL {name} = '{text}';" for name, text in _SETTINGS.items()
            )
        self._pooled = pooled
        self._parameters = parameters_of(url, pooled=pooled)
        self._place = _place(self._parameters)
        self._prepare = prepare
        self._process = 0
        self._connection: psycopg.Connection | None = None
        self.in_transaction = False
        self._open()

    # Executing

    def execute(
        self, sql: str, values: Sequence[Value | list[Value]] = (), *, prepare: bool | None = None
    ) -> psycopg.Cursor[Row]:
        """Execute one statement. Outside a transaction it must be a read: it may be repeated.

        `prepare`: whether the server keeps its plan; None: once it was executed a few times.
        """
        text = cast("Any", statement_of(sql).text)
        with self._translating():
            return self._at_first(lambda found: found.execute(text, values, prepare=prepare))

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[Row]:
        """Execute a statement for each row of values, without a wait between; return their rows."""
        if len(rows) == 1:  # a pipeline of one statement takes twice as long
            return rows_of(self.execute(sql, rows[0]))
        found: list[Row] = []
        with self._translating():
            cursor = self._at_hand().cursor()
            cursor.executemany(cast("Any", statement_of(sql).text), rows, returning=True)
            for result in cursor.results():
                if result.description is not None:
                    found += result.fetchall()
        return found

    def send_many(self, batches: Iterable[tuple[str, Sequence[Sequence[Value]]]]) -> None:
        """Execute statements that give no rows, each for its rows of values, in one message."""
        with self._translating(), self._at_hand().pipeline(), self._at_hand().cursor() as cursor:
            for sql, rows in batches:
                cursor.executemany(cast("Any", statement_of(sql).text), rows)

    # Transactions

    def begin(self, sql: str) -> int:
        """Begin a transaction by statements without parameters; return the number of the last."""
        result = self.at_once(sql)
        self.in_transaction = True
        return int(result.get_value(0, 0) or 0)

    def at_once(self, sql: str) -> PGresult:
        """Execute statements without parameters that begin one or more transactions.

        They may be executed twice. Return the result of the last.
        """
        with self._translating():
            try:
                return self._at_first(lambda found: _control(found, sql))
            except psycopg.Error:
                self.roll_back()
                raise

    def control(self, sql: str) -> None:
        """Execute statements about the transaction that is open, without parameters."""
        with self._translating():
            _control(self._at_hand(), sql)

    def commit(self) -> None:
        """Commit. Raises DatabaseUnusable if nobody can tell whether it was committed."""
        connection = self._at_hand()
        try:
            with self._translating():
                result = _control(connection, "COMMIT")
        except DatabaseBusy as error:
            if self._connection is None:
                raise DatabaseUnusable(
                    "the connection to the database was lost in a commit, which may have been "
                    "done; look before you try again"
                ) from error
            raise
        self.in_transaction = False
        if result.command_status != b"COMMIT":  # a statement had failed, and nobody minded
            raise DatabaseUnusable("the transaction had failed before its commit")

    def notify(self, channel: str, payload: str) -> None:
        """Tell all who listen, outside a transaction. If that fails, nothing else has.

        The commit of this waits for no disk: while it is under way, nobody else can notify.
        """
        text = payload.replace("'", "''")
        notify = f"pg_notify('{channel}', '{text}')"
        sql = f"SELECT set_config('synchronous_commit', 'off', true), {notify}"
        if self._connection is None:
            return
        try:
            _control(self._connection, sql)
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
        self.in_transaction = False
        if self._connection is None:
            return
        try:
            _control(self._connection, sql)  # psycopg would forget all that is prepared
        except psycopg.Error:
            self._drop()

    # Opening

    def close(self) -> None:
        """Close the connection; a transaction that is open is rolled back."""
        self.in_transaction = False
        self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._process == os.getpid():
            connection.close()

    def _open(self) -> None:
        try:
            connection = psycopg.connect(
                **cast("dict[str, Any]", self._parameters),
                autocommit=True,
                cursor_factory=psycopg.RawCursor,
                prepare_threshold=None if self._pooled else 5,
            )
        except psycopg.Error as error:
            why = self._without_password(first_line(error))
            raise cannot_connect(error, f"{self._place} cannot be reached: {why}") from None
        connection.prepared_max = _MOST_PREPARED
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        adapt(connection)
        self._connection, self._process = connection, os.getpid()
        self.opened += 1
        try:
            with self._translating():
                self._prepare(connection, self._place)
        except BaseException:
            self._drop()
            raise

    def _at_hand(self) -> psycopg.Connection:
        """Return the connection; outside a transaction a new one, if there is none any more."""
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        if self.in_transaction:
            raise DatabaseBusy("the connection was lost in this transaction; nothing was written")
        self._drop()
        self._open()
        assert self._connection is not None
        return self._connection

    def _at_first(self, call: Callable[[psycopg.Connection], T]) -> T:
        """Return what `call` returns; call it again if the connection had died while idle."""
        try:
            return call(self._at_hand())
        except psycopg.Error as error:
            if self.in_transaction or not is_lost(error):
                raise
        self._drop()
        return call(self._at_hand())

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
        """Libpq names none, but a proxy's message may."""
        password = self._parameters.get("password")
        return text.replace(password, "…") if password else text


def _control(connection: psycopg.Connection, sql: str) -> PGresult:
    """Execute statements without parameters; return the result of the last."""
    result = connection.pgconn.exec_(sql.encode())
    if connection.pgconn.status == ConnStatus.BAD:
        raise psycopg.OperationalError(connection.pgconn.get_error_message())
    if result.status in _FAILED:
        raise error_from_result(result)
    return result


def parameters_of(url: str, *, pooled: bool) -> dict[str, str]:
    """Return what to connect with. What the URL says goes before what we would."""
    try:
        said = {name: str(value) for name, value in conninfo_to_dict(url).items() if value}
    except psycopg.Error:  # its text quotes the URL, and so the password
        raise ConfigurationError(
            "database.url: PostgreSQL does not understand this URL; use "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from None
    if not pooled:  # a pooler refuses them
        ours = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        said["options"] = f"{ours} {said.get('options', '')}".strip()
    return {**_PARAMETERS, **said}


def _place(parameters: Mapping[str, str]) -> str:
    return f"{parameters.get('host', 'localhost')}/{parameters.get('dbname', '')}"
