"""Limits of connections: how long a request may take to arrive, and how many clients there are.

uvicorn waits without a limit for the end of a request, and takes headers of any size. Clients that
send half a header each would stay connected until the API is restarted. Here a request must arrive
within a time. It starts with the connection, or on one that is kept alive with the first byte of
the request. An ordinary request arrives whole with its first packet and needs no timer.

api/http/open_connections.py says which are kept when there are more clients than `max_clients`.
There are never more than the limit of open files allows, so that the database never lacks a
descriptor.
"""

import asyncio
import re
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from orpheus.api.http.open_connections import OpenConnections
from orpheus.api.http.scope import CONNECTION, TARGET_HOST
from orpheus.shared.logs import get_logger
from orpheus.shared.process.limits import allow_open_files

log = get_logger()

HEADERS_WITHIN_S = 10.0
REQUEST_WITHIN_S = 60.0  # with its body: 16 MiB at 2.2 Mbit/s
MOST_HEADER_BYTES = 65_536
_REFUSED_AT_ONCE = 256
"""How many connections beyond the limit wait for their refusal; the next one closes the oldest."""
_OTHER_DESCRIPTORS = 192
"""The database in each reader and writer thread, bells, modules, and sockets just accepted.

At most half of all: an API that may open few has few clients and opens less.
"""


def open_connections(max_clients: int) -> OpenConnections:
    """Allow `max_clients` connections, or as many as this process may open files for.

    It raises the soft limit of open files as far as it needs to and the hard limit allows.
    """
    allowed = allow_open_files(max_clients + _REFUSED_AT_ONCE + _OTHER_DESCRIPTORS)
    clients, refused = share_descriptors(allowed, max_clients)
    if clients < max_clients:
        log.warning(
            "max_clients_lowered",
            configured=max_clients,
            to=clients,
            why=f"this process may open {allowed} files; raise the hard limit (ulimit -Hn)",
        )
    return OpenConnections(clients, refused)


def share_descriptors(allowed: int, max_clients: int) -> tuple[int, int]:
    """Return how many clients so many open files allow, and how many more may be refused."""
    left = allowed - min(_OTHER_DESCRIPTORS, allowed // 2)
    refused = min(_REFUSED_AT_ONCE, left // 2)
    return min(max_clients, left - refused), refused


class ClientProtocol(HttpToolsProtocol):
    """One HTTP connection, until it is closed or becomes a WebSocket."""

    def __init__(
        self,
        connections: OpenConnections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._connections = connections
        self._is_complete = False
        self._has_headers = False
        self._is_websocket = False
        self._header_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and start the time for the first request."""
        super().connection_made(transport)
        self._connection = self._connections.add(transport.abort)
        self.app_state = {**self.app_state, CONNECTION: self._connection}
        self._timer = self.loop.call_later(HEADERS_WITHIN_S, self._time_is_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer, and count the connection no more."""
        self._stop_timer()
        self._connection.leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection to the WebSocket protocol."""
        self._is_websocket = True
        self._stop_timer()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Parse the data; start the timer if the request is not complete."""
        super().data_received(data)
        if self._is_websocket:
            return
        if self._is_complete and not self.cycle.response_complete:
            self._stop_timer()  # until it is answered
            return
        if self._is_complete:  # bytes that begin no request, such as a line break, buy no time
            self._has_headers = False
        if self._timer is None:
            self._timer = self.loop.call_later(HEADERS_WITHIN_S, self._time_is_up)
        if not self._has_headers:
            self._header_bytes += len(data)
            if self._header_bytes > MOST_HEADER_BYTES:
                self.transport.close()

    def on_message_begin(self) -> None:
        """Note the first byte of a request."""
        self._is_complete = self._has_headers = False
        self._header_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note the end of the headers, and the host of a target that is a whole URL."""
        self._has_headers = True
        _, is_url, rest = self.url.partition(b"://")
        if is_url and not self.url.startswith(b"/"):
            host = re.split(b"[/?#]", rest, maxsplit=1)[0]
            self.scope["state"][TARGET_HOST] = host.decode("latin-1").lower()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note the end of the request."""
        self._is_complete = True
        super().on_message_complete()

    def _time_is_up(self) -> None:
        if self._has_headers:  # a body may take longer
            rest_s = REQUEST_WITHIN_S - HEADERS_WITHIN_S
            self._timer = self.loop.call_later(rest_s, self.transport.close)
        else:
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
