"""Hears what other hosts commit, and rings the doorbells of this one.

A thread has a connection of its own for this. While there is none, and behind a pooler that has no
direct URL, the polls of all programs go on as ever: a NOTIFY wakes, but nothing relies on it.
"""

import os
import select
import threading
import time
from typing import Any, cast

import psycopg

from orpheus.shared.domain.serving import EVERY_QUEUE
from orpheus.shared.logs import get_logger
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.storage.at_commit import AtCommit
from orpheus.shared.storage.database import Listening
from orpheus.shared.storage.postgres.connection import parameters_of
from orpheus.shared.storage.postgres.messages import Messages
from orpheus.shared.storage.postgres.notices import CHANNEL, WORK_EVERY_S, heard
from orpheus.shared.storage.postgres.psycopg_errors import first_line

log = get_logger()

_AGAIN_AFTER_S = (WORK_EVERY_S + 0.005, 0.25)
"""When to ring again: for what was not announced, and for what took long to commit."""
_QUIET_S = 30.0
"""After so long without news, the server is asked whether it is still there."""
_SHORTEST_WAIT_S = 0.2
_LONGEST_WAIT_S = 5.0
_EVERYTHING = AtCommit(queues_with_work={EVERY_QUEUE}, has_news=True, has_request=True)


class ListeningThread(threading.Thread, Listening):
    """Listens from `start` to `stop`."""

    def __init__(self, url: str, sender: str, bells: Doorbells) -> None:
        """`url` leads past any pooler. What `sender` sends is ignored: it rings `bells` itself."""
        super().__init__(name="listening", daemon=True)
        self._parameters = parameters_of(url, pooled=False)
        self._sender = sender
        self._bells = bells
        self._stop_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = False
        self._again: dict[float, tuple[float, AtCommit]] = {}
        """By how much later to ring again: when, and what (time.monotonic)."""

    def stop(self) -> None:
        """Listen no more; returns at once."""
        if self._stopping:
            return
        os.eventfd_write(self._stop_fd, 1)  # first: once it is told, the thread closes this
        self._stopping = True

    def run(self) -> None:
        """Listen; whenever that ends, begin again, after a longer and longer while."""
        wait_s = _SHORTEST_WAIT_S
        while not self._stopping:
            try:
                parameters = cast("dict[str, Any]", self._parameters)
                with psycopg.connect(**parameters, autocommit=True) as connection:
                    Messages(connection, prepares=False).execute_text(f"LISTEN {CHANNEL}")
                    wait_s = _SHORTEST_WAIT_S
                    _EVERYTHING.ring(self._bells)  # nobody told us what came meanwhile
                    self._listen(connection)
            except (psycopg.Error, OSError) as error:
                if wait_s == _SHORTEST_WAIT_S and not self._stopping:
                    log.warning("not_listening", reason=_reason(error), note="polling meanwhile")
            if not self._stopping:
                self._wait(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        self._bells.close()
        os.close(self._stop_fd)

    def _listen(self, connection: psycopg.Connection) -> None:
        server = connection.pgconn
        while not self._stopping:
            again_s = self._until_again_s()
            wait_s = _QUIET_S if again_s is None else again_s
            if not self._wait(wait_s, connection.fileno()) and again_s is None:
                Messages(connection, prepares=False).execute_text("SELECT 1")
            server.consume_input()
            while (notify := server.notifies()) is not None:
                self._hear(notify.extra.decode(errors="replace"))
            self._ring_again()

    def _wait(self, wait_s: float, *fds: int) -> bool:
        """Wait for one of the descriptors or for `stop`; False: it was in vain."""
        poll = select.poll()  # select.select() refuses the numbers of a process with many files
        for fd in (self._stop_fd, *fds):
            poll.register(fd, select.POLLIN)
        return bool(poll.poll(wait_s * 1000))

    def _hear(self, payload: str) -> None:
        found = heard(payload, self._sender)
        if found is None:
            return
        found.ring(self._bells)
        for after_s in _AGAIN_AFTER_S:
            _, before = self._again.get(after_s, (0.0, AtCommit()))
            self._again[after_s] = time.monotonic() + after_s, _both(before, found)

    def _until_again_s(self) -> float | None:
        first_s = min((at_s for at_s, _ in self._again.values()), default=None)
        return None if first_s is None else max(0.0, first_s - time.monotonic())

    def _ring_again(self) -> None:
        now_s = time.monotonic()
        for after_s in [wait_s for wait_s, (at_s, _) in self._again.items() if at_s <= now_s]:
            self._again.pop(after_s)[1].ring(self._bells)


def _both(one: AtCommit, other: AtCommit) -> AtCommit:
    return AtCommit(
        queues_with_work=one.queues_with_work | other.queues_with_work,
        has_news=one.has_news or other.has_news,
        has_request=one.has_request or other.has_request,
    )


def _reason(error: Exception) -> str:
    return first_line(error) if isinstance(error, psycopg.Error) else str(error)
