"""Connections that cost us something and give nothing: how long they may last, how many there are.

uvicorn waits for the end of a request for ever, and takes headers of any size; two hundred clients
that each send half a header would stay until we are restarted. Here a request has a time to
arrive in, counted from the connection's first moment, or from its first byte on one that is kept
alive. An ordinary request is here whole with its first packet: it pays for no timer.

Clients beyond the limit are let in to be answered 503 (and the probes of /healthz and /readyz
200), one answer each; far beyond it they are not even read, so that file descriptors never run
out for the database.
"""

import asyncio
import resource
from typing import Any

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEADERS_WITHIN_S = 10.0
REQUEST_WITHIN_S = 60.0  # with its body: 16 MiB at 2.2 Mbit/s
MOST_HEADER_BYTES = 65_536
_REFUSED_AT_ONCE = 256
"""So many connections beyond the limit are told so; the next ones are dropped."""
_BEYOND = "beyond_limit"
_OTHER_DESCRIPTORS = 128  # the database's, by each thread that reads and writes; bells; modules


def allow_descriptors(max_clients: int) -> None:
    """Let this process open enough files for so many clients, as far as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max_clients + _REFUSED_AT_ONCE + _OTHER_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def is_beyond_limit(scope: Scope) -> bool:
    """Whether this connection came when there were as many as may be."""
    return bool(scope.get("state", {}).get(_BEYOND))


class ClientProtocol(HttpToolsProtocol):
    """One connection, until it is closed or becomes a WebSocket. Of `max_clients` at a time."""

    def __init__(
        self,
        max_clients: int,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._max_clients = max_clients
        self._is_whole = False
        self._has_headers = False
        self._is_websocket = False
        self._header_bytes = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, and give its first request a time to arrive in."""
        super().connection_made(transport)
        beyond = len(self.connections) - self._max_clients
        if beyond > _REFUSED_AT_ONCE:
            transport.abort()
        elif beyond > 0:
            self.app_state = {**self.app_state, _BEYOND: True}
        self._late = self.loop.call_later(HEADERS_WITHIN_S, self._is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget its time."""
        self._forget_time()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """From here on it is the WebSocket's."""
        self._is_websocket = True
        self._forget_time()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Read on; a request that is not whole yet has only so much time."""
        super().data_received(data)
        if self._is_websocket:
            return
        if self._is_whole and not self.cycle.response_complete:
            self._forget_time()  # until it is answered
            return
        if self._is_whole:  # bytes that begin no request, a bare line break: they buy no time
            self._has_headers = False
        if self._late is None:
            self._late = self.loop.call_later(HEADERS_WITHIN_S, self._is_late)
        if not self._has_headers:
            self._header_bytes += len(data)
            if self._header_bytes > MOST_HEADER_BYTES:
                self.transport.close()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._is_whole = self._has_headers = False
        self._header_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The headers are here."""
        self._has_headers = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """And all the rest."""
        self._is_whole = True
        super().on_message_complete()

    def _is_late(self) -> None:
        if self._has_headers:  # only a body may take longer
            rest_s = REQUEST_WITHIN_S - HEADERS_WITHIN_S
            self._late = self.loop.call_later(rest_s, self.transport.close)
        else:
            self.transport.close()

    def _forget_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
