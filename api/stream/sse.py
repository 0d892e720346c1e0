"""How the stream goes out as server-sent events (WHATWG HTML, 9.2), for curl and EventSource.

The id of each event is its seq, so that a client that comes back says by itself, in
`Last-Event-ID`, where it was. What carries no seq carries no id.
"""

import asyncio
import contextlib

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orpheus.api.http.guard import HEAD_ONLY
from orpheus.api.stream.listener import Listener
from orpheus.api.stream.messages import Frame, Said
from orpheus.shared.errors import OrpheusError
from orpheus.shared.logs import get_logger

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_S = 15.0
_COMMENT = b": still here\n\n"

log = get_logger()


class EventStream(Response):
    """Everything that `listener` follows, until the client is gone or the stream ends here."""

    media_type = MEDIA_TYPE

    def __init__(self, listener: Listener, after: int | None) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._listener = listener
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin at once, so that a client knows that it is connected."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if HEAD_ONLY in scope:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        receiving = asyncio.create_task(self._receive(receive))
        try:
            await self._send_on(send)
        except OrpheusError as error:
            log.warning("stream_closed", reason=str(error))  # the client comes back
        finally:
            receiving.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_on(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        async with contextlib.aclosing(self._listener.follow(self._after)) as messages:
            async for message in messages:
                body = written(message)
                if not body and loop.time() - quiet_since > KEEP_ALIVE_S:
                    body = _COMMENT
                if body:
                    quiet_since = loop.time()
                    await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _receive(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._listener.leave()


def written(message: Frame | Said) -> bytes:
    """A frame of `/ws` as server-sent events; nothing for what tells of no event.

    A hello only gives the place to resume from: an id without data is no event.
    """
    if isinstance(message, Frame):
        return message.sse
    match message.type:
        case "hello":
            return f"id: {message.seq}\n\n".encode()
        case "reset":
            return f"event: reset\ndata: {message.text}\n\n".encode()
        case _:
            return b""
