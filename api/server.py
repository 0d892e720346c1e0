"""uvicorn, without the habits that do not fit here.

It raises the signal that stopped it once more, so a clean stop would not exit 0; signals are the
program's own business (api/__main__.py). And it wakes ten times a second to look at a flag, which
is most of what an idle API costs; here it waits for an event.
"""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

_GRACE_S = 3
_KEEP_ALIVE_S = 30
_PING_S = 20.0
_LARGEST_MESSAGE_BYTES = 65_536  # of a WebSocket client, which has nothing to say
_UNACKNOWLEDGED_MS = 20_000


class Server(uvicorn.Server):
    """Serves until `stop`. `started` is called when it accepts, `stopping` before it closes."""

    def __init__(
        self, app: ASGIApp, *, on_started: Callable[[], None], on_stopping: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http="httptools",
                ws="websockets-sansio",
                ws_max_size=_LARGEST_MESSAGE_BYTES,
                ws_ping_interval=_PING_S,
                ws_ping_timeout=_PING_S,
                ws_per_message_deflate=False,  # on one machine it costs more than it saves
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
        self._on_started = on_started
        self._on_stopping = on_stopping
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Accept nothing more and let answers finish for a moment.

        Again changes nothing: a signal to the whole process tree comes twice.
        """
        self.should_exit = True
        self._stop.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept. Clients that stop reading are given up after 20 s, not an hour."""
        for listener in sockets or ():
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
        await super().startup(sockets)
        # What was imported lives for ever: without it, a full collection takes 1 ms, not 40.
        gc.collect()
        gc.freeze()
        self._on_started()

    async def main_loop(self) -> None:
        """Wait for `stop`."""
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection, within the grace."""
        self._on_stopping()
        await super().shutdown(sockets)
