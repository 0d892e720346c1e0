"""Sends the stream as server-sent events (WHATWG HTML, 9.2), for curl and EventSource.

The id of each event is its epoch and seq, `EPOCH:7`. A client that reconnects sends the last one by
itself, in `Last-Event-ID`. Progress has no seq and no id.
"""

import asyncio
import contextlib

from fastapi.sse import format_sse_event
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orpheus.api.http.calls import wait_until_left
from orpheus.api.http.scope import IS_HEAD
from orpheus.api.stream.listener import Listener, Position
from orpheus.api.stream.messages import Frame, Notice
from orpheus.shared.errors import OrpheusError
from orpheus.shared.logs import get_logger

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_S = 15.0
_COMMENT = format_sse_event(comment="still here")

log = get_logger()


class EventStream(Response):
    """Everything that `listener` follows, until the client leaves or the stream ends here."""

    media_type = MEDIA_TYPE

    def __init__(self, listener: Listener, after: Position | None) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._listener = listener
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers at once, so that a client knows it is connected; then the events."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if IS_HEAD in scope:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        receiving = asyncio.create_task(self._receive(receive))
        try:
            await self._send_events(send)
        except OrpheusError as error:
            log.warning("stream_closed", reason=str(error))  # the client reconnects
        finally:
            receiving.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        async with contextlib.aclosing(self._listener.follow(self._after)) as messages:
            async for message in messages:
                body = encode(message)
                if not body and loop.time() - quiet_since > KEEP_ALIVE_S:
                    body = _COMMENT
                if body:
                    quiet_since = loop.time()
                    await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _receive(self, receive: Receive) -> None:
        await wait_until_left(receive)
        self._listener.leave()


def encode(message: Frame | Notice) -> bytes:
    """Encode a message of `/ws` as server-sent events; empty if it has none.

    A hello becomes an id without data, which is no event: it only sets `Last-Event-ID`.
    """
    if isinstance(message, Frame):
        return message.sse
    match message.type:
        case "hello":
            return format_sse_event(id=message.id)
        case "reset":
            return format_sse_event(event="reset", data_str=message.text)
        case _:
            return b""
