"""One listener of the stream: a hello, then every event, as fast as the client takes them.

A listener has a position in the broadcaster's ring; api/stream/websocket.py and api/stream/sse.py
carry its messages to the client. A listener that falls behind the ring gets `reset` and a new
hello; the others are not delayed. One that resumes reads the event log page by page until it
reaches the beginning of the ring, and goes on from there without a gap.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from orpheus.api.stream.broadcaster import FRAME_BYTES, Broadcaster
from orpheus.api.stream.messages import (
    EncodedEvent,
    Frame,
    Notice,
    encode_event,
    event_id,
)
from orpheus.shared.domain.access import Scope
from orpheus.shared.errors import NotFound
from orpheus.shared.messages.encoding import encode
from orpheus.shared.messages.job_types import seen_types
from orpheus.shared.messages.jobs import JobInEvent, LogLine, job_in_event_of, log_line_of
from orpheus.shared.storage import Store

T = TypeVar("T")

_PAGE_EVENTS = 500
_PAGE_LINES = 500


class Position(msgspec.Struct, frozen=True):
    """The event after which a client resumes; without an epoch, in the present history."""

    seq: int
    epoch: str | None = None


class _Page(msgspec.Struct, frozen=True):
    """A part of the event log, with its epoch and its oldest and last seq at the same moment."""

    epoch: str
    oldest: int
    last: int
    events: Sequence[EncodedEvent]


class Listener:
    """A client's view of the stream.

    `job_id`: only this job's events and log lines; of the lines, those after `log_after`. `sight`:
    only what this caller may see, and no workers.
    """

    def __init__(
        self,
        broadcaster: Broadcaster,
        job_id: int | None = None,
        log_after: int = 0,
        sight: Scope | None = None,
    ) -> None:
        self._sight = sight
        self._broadcaster = broadcaster
        self._wake = asyncio.Event()
        self._has_left = False
        self._heartbeat = broadcaster.heartbeat
        self._ring = broadcaster.ring
        self._job_id = job_id
        self._position = 0
        self._seen_seq = 0
        self._withheld: dict[int, EncodedEvent] = {}
        self._last_line_id = log_after

    def leave(self) -> None:
        """Make `follow` end soon."""
        self._has_left = True
        self._wake.set()

    @property
    def _is_over(self) -> bool:
        return self._has_left or self._broadcaster.closed

    async def follow(self, after: Position | None) -> AsyncGenerator[Frame | Notice]:
        """Yield what to send, from now on or behind `after`, as fast as it is consumed.

        Ends when the listener left or the broadcaster closed. Raises OrpheusError if the database
        cannot be read.
        """
        try:
            async for message in self._begin(after):
                yield message
            self._wake.set()  # send what is there already, as the lines of a job's log
            while not self._is_over:
                await self._wake.wait()
                self._wake.clear()
                async for message in self._new_messages():
                    yield message
                newest = self._broadcaster.heartbeat
                if newest is not None and newest is not self._heartbeat:
                    self._heartbeat = newest
                    yield newest if self._sight is None else await self._narrow_heartbeat()
        finally:
            self._broadcaster.remove(self._wake)

    def _begin(self, after: Position | None) -> AsyncGenerator[Frame | Notice]:
        return self._greet() if after is None else self._resume(after)

    async def _greet(self) -> AsyncGenerator[Notice]:
        """Join at the ring's end, and yield a hello with its seq before any frame."""
        await self._broadcaster.listen()
        self._broadcaster.add(self._wake)
        self._position = self._ring.end
        self._seen_seq = self._broadcaster.seq
        self._withheld.clear()
        yield await self._hello(self._broadcaster.epoch, self._seen_seq)

    async def _hello(self, epoch: str, seq: int) -> Notice:
        """Return a hello; of a job's stream, with the job, which may have ended before `seq`."""
        greeting = dict(await self._broadcaster.greeting.get())
        if (sight := self._sight) is not None:
            types = seen_types(greeting["types"], sight)
            counts = await self._broadcaster.counts(sight)
            greeting = {"counts": counts, "workers": [], "types": types}
        if self._job_id is not None:
            greeting["job"] = await self._broadcaster.read(_summary_of(self._job_id))
        text = encode({"type": "hello", "seq": seq, "epoch": epoch, **greeting})
        return Notice("hello", text.decode(), event_id(epoch, seq))

    async def _narrow_heartbeat(self) -> Notice:
        """Return a heartbeat that tells only of the jobs that the caller may see."""
        assert self._sight is not None
        counts = await self._broadcaster.counts(self._sight)
        beat = {"type": "heartbeat", "at": datetime.now(UTC), "counts": counts, "workers": []}
        return Notice("heartbeat", encode(beat).decode())

    async def _start_over(self, oldest: int) -> AsyncGenerator[Notice]:
        yield _reset(oldest)
        async for message in self._greet():
            yield message

    async def _resume(self, position: Position) -> AsyncGenerator[Frame | Notice]:
        """Yield what the log holds behind `position`, until the ring holds the rest.

        It counts as a listener from the beginning. Else, if it is the only one, the ring would
        begin anew at each page, and whoever resumes under load would never reach it.
        """
        await self._broadcaster.listen()
        self._broadcaster.add(self._wake)
        after, epoch = position.seq, position.epoch or self._broadcaster.epoch
        # Not the epoch of the database: a client that is cut off before the reset would come back
        # with an old seq and this epoch, and would not be told that they do not belong together.
        yield await self._hello(epoch, after)
        while not self._is_over:
            target = self._broadcaster.seq
            page = await self._broadcaster.read(_page_after(after, self._job_id))
            is_known = page.oldest - 1 <= after <= page.last  # else deleted, or not yet there
            if page.epoch != epoch or not is_known:
                async for message in self._start_over(page.oldest):
                    yield message
                return
            seen = [event for event in page.events if self._is_about(event)]
            for events in _parts(seen, lambda event: event.text):
                yield Frame(epoch, events)
            if page.events:
                after = page.events[-1].seq or after
            if len(page.events) < _PAGE_EVENTS and self._job_id is not None:
                after = max(after, target)  # the log holds no more events of this job
            if after >= self._ring.begins_after:
                self._position = self._ring.first
                self._seen_seq = after
                return

    async def _new_messages(self) -> AsyncGenerator[Frame | Notice]:
        """Yield a job's log lines and the events that are new.

        Lines are read after the events that are sent behind them, so a client that learns of a
        job's end has all its lines.
        """
        while True:
            end = self._ring.end
            if self._job_id is not None:
                async for message in self._log_lines(self._job_id):
                    yield message
            while self._position < end and not self._has_left:
                if self._position < self._ring.first:
                    page = await self._broadcaster.read(_page_after(0, None))
                    async for message in self._start_over(page.oldest):
                        yield message
                elif (selected := self._select(self._next())) is not None:
                    yield selected
            if self._has_left or self._position == self._ring.end:
                break

    def _next(self) -> Frame:
        frame = self._ring.at(self._position)
        self._position += 1
        return frame

    def _select(self, frame: Frame) -> Frame | None:
        """Return the part of a frame that is for this listener; None if nothing is.

        A listener that lags gets only the newest progress of each job.
        """
        is_newest = self._position == self._ring.end
        is_all_new = not frame.events or (frame.events[0].seq or 0) > self._seen_seq
        is_everything = self._job_id is None and self._sight is None
        if is_everything and is_newest and is_all_new and not self._withheld:
            return frame
        events = [e for e in frame.events if (e.seq or 0) > self._seen_seq and self._is_about(e)]
        self._withheld |= {e.job_id: e for e in frame.progress if e.job_id and self._is_about(e)}
        progress: Sequence[EncodedEvent] = ()
        if is_newest:
            running = self._broadcaster.progress
            progress = [event for id, event in self._withheld.items() if id in running]
            self._withheld.clear()
        return Frame(frame.epoch, events, progress) if events or progress else None

    def _is_about(self, event: EncodedEvent) -> bool:
        if self._sight is not None and not event.is_seen(self._sight):
            return False
        return self._job_id in (None, event.job_id)

    async def _log_lines(self, job_id: int) -> AsyncGenerator[Notice]:
        is_full = True
        while is_full:
            lines = await self._broadcaster.read(_lines_after(job_id, self._last_line_id))
            texts = [encode(line).decode() for line in lines]
            for part in _parts(texts, str):
                joined = ",".join(part)
                yield Notice("log", f'{{"type":"log","job":{job_id},"lines":[{joined}]}}')
            if lines:
                self._last_line_id = lines[-1].id
            is_full = len(lines) == _PAGE_LINES


def _reset(oldest: int) -> Notice:
    """Return the message that events are missing here."""
    return Notice("reset", encode({"type": "reset", "oldest": oldest}).decode())


def _page_after(after: int, job_id: int | None) -> Callable[[Store], _Page]:
    def read(store: Store) -> _Page:
        events = store.events
        with store.snapshot():
            found = (
                events.after(after, _PAGE_EVENTS, FRAME_BYTES)
                if job_id is None
                else events.of_job(job_id, _PAGE_EVENTS, after)
            )
            epoch, oldest, last = events.epoch(), events.oldest_seq(), events.last_seq()
        return _Page(epoch, oldest, last, [encode_event(event) for event in found])

    return read


def _summary_of(job_id: int) -> Callable[[Store], JobInEvent | None]:
    def read(store: Store) -> JobInEvent | None:
        try:
            return job_in_event_of(store.jobs.get(job_id))
        except NotFound:  # deleted since the client asked for it
            return None

    return read


def _lines_after(job_id: int, after: int) -> Callable[[Store], list[LogLine]]:
    def read(store: Store) -> list[LogLine]:
        lines = store.logs.after(job_id, after, _PAGE_LINES)
        if not lines:
            return []
        rules = store.hidden.of_job(job_id)
        return [log_line_of(line, rules) for line in lines]

    return read


def _parts(items: Iterable[T], text_of: Callable[[T], str]) -> Iterator[list[T]]:
    """Yield the items in order, as many together as fit into a frame; a longer one is alone."""
    part: list[T] = []
    size = 0
    for item in items:
        item_bytes = len(text_of(item).encode())
        if part and size + item_bytes > FRAME_BYTES:
            yield part
            part, size = [], 0
        part.append(item)
        size += item_bytes
    if part:
        yield part
