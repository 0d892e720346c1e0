"""Sends the stream on a WebSocket, and closes it with a code of RFC 6455."""

import asyncio
import contextlib
from functools import cached_property
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.protocol import OPEN

from orpheus.api.http.scope import CONNECTION
from orpheus.api.stream.listener import Listener, Position
from orpheus.api.stream.messages import WINDOW_BITS, Message
from orpheus.shared.errors import OrpheusError
from orpheus.shared.logs import get_logger

SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
_LONGEST_REASON = 100

_ENCODED = "orpheus.encoded"
"""Key of a `websocket.send` message that holds a Message instead of text or bytes."""

log = get_logger()


class StreamProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which also sends messages that are framed already."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn.available_extensions = [
            ServerPerMessageDeflateFactory(
                server_no_context_takeover=True, client_no_context_takeover=True
            )
        ]

    @cached_property
    def _accepts_compressed(self) -> bool:
        """Whether the client agreed to compression, with a window as large as ours."""
        return any(
            isinstance(extension, PerMessageDeflate)
            and extension.local_max_window_bits == WINDOW_BITS
            for extension in self.conn.extensions
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting the connection, which began as an HTTP connection."""
        self.app_state[CONNECTION].leave()
        super().connection_lost(exc)

    def send_receive_event_to_app(self) -> None:
        """Pass a message on as bytes: what clients send is ignored, and may not be UTF-8."""
        self.curr_msg_data_type = "bytes"
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Send the close that says what was wrong; before the handshake is done, there is none."""
        if self.conn.close_sent is None:
            self.transport.abort()
        else:
            super().handle_parser_exception()

    def handle_ping(self) -> None:
        """Answer a ping, unless the client does not read what it was sent already.

        A pong may be left out: a later one answers every ping before it (RFC 6455, 5.5.3).
        """
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set() or self.conn.state is not OPEN:  # then a close stands in it
            self.transport.write(pong)

    async def send(self, message: Any) -> None:
        """Send as uvicorn does; write the bytes of an encoded Message as they are."""
        encoded: Message | None = message.get(_ENCODED)
        if encoded is None:
            await super().send(message)
            # For a refusal uvicorn does not set it, and would log each as a fault of ours.
            self.handshake_complete = self.handshake_complete or self.close_sent
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        self.transport.write(encoded.compressed if self._accepts_compressed else encoded.plain)


async def send_stream(websocket: WebSocket, listener: Listener, after: Position | None) -> None:
    """Send all that `listener` follows, until the client leaves or the stream ends here."""
    receiving = asyncio.create_task(_receive(websocket, listener))
    try:
        async with contextlib.aclosing(listener.follow(after)) as messages:
            async for message in messages:
                await websocket.send({"type": "websocket.send", _ENCODED: message})
        if not receiving.done():
            await websocket.close(SERVICE_RESTART, "come back with ?after=")
    except WebSocketDisconnect:
        pass
    except OrpheusError as error:
        log.warning("stream_closed", reason=str(error))
        with contextlib.suppress(WebSocketDisconnect):
            await websocket.close(TRY_AGAIN_LATER, str(error)[:_LONGEST_REASON])
    finally:
        receiving.cancel()


async def _receive(websocket: WebSocket, listener: Listener) -> None:
    """Ignore what the client sends until it leaves."""
    try:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
    finally:
        listener.leave()
