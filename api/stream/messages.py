"""What goes out to those who listen, written once for all of them.

A thousand clients get the same bytes, so the work that grows with them is the copy into a socket
alone: JSON, compression (RFC 7692, without context takeover, as each message then stands for
itself) and framing (RFC 6455, whose servers do not mask) are done for the first and kept. JSON of
jobs shrinks to about a tenth; sent as it is, the stream of a busy system is twelve megabytes a
second for each client, and copying it takes longer than running the jobs.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import orjson

from orpheus.shared.domain.events import Event
from orpheus.shared.views.jobs import event_json

_TEXT = 0x81  # the last part of a text message
_COMPRESSED = 0x40
_FLUSHED = b"\x00\x00\xff\xff"  # the end of each compressed message, which is left out
_WORTH_COMPRESSING = 1_024
WINDOW_BITS = 15


class Message:
    """One message of `/ws`; `text` is its JSON."""

    text: str

    @cached_property
    def plain(self) -> bytes:
        """As a WebSocket frame."""
        return _framed(_TEXT, self.text.encode())

    @cached_property
    def packed(self) -> bytes:
        """As a WebSocket frame, compressed if that is worth it."""
        if len(self.text) < _WORTH_COMPRESSING:
            return self.plain
        packer = zlib.compressobj(1, zlib.DEFLATED, -WINDOW_BITS)
        payload = packer.compress(self.text.encode()) + packer.flush(zlib.Z_SYNC_FLUSH)
        return _framed(_TEXT | _COMPRESSED, payload.removesuffix(_FLUSHED))


def _framed(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


@dataclass(frozen=True)
class Said(Message):
    """A message that carries no events. `seq`: where the stream stands, in a hello."""

    type: Literal["hello", "reset", "heartbeat", "log"]
    text: str
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One event as JSON. `seq` is None for progress, which is not stored."""

    seq: int | None
    job_id: int | None
    kind: str
    text: str


def item_of(event: Event) -> Item:
    """A stored event, written."""
    return Item(event.seq, event.job_id, event.kind, orjson.dumps(event_json(event)).decode())


@dataclass(frozen=True)
class Frame(Message):
    """Stored events in order, then progress. Each form is written once, when first asked for."""

    events: Sequence[Item]
    progress: Sequence[Item] = ()

    @cached_property
    def text(self) -> str:  # type: ignore[override]
        """As a frame of `/ws`."""
        texts = ",".join([item.text for item in self._items()])
        return f'{{"type":"events","events":[{texts}]}}'

    @cached_property
    def sse(self) -> bytes:
        """As server-sent events, each with its seq as id."""
        return "".join([_server_sent(item) for item in self._items()]).encode()

    def _items(self) -> Iterator[Item]:
        yield from self.events
        yield from self.progress


def _server_sent(item: Item) -> str:
    id = "" if item.seq is None else f"id: {item.seq}\n"
    return f"{id}event: {item.kind}\ndata: {item.text}\n\n"
