"""Following the stream (contract.md §6): hello, then every event, at a listener's own pace.

A listener is a place in the broadcaster's ring, whatever carries it to the client
(api/stream/websocket.py, api/stream/sse.py). One that is too slow for the ring gets `reset` and a
fresh hello, and the others and the event loop never notice. One that resumes
reads the log by itself, page by page as fast as it takes them, until it is where the ring begins;
there it goes on without a gap.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from orpheus.api.stream.broadcaster import FRAME_BYTES, Broadcaster
from orpheus.api.stream.messages import Frame, Item, Said, item_of
from orpheus.shared.domain.jobs import LogLine
from orpheus.shared.storage import Store
from orpheus.shared.views.jobs import log_line_json

_PAGE_EVENTS = 500
_PAGE_LINES = 500


@dataclass(frozen=True, slots=True)
class _Page:
    """A part of the log: of one moment, as an empty log may be filling."""

    oldest: int
    last: int
    events: Sequence[Item]


class Listener:
    """One who follows. `job_id`: only this job's events, and its log lines."""

    def __init__(self, broadcaster: Broadcaster, job_id: int | None = None) -> None:
        self._broadcaster = broadcaster
        self._ring = broadcaster.ring
        self._job_id = job_id
        self._wake = asyncio.Event()
        self._is_gone = False
        self._place = 0
        self._seen_seq = 0
        self._withheld: dict[int, Item] = {}
        self._heartbeat = broadcaster.heartbeat
        self._last_line_id = 0

    def leave(self) -> None:
        """End `follow` soon."""
        self._is_gone = True
        self._wake.set()

    async def follow(self, after: int | None) -> AsyncGenerator[Frame | Said]:
        """What to send, the next when that is on its way: from now on, or after `after`.

        Ends when the listener left, or the stream ends here (`Broadcaster.closed`). Raises
        OrpheusError where the database cannot be read.
        """
        try:
            async for message in self._greet() if after is None else self._resume(after):
                yield message
            self._wake.set()  # what a job's log holds already comes at once
            while not (self._is_gone or self._broadcaster.closed):
                await self._wake.wait()
                self._wake.clear()
                async for message in self._news():
                    yield message
        finally:
            self._broadcaster.remove(self._wake)

    async def _greet(self) -> AsyncGenerator[Said]:
        """Join at the ring's end, and say where that is before anything of it."""
        await self._broadcaster.listen()
        self._broadcaster.add(self._wake)
        self._place = self._ring.end
        self._seen_seq = self._broadcaster.seq
        self._withheld.clear()
        yield await self._hello(self._seen_seq)

    async def _hello(self, seq: int) -> Said:
        text = orjson.dumps({"type": "hello", "seq": seq, **await self._broadcaster.hello.get()})
        return Said("hello", text.decode(), seq)

    async def _begin_anew(self, oldest: int) -> AsyncGenerator[Said]:
        self._broadcaster.resets += 1
        yield Said("reset", orjson.dumps({"type": "reset", "oldest": oldest}).decode())
        async for message in self._greet():
            yield message

    async def _resume(self, after: int) -> AsyncGenerator[Frame | Said]:
        """Send what the log holds after `after` until the ring holds the rest."""
        yield await self._hello(after)
        while True:
            await self._broadcaster.listen()
            target = self._broadcaster.seq
            page = await self._broadcaster.read(_page_after(after, self._job_id))
            if not page.oldest - 1 <= after <= page.last:  # swept, or of another database
                async for message in self._begin_anew(page.oldest):
                    yield message
                return
            for events in _parts(page.events):
                yield Frame(events)
                after = events[-1].seq or after
            if len(page.events) < _PAGE_EVENTS and self._job_id is not None:
                after = max(after, target)  # there are no more of this job
            await self._broadcaster.listen()
            if after >= self._ring.begins_after:
                self._broadcaster.add(self._wake)
                self._place = self._ring.first
                self._seen_seq = after
                return

    async def _news(self) -> AsyncGenerator[Frame | Said]:
        """What is new: a job's log lines and the events, then the newest heartbeat.

        Lines are read after the events that are sent behind them: so whoever reads of a job's
        end has all its lines.
        """
        while True:
            end = self._ring.end
            if self._job_id is not None:
                async for message in self._log_of(self._job_id):
                    yield message
            while self._place < end and not self._is_gone:
                if self._place < self._ring.first:
                    page = await self._broadcaster.read(_page_after(0, None))
                    async for message in self._begin_anew(page.oldest):
                        yield message
                elif (mine := self._mine(self._next())) is not None:
                    yield mine
            if self._is_gone or self._place == self._ring.end:
                break
        newest = self._broadcaster.heartbeat
        if newest is not None and newest is not self._heartbeat:
            self._heartbeat = newest
            yield newest

    def _next(self) -> Frame:
        frame = self._ring.at(self._place)
        self._place += 1
        return frame

    def _mine(self, frame: Frame) -> Frame | None:
        """What of a frame is for this listener: of progress only the newest, if it lags."""
        is_newest = self._place == self._ring.end
        is_all_new = not frame.events or (frame.events[0].seq or 0) > self._seen_seq
        if self._job_id is None and is_newest and is_all_new and not self._withheld:
            return frame
        events = [e for e in frame.events if (e.seq or 0) > self._seen_seq and self._is_about(e)]
        self._withheld |= {e.job_id: e for e in frame.progress if e.job_id and self._is_about(e)}
        progress: Sequence[Item] = ()
        if is_newest:
            running = self._broadcaster.progress
            progress = [item for id, item in self._withheld.items() if id in running]
            self._withheld.clear()
        return Frame(events, progress) if events or progress else None

    def _is_about(self, item: Item) -> bool:
        return self._job_id in (None, item.job_id)

    async def _log_of(self, job_id: int) -> AsyncGenerator[Said]:
        is_full = True
        while is_full:
            lines = await self._broadcaster.read(_lines_after(job_id, self._last_line_id))
            for part in _parts([_log_item(job_id, line) for line in lines]):
                texts = ",".join([item.text for item in part])
                yield Said("log", f'{{"type":"log","job":{job_id},"lines":[{texts}]}}')
            if lines:
                self._last_line_id = lines[-1].id
            is_full = len(lines) == _PAGE_LINES


def _page_after(after: int, job_id: int | None) -> Callable[[Store], _Page]:
    def read(store: Store) -> _Page:
        events = store.events
        with store.snapshot():
            found = (
                events.after(after, _PAGE_EVENTS, FRAME_BYTES)
                if job_id is None
                else events.of_job(job_id, _PAGE_EVENTS, after)
            )
            oldest, last = events.oldest_seq(), events.last_seq()
        return _Page(oldest, last, [item_of(event) for event in found])

    return read


def _lines_after(job_id: int, after: int) -> Callable[[Store], list[LogLine]]:
    return lambda store: store.logs.after(job_id, after, _PAGE_LINES)


def _log_item(job_id: int, line: LogLine) -> Item:
    return Item(None, job_id, "log", orjson.dumps(log_line_json(line)).decode())


def _parts(items: Iterable[Item]) -> Iterator[list[Item]]:
    """In order, as many together as fit into a frame; what is longer is alone."""
    part: list[Item] = []
    size = 0
    for item in items:
        item_bytes = len(item.text.encode())
        if part and size + item_bytes > FRAME_BYTES:
            yield part
            part, size = [], 0
        part.append(item)
        size += item_bytes
    if part:
        yield part
