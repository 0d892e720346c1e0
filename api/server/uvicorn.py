"""uvicorn, without the habits that do not fit here.

It raises the signal that stopped it once more, so a clean stop would not exit 0; signals are the
program's own business (api/__main__.py). And it wakes ten times a second to look at a flag, which
is most of what an idle API costs; here it waits for an event.

And a stop closes idle connections at once, while a client may be writing its next request on one.
An API that is drained, as a new one accepts on the same socket, refuses nobody: it accepts nothing
more, answers for a short time what still arrives on the connections it has, each answer with
`Connection: close`, and then closes those that have nothing unread. What remains is the time a
request is on its way, which only the client can make up for, by sending it again (RFC 9112, 9.5).
"""

import asyncio
import contextlib
import gc
import select
import socket
from collections.abc import Callable, Iterator
from functools import partial

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orpheus.api.server.connections import ClientProtocol, allow_descriptors
from orpheus.api.stream.websocket import StreamProtocol

_GRACE_S = 3
_QUIET_S = 1.0
_ACCEPTED_WITHIN_S = 0.02
_LAST_TURNS = 100  # of the loop, as somebody may send for ever
_KEEP_ALIVE_S = 30
_PING_S = 20.0
_LARGEST_MESSAGE_BYTES = 65_536  # of a WebSocket client, which has nothing to say
_UNACKNOWLEDGED_MS = 20_000


class Server(uvicorn.Server):
    """Serves until `stop`. `started` is called when it accepts, `stopping` before it closes."""

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
                http=partial(ClientProtocol, max_clients),  # type: ignore[arg-type]
                ws=StreamProtocol,
                ws_max_size=_LARGEST_MESSAGE_BYTES,
                ws_ping_interval=_PING_S,
                ws_ping_timeout=_PING_S,
                ws_per_message_deflate=False,  # StreamProtocol compresses once for all
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,  # the guard writes it: uvicorn's needs the tick
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._max_clients = max_clients
        self._on_started = on_started
        self._on_stopping = on_stopping
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    def drain(self) -> None:
        """Another API has taken over: go without anybody noticing, in about a second."""
        self.should_exit = True
        self._stop.set()

    def stop(self) -> None:
        """Accept nothing more and let answers finish for a moment.

        Again changes nothing: a signal to the whole process tree comes twice.
        """
        self._hurry.set()
        self.drain()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept. Clients that stop reading are given up after 20 s, not an hour."""
        for listener in sockets or ():
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
        allow_descriptors(self._max_clients)
        await super().startup(sockets)
        # What was imported lives for ever: without it, a full collection takes 1 ms, not 40.
        gc.collect()
        gc.freeze()
        self._on_started()

    async def main_loop(self) -> None:
        """Wait for `stop`."""
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection: what is idle once it is quiet, the rest within the grace."""
        loop = asyncio.get_running_loop()
        for listener in sockets or ():
            loop.remove_reader(listener)
        self._on_stopping()
        # In the answers of requests under way too, which share the list.
        self.server_state.default_headers.append((b"connection", b"close"))
        # What was accepted just now becomes a connection in the loop's next turn, and would be
        # dropped if its server were closed by then.
        await asyncio.sleep(_ACCEPTED_WITHIN_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), _QUIET_S)
        for _ in range(_LAST_TURNS):
            if not any(map(_has_unread, self.server_state.connections)):
                break
            await asyncio.sleep(0)  # the loop reads it
        await super().shutdown(sockets)


def _has_unread(connection: object) -> bool:
    """Whether the kernel holds what an HTTP client has sent; the loop has not seen it yet."""
    if not isinstance(connection, HttpToolsProtocol):
        return False
    end = connection.transport.get_extra_info("socket")
    if connection.transport.is_closing() or end is None:
        return False
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return bool(poll.poll(0))
