"""Ends connections to a server that has fallen silent, so that nobody waits for its answer for ever.

TCP finds out that a host is gone. It does not if a server hangs, or if something between holds the
connection open: a proxy, a virtual address. How long an answer takes tells nothing, since a
statement may rightly take an hour. So when one has taken a while, a connection of its own asks the
server whether it works on it. If that gets no answer either, or the server knows nothing of it, the
connection is shut down, and who waits there gets the error of one that was lost.
"""

import os
import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import psycopg

_LOOKS_EVERY_S = 4.0
_LOOKS_IN_VAIN = 3
"""After so many looks at the same question, the server is asked."""
_ANSWERS_WITHIN_S = 5.0
_WORKS_ON = """SELECT pid FROM pg_stat_activity
    WHERE pid = ANY ('{%s}'::int[]) AND state NOT LIKE 'idle%%'"""


class Watched:
    """One connection. Its user says when it waits for an answer; that costs no call of the system."""

    def __init__(
        self, connection: psycopg.Connection[Any], parameters: Mapping[str, str], *, pooled: bool
    ) -> None:
        """`parameters`: what it was made with. `pooled`: its server is known to the pooler only."""
        self.parameters = parameters
        self.server_pid = 0 if pooled else connection.info.backend_pid
        self.is_silent = False
        """Whether it was ended for that."""
        # Of its own, since libpq may close the other one at any time, and its number be another's.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._asked = 0
        self._answered = 0
        self._seen_at = 0
        self._looks = 0
        _watch.add(self)

    @contextmanager
    def answer(self) -> Iterator[None]:
        """Wait for an answer of the server in this block."""
        self._asked += 1
        try:
            yield
        finally:
            self._answered = self._asked

    def look(self) -> int | None:
        """Return the number of the question that has waited for too long; None: there is none."""
        asked = self._asked
        if asked == self._answered:
            return None
        if asked != self._seen_at:
            self._seen_at, self._looks = asked, 0
        self._looks += 1
        return asked if self._looks >= _LOOKS_IN_VAIN else None

    def end(self, asked: int) -> None:
        """Shut it down, if it still waits for the answer to this question."""
        if self._answered < asked == self._asked:
            self.is_silent = True
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        """Watch it no longer. Its user has closed it, or will."""
        _watch.remove(self)
        self._socket.close()


class _Watch:
    """All connections of this process, and the thread that looks at them while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: set[Watched] = set()
        self._process = 0

    def add(self, one: Watched) -> None:
        with self._lock:
            if self._process != os.getpid():  # a child has none of its parent's threads
                self._process, self._all = os.getpid(), set()
                threading.Thread(target=self._run, name="silence", daemon=True).start()
            self._all.add(one)

    def remove(self, one: Watched) -> None:
        with self._lock:
            self._all.discard(one)

    def _run(self) -> None:
        while True:
            time.sleep(_LOOKS_EVERY_S)
            with self._lock:
                found = list(self._all)
            waiting = [(one, asked) for one in found if (asked := one.look()) is not None]
            for parameters in {id(one.parameters): one.parameters for one, _ in waiting}.values():
                self._judge(parameters, [one for one in waiting if one[0].parameters is parameters])

    def _judge(self, parameters: Mapping[str, str], waiting: list[tuple[Watched, int]]) -> None:
        pids = [one.server_pid for one, _ in waiting]
        busy = busy_sessions(parameters, [pid for pid in pids if pid])
        if busy is None:
            return
        for one, asked in waiting:
            if one.server_pid not in busy:
                one.end(asked)
