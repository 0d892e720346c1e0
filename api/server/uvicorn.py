"""uvicorn with four changes.

uvicorn raises the signal that stopped it again, so a clean stop would not exit 0; here signals are
handled in api/run.py. It wakes ten times a second to look at a flag, which is most of the CPU time
of an idle API; here it waits for an event. It accepts connections through asyncio; here
api/server/acceptor.py does.

And it closes idle connections at once when it stops, while a client may be sending its next request
on one. Here an API that is drained (a new one accepts on the same socket already) accepts no more
connections, answers for a short time what still arrives on the open ones, each answer with
`Connection: close`, and then closes those that have nothing unread. A request that is still on its
way then is lost, and only its client can send it again (RFC 9112, 9.5).
"""

import asyncio
import contextlib
import gc
import select
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orpheus.api.server.acceptor import Acceptor
from orpheus.api.server.connections import ClientProtocol, open_connections
from orpheus.api.stream.websocket import StreamProtocol

_GRACE_S = 3
_QUIET_S = 1.0
_ACCEPTED_WITHIN_S = 0.02
_LAST_TURNS = 100  # of the event loop; a client may go on sending
_KEEP_ALIVE_S = 30
_PING_S = 20.0
_LARGEST_MESSAGE_BYTES = 65_536  # from a WebSocket client; what it sends is ignored
_UNACKNOWLEDGED_MS = 20_000


class Server(uvicorn.Server):
    """Serves until `stop`; calls `on_started` when it accepts, `on_stopping` before it closes."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_clients: int,
        on_started: Callable[[], None],
        on_stopping: Callable[[], None],
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                ws=StreamProtocol,
                ws_max_size=_LARGEST_MESSAGE_BYTES,
                ws_ping_interval=_PING_S,
                ws_ping_timeout=_PING_S,
                ws_per_message_deflate=False,  # StreamProtocol compresses once for all clients
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,  # the guard writes it; uvicorn's would need its tick
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._max_clients = max_clients
        self._on_started = on_started
        self._on_stopping = on_stopping
        self._stopping = asyncio.Event()
        self._at_once = asyncio.Event()
        self._acceptors: list[Acceptor] = []

    def drain(self) -> None:
        """Stop in about a second without refusing anybody: another API process has taken over."""
        self.should_exit = True
        self._stopping.set()

    def stop(self) -> None:
        """Accept nothing more and let answers finish for a moment.

        A second call changes nothing: a signal to the whole process tree arrives twice.
        """
        self._at_once.set()
        self.drain()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept. Clients that acknowledge nothing are closed after 20 s, not an hour."""
        connections = open_connections(self._max_clients)

        def make_protocol() -> ClientProtocol:
            return ClientProtocol(connections, self.config, self.server_state, self.lifespan.state)

        self.servers = []
        for listener in sockets or ():
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
            self._acceptors.append(Acceptor(listener, make_protocol, connections))
            self._acceptors[-1].start()
        self.started = True
        # Imported modules are never freed: without them a full collection takes 1 ms, not 40.
        gc.collect()
        gc.freeze()
        self._on_started()

    async def main_loop(self) -> None:
        """Wait for `drain` or `stop`."""
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection: idle ones after a quiet time, the others after their answers."""
        for acceptor in self._acceptors:
            acceptor.stop()
        self._on_stopping()
        # Requests in progress share this list, so their answers get the header too.
        self.server_state.default_headers.append((b"connection", b"close"))
        # A socket that was accepted just now becomes a connection in the loop's next turn; it
        # would be dropped if the server were closed by then.
        await asyncio.sleep(_ACCEPTED_WITHIN_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._at_once.wait(), _QUIET_S)
        for _ in range(_LAST_TURNS):
            if not any(map(_has_unread, self.server_state.connections)):
                break
            await asyncio.sleep(0)  # let the loop read it
        await super().shutdown(sockets)


def _has_unread(connection: object) -> bool:
    """Tell whether the kernel holds bytes of an HTTP client that the loop has not read yet."""
    if not isinstance(connection, HttpToolsProtocol):
        return False
    end = connection.transport.get_extra_info("socket")
    if connection.transport.is_closing() or end is None:
        return False
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return bool(poll.poll(0))
