"""The open connections: which are kept, and which are closed, when there are too many clients.

A connection is unknown until a request on it has passed the guard; with a token, until its client
has sent the token or a session. At the limit, a new connection closes the oldest unknown one. So
clients without a token, however many, cannot keep out those that have it. If all connections are
known, a new one is refused: it gets one answer, 503, or 200 from a probe.

Pure: closing is the caller's.
"""

from collections.abc import Callable


class OpenConnection:
    """One connection. `is_refused`: it came when all that may be open were of known clients."""

    __slots__ = ("_all", "close", "is_refused")

    def __init__(
        self, connections: "OpenConnections", close: Callable[[], None], *, is_refused: bool
    ) -> None:
        self._all = connections
        self.close = close
        self.is_refused = is_refused

    def make_known(self) -> None:
        """Keep the connection until the client leaves."""
        self._all.make_known(self)

    def leave(self) -> None:
        """Count the connection no more; ignored if it was closed to make room."""
        self._all.leave(self)


class OpenConnections:
    """Up to `most` connections, and `most_refused` more that are only refused."""

    def __init__(self, most: int, most_refused: int) -> None:
        self._most = most
        self._most_refused = most_refused
        self._known: set[OpenConnection] = set()
        self._unknown: dict[OpenConnection, None] = {}  # the oldest first
        self._refused: dict[OpenConnection, None] = {}

    def add(self, close: Callable[[], None]) -> OpenConnection:
        """Count a new connection and return it; `close` closes it if it must make room."""
        is_full = len(self._known) + len(self._unknown) >= self._most
        if not is_full or self._close_first(self._unknown):
            connection = OpenConnection(self, close, is_refused=False)
            self._unknown[connection] = None
            return connection
        if len(self._refused) >= self._most_refused:
            self._close_first(self._refused)
        connection = OpenConnection(self, close, is_refused=True)
        self._refused[connection] = None
        return connection

    def close_oldest(self) -> None:
        """Close the oldest connection that is refused or unknown, if there is one."""
        if not self._close_first(self._refused):
            self._close_first(self._unknown)

    def make_known(self, connection: OpenConnection) -> None:
        """Keep a connection that is unknown until the client leaves."""
        if connection in self._unknown:
            del self._unknown[connection]
            self._known.add(connection)

    def leave(self, connection: OpenConnection) -> None:
        """Forget a connection."""
        self._known.discard(connection)
        self._unknown.pop(connection, None)
        self._refused.pop(connection, None)

    @staticmethod
    def _close_first(connections: dict[OpenConnection, None]) -> bool:
        oldest = next(iter(connections), None)
        if oldest is None:
            return False
        del connections[oldest]
        oldest.close()
        return True
