"""Ends connections to a server that has fallen silent, so that nobody waits for it for ever.

TCP finds out that a host is gone. It does not if a server hangs, or if something between holds the
connection open, as a proxy does. How long an answer takes tells nothing: a statement may rightly
take an hour. So when an answer has taken a while, this asks the server over another connection
whether it still works on the statement. If the server does not answer, or knows nothing of the
statement, the first connection is shut down, and whoever waits there gets the error of a lost
connection.
"""

import os
import select
import socket
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast

import psycopg

from orpheus.shared.helper_threads import start_without_signals

_LOOKS_EVERY_S = 4.0
_LOOKS_IN_VAIN = 3
"""After so many looks at the same question, the server is asked. A process that stands still does
not look, so it takes no server for silent."""
_ANSWERS_WITHIN_S = 5.0
_WORKING = """SELECT pid FROM pg_stat_activity
    WHERE pid = ANY ('{%s}'::int[]) AND state NOT LIKE 'idle%%'"""


class Watched:
    """A connection, maybe opened anew. Its user tells when it waits, at next to no cost."""

    def __init__(self, parameters: Mapping[str, str], *, pooled: bool) -> None:
        """`parameters`: what it is made with. `pooled`: only a pooler knows its server."""
        self.parameters = dict(parameters)
        self.server_pid = 0
        """The number of its session on the server; 0: unknown, so nobody can ask about it."""
        self.was_silent = False
        """Whether it was ended since it was opened."""
        self._pooled = pooled
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._question = 0
        self._waits = False
        self._seen = self._looks = 0

    def opened(self, connection: psycopg.Connection[Any]) -> None:
        """Watch this connection from now on. Raises psycopg.Error if it is lost."""
        self.server_pid = 0
        self.was_silent = False
        # Of several servers that a URL names, it is this one that must answer for it.
        where = connection.info
        self.parameters |= {"host": where.host, "port": str(where.port)}
        if where.hostaddr:
            self.parameters["hostaddr"] = where.hostaddr
        # A descriptor of our own: libpq may close its own at any time, and the number is reused.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        _all.add(self)
        if not self._pooled:
            with self.answer():
                self.server_pid = _server_pid(connection)

    def closed(self) -> None:
        """Watch it no longer."""
        _all.discard(self)
        with self._lock:
            if self._socket is not None:
                self._socket.close()

    @contextmanager
    def answer(self) -> Iterator[None]:
        """Wait for answers of the server in this block, which may be inside of another."""
        waited, self._waits = self._waits, True
        self._question += 1
        try:
            yield
        finally:
            self._question += 1
            self._waits = waited

    def question(self) -> int:
        """Return the number of the question that has waited for too long; 0: there is none."""
        question = self._question
        if not self._waits:
            return 0
        self._looks = self._looks + 1 if question == self._seen else 1
        self._seen = question
        return question if self._looks >= _LOOKS_IN_VAIN else 0

    def end(self, question: int) -> None:
        """Shut it down, if it still waits for this answer."""
        with self._lock:
            if self._waits and self._question == question and self._socket is not None:
                self.was_silent = True
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


def _server_pid(connection: psycopg.Connection[Any]) -> int:
    """Return the number of its session, which libpq does not know behind a pooler."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0


class _All:
    """The connections of this process, and the thread that looks at them."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all: a child has no thread of its parent's, but maybe a lock that it held."""
        self._lock = threading.Lock()
        self._watched: weakref.WeakSet[Watched] = weakref.WeakSet()
        self._is_running = False

    def add(self, one: Watched) -> None:
        with self._lock:
            if not self._is_running:
                self._is_running = True
                thread = threading.Thread(target=self._run, name="silence", daemon=True)
                start_without_signals(thread)
            self._watched.add(one)

    def discard(self, one: Watched) -> None:
        with self._lock:
            self._watched.discard(one)

    def _run(self) -> None:
        while True:
            time.sleep(_LOOKS_EVERY_S)
            self._look()

    def _look(self) -> None:
        with self._lock:
            watched = list(self._watched)
        waiting = [(one, question) for one in watched if (question := one.question())]
        while waiting:
            parameters = waiting[0][0].parameters
            _judge([one for one in waiting if one[0].parameters == parameters])
            waiting = [one for one in waiting if one[0].parameters != parameters]


_all = _All()


def _begin_anew() -> None:
    _all.begin_anew()


os.register_at_fork(after_in_child=_begin_anew)


def _judge(waiting: Sequence[tuple[Watched, int]]) -> None:
    """End those connections of one server for which it does no work."""
    pids = [one.server_pid for one, _ in waiting]
    try:
        working = _working(waiting[0][0].parameters, pids)
    except psycopg.Error as error:
        if "FATAL" in str(error):  # it answers, but cannot tell: it has too many connections
            return
        working = set()
    for one, question in waiting:
        if one.server_pid not in working:
            one.end(question)


def _working(parameters: Mapping[str, str], pids: Sequence[int]) -> set[int]:
    """Return which sessions the server works on, and 0. Raises psycopg.Error if it is silent."""
    with psycopg.connect(**cast("dict[str, Any]", parameters), autocommit=True) as connection:
        server = connection.pgconn
        server.send_query((_WORKING % ",".join(map(str, pids))).encode())
        server.flush()
        poll = select.poll()  # select.select() refuses the numbers of a process with many files
        poll.register(server.socket, select.POLLIN)
        if not poll.poll(_ANSWERS_WITHIN_S * 1000):
            raise psycopg.OperationalError("no answer")
        working = {0}
        while (rows := server.get_result()) is not None:
            working.update(int(rows.get_value(row, 0) or 0) for row in range(rows.ntuples))
        return working
