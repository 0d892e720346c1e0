"""Sends several statements to the server in one message, and reads their answers together.

Psycopg has a pipeline, too. It sends each statement by itself and looks for answers in between, so
five statements take as long there as without it, and several times the processor's time of this.
"""

import select
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
from psycopg import abc
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult

from orpheus.shared.storage.database import Row

_FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)
_PREPARED = ExecStatus.COMMAND_OK
_MOST_PREPARED = 400  # more than there are queries
ANSWERS_WITHIN_S = 20.0
"""Only statements that read whole tables take longer. TCP finds out that a host is gone, but not
that a server hangs, or that a proxy holds the connection to a server that is gone."""
_Key = tuple[bytes, tuple[int, ...]]
"""A statement, and the types of its values."""
_Dumped = tuple[Sequence[abc.Buffer | None], tuple[int, ...], list[Format] | None]
"""Values as they are sent, their types, and their formats."""


class Execution:
    """One execution of a statement; its answer is there once it was executed."""

    __slots__ = ("_transformer", "may_prepare", "result", "text", "values")

    def __init__(
        self, text: bytes, values: Sequence[Any] = (), *, may_prepare: bool = True
    ) -> None:
        self.text = text
        self.values = values
        self.may_prepare = may_prepare
        self.result: PGresult

    def dump(self, connection: psycopg.Connection) -> _Dumped:
        """Return the values as they are sent on a connection."""
        self._transformer = transformer = Transformer(connection)
        formats = [PyFormat.AUTO] * len(self.values)
        dumped = transformer.dump_sequence(self.values, formats)
        return dumped, transformer.types or (), transformer.formats

    @property
    def rowcount(self) -> int:
        """How many rows it gave or changed."""
        return self.result.command_tuples or 0

    def fetchall(self) -> list[Row]:
        """Return its rows."""
        return self._rows(self.result.ntuples)

    def fetchone(self) -> Row | None:
        """Return its first row, or None."""
        rows = self._rows(min(1, self.result.ntuples))
        return rows[0] if rows else None

    def _rows(self, n: int) -> list[Row]:
        self._transformer.set_pgresult(self.result)
        return self._transformer.load_rows(0, n, tuple)


class Messages:
    """What executes statements on one connection to the server.

    It prepares a statement only when it comes for the second time, if it may at all. One that
    inserts many rows may never come again, because other values that are NULL make it another
    statement; the server would keep each of them.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        *,
        prepares: bool,
        within_s: Callable[[], float | None] = lambda: ANSWERS_WITHIN_S,
    ) -> None:
        """`within_s`: how long to wait for an answer; None: for ever."""
        self._connection = connection
        self._within_s = within_s
        self._server = connection.pgconn
        self._prepares = prepares
        self._names: dict[_Key, bytes] = {}
        self._came_once: set[_Key] = set()
        self._numbers = count()
        self._is_answer_due = False

    def execute(self, statements: Sequence[Execution]) -> None:
        """Execute statements, one after the other; all are sent before the first is answered.

        Raises the error of the first that fails; the server leaves out those behind it.
        """
        values = [query.dump(self._connection) for query in statements]
        error: psycopg.Error | None = None
        with self._whole():
            self._server.enter_pipeline_mode()
            prepared = [self._send(*pair) for pair in zip(statements, values, strict=True)]
            self._server.pipeline_sync()
            for statement, key in zip(statements, prepared, strict=True):
                if key is not None:
                    result = self._answer()
                    error = error or _error_of(result)
                    if result.status != _PREPARED:  # an earlier one has failed, or this
                        del self._names[key]
                statement.result = self._answer()
                error = error or _error_of(statement.result)
            self._next_result()  # it ends the message
            self._server.exit_pipeline_mode()
        if error is not None:
            raise error

    def copy(self, sql: str, rows: Iterable[Row]) -> None:
        """Send rows to a `COPY … FROM STDIN`: they take a third of the time of an INSERT."""
        with self._whole():
            pass
        with self._connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def execute_text(self, sql: str) -> PGresult:
        """Execute statements without parameters; return the result of the last."""
        result: PGresult | None = None
        with self._whole():
            self._server.send_query(sql.encode())
            while (following := self._next_result()) is not None:
                result = following
            if result is None or self._server.status == ConnStatus.BAD:
                raise psycopg.OperationalError(self._server.get_error_message())
        error = _error_of(result)
        if error is not None:
            raise error
        return result

    def execute_unawaited(self, sql: str) -> None:
        """Execute SQL without waiting. The next call waits for its end, and ignores its errors."""
        with self._whole():
            self._server.send_query(sql.encode())
            while self._server.flush():
                self._wait(select.POLLIN | select.POLLOUT)
            self._is_answer_due = True

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Close the connection if not all answers were read: later ones would be mistaken."""
        try:
            if self._is_answer_due:
                while self._next_result() is not None:
                    pass
                self._is_answer_due = False
            yield
        except BaseException:
            self._connection.close()
            raise

    def _send(self, statement: Execution, dumped: _Dumped) -> _Key | None:
        """Send a statement. Return its key if it is prepared now: then there are two answers."""
        values, types, formats = dumped
        key = (statement.text, types)
        name = self._names.get(key)
        if name is not None:
            self._server.send_query_prepared(name, values, formats)
            return None
        if self._prepares and statement.may_prepare and self._comes_again(key):
            name = self._names[key] = b"orpheus_%d" % next(self._numbers)
            self._server.send_prepare(name, statement.text, types)
            self._server.send_query_prepared(name, values, formats)
            return key
        self._server.send_query_params(statement.text, values, types, formats)
        return None

    def _comes_again(self, key: _Key) -> bool:
        """Return whether to prepare a statement that is not prepared yet."""
        if len(self._names) >= _MOST_PREPARED:
            return False
        if key in self._came_once:
            self._came_once.remove(key)
            return True
        if len(self._came_once) >= _MOST_PREPARED:
            self._came_once.clear()
        self._came_once.add(key)
        return False

    def _answer(self) -> PGresult:
        """Return the answer to the next statement."""
        result = self._next_result()
        if result is None:
            raise psycopg.OperationalError(self._server.get_error_message())
        while self._next_result() is not None:
            pass
        return result

    def _next_result(self) -> PGresult | None:
        """Return the next result; None at the end of an answer."""
        while True:
            is_sending = self._server.flush()
            if not self._server.is_busy():
                return self._server.get_result()
            self._wait(select.POLLIN | (select.POLLOUT if is_sending else 0))
            self._server.consume_input()

    def _wait(self, events: int) -> None:
        poll, within_s = select.poll(), self._within_s()
        poll.register(self._server.socket, events)
        if not poll.poll(None if within_s is None else within_s * 1000):
            raise psycopg.OperationalError(f"the server has not answered for {within_s:g} s")


def _error_of(result: PGresult) -> psycopg.Error | None:
    return error_from_result(result) if result.status in _FAILED else None
