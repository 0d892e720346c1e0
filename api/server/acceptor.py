"""Accepts connections, a few in each turn of the event loop.

asyncio accepts up to 2,048 waiting connections before it does anything else. When no descriptor is
left, it still goes on, and logs a traceback for each of them. Here an error of `accept` is logged
once in ten seconds, the oldest unknown connection is closed, and the next attempt comes a moment
later.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from orpheus.api.http.open_connections import OpenConnections
from orpheus.shared.logs import get_logger

log = get_logger()

AT_ONCE = 16
_AGAIN_S = 0.05
_LOG_EVERY_S = 10.0


class Acceptor:
    """Gives each connection of `listener` a protocol from `make_protocol`. One event loop only."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        connections: OpenConnections,
    ) -> None:
        self._listener = listener
        self._make_protocol = make_protocol
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[object]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._failures = 0
        self._logged_at_s = float("-inf")

    def start(self) -> None:
        """Accept from now on."""
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._accept)

    def stop(self) -> None:
        """Accept no more; sockets that were just accepted still become connections."""
        self._loop.remove_reader(self._listener)
        if self._retry is not None:
            self._retry.cancel()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._wait(error)
                return
            task = self._loop.create_task(self._connect(connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with contextlib.suppress(OSError):  # it is gone already
            await self._loop.connect_accepted_socket(self._make_protocol, connection)

    def _wait(self, error: OSError) -> None:
        """Make room, and accept again in a moment."""
        self._failures += 1
        now_s = self._loop.time()
        if now_s - self._logged_at_s >= _LOG_EVERY_S:
            log.error("cannot_accept", reason=str(error), times=self._failures)
            self._failures, self._logged_at_s = 0, now_s
        self._connections.close_oldest()
        self._loop.remove_reader(self._listener)
        self._retry = self._loop.call_later(
            _AGAIN_S, self._loop.add_reader, self._listener, self._accept
        )
