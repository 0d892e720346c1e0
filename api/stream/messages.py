"""Messages of the stream, each encoded once for all clients.

A thousand clients get the same bytes, so JSON, compression (RFC 7692, without context takeover, so
that each message can be read alone) and framing (RFC 6455; servers do not mask) are done for the
first client and kept. Only the copy into a socket is left for each client. JSON of jobs shrinks to
about a tenth; uncompressed, the stream of a busy system is 12 MB a second for each client, and
copying it takes longer than running the jobs.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal

import msgspec

from orpheus.shared.domain.access import Scope
from orpheus.shared.domain.events import Event
from orpheus.shared.messages.encoding import encode
from orpheus.shared.messages.events import event_of

_TEXT = 0x81  # a whole text message
_COMPRESSED = 0x40
_FLUSHED = b"\x00\x00\xff\xff"  # ends each compressed block; RFC 7692 leaves it out
_WORTH_COMPRESSING = 1_024
WINDOW_BITS = 15


class Message(msgspec.Struct, frozen=True, dict=True):
    """One message of `/ws`. It keeps the encodings that were made of it."""

    @property
    def text(self) -> str:
        """Its JSON."""
        raise NotImplementedError

    @cached_property
    def plain(self) -> bytes:
        """The message as a WebSocket frame."""
        return _framed(_TEXT, self.text.encode())

    @cached_property
    def compressed(self) -> bytes:
        """The message as a WebSocket frame, compressed unless it is short."""
        text = self.text
        if len(text) < _WORTH_COMPRESSING:
            return self.plain
        compressor = zlib.compressobj(1, zlib.DEFLATED, -WINDOW_BITS)
        payload = compressor.compress(text.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH)
        return _framed(_TEXT | _COMPRESSED, payload.removesuffix(_FLUSHED))


def _framed(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


class Notice(Message, frozen=True):
    """A message without events. `id`: where the stream stands, in a hello."""

    type: Literal["hello", "reset", "heartbeat", "log"]
    text: str
    id: str | None = None


class _Subject(msgspec.Struct):
    queue: str
    type: str


class _AboutQueue(msgspec.Struct):
    name: str


class _About(msgspec.Struct):
    """The parts of an event that say whose it is."""

    job: _Subject | None = None
    queue: _AboutQueue | None = None


class EncodedEvent(msgspec.Struct, frozen=True, dict=True):
    """One event as JSON. `seq` is None for progress, which is not stored."""

    seq: int | None
    job_id: int | None
    kind: str
    text: str

    def is_seen(self, sight: Scope) -> bool:
        """Return whether a caller that sees only some jobs may see it."""
        job, queue = self._about.job, self._about.queue
        if job is not None:
            return sight.sees(job.queue, job.type)
        return queue is not None and sight.has_every_type and sight.sees_queue(queue.name)

    @cached_property
    def _about(self) -> _About:
        try:
            return msgspec.json.decode(self.text, type=_About)
        except msgspec.ValidationError:  # what is left of a deleted job does not say
            return _About()


def encode_event(event: Event) -> EncodedEvent:
    """Encode a stored event."""
    text = encode(event_of(event)).decode()
    return EncodedEvent(event.seq, event.job_id, event.kind, text)


class Frame(Message, frozen=True):
    """Stored events of one epoch in order, then progress.

    Each encoding is made when first needed. The JSON itself is not kept: the ring holds so many
    frames that a second copy of their events would be the largest part of the API's memory.
    """

    epoch: str
    events: Sequence[EncodedEvent]
    progress: Sequence[EncodedEvent] = ()

    @property
    def text(self) -> str:
        """The frame as JSON of `/ws`."""
        return f'{{"type":"events","events":{self.list}}}'

    @property
    def list(self) -> str:
        """The events as a JSON array."""
        return f"[{','.join([event.text for event in self._all()])}]"

    @cached_property
    def sse(self) -> bytes:
        """The frame as server-sent events, each with its epoch and seq as id."""
        return "".join([_server_sent(event, self.epoch) for event in self._all()]).encode()

    def _all(self) -> Iterator[EncodedEvent]:
        yield from self.events
        yield from self.progress


def event_id(epoch: str, seq: int) -> str:
    """Return the id of a server-sent event: with it, a client resumes behind this event."""
    return f"{epoch}:{seq}"


def _server_sent(event: EncodedEvent, epoch: str) -> str:
    # fastapi.sse.format_sse_event takes 14 times as long, on the event loop: it splits lines,
    # which JSON does not have.
    id = "" if event.seq is None else f"id: {event_id(epoch, event.seq)}\n"
    return f"{id}event: {event.kind}\ndata: {event.text}\n\n"
