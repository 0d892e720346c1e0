"""The WebSocket `/ws`: what happens, to whoever watches (contract.md §6).

A client is a bounded queue with a task that empties it into the socket. Whatever a slow client
cannot take is dropped as a whole: it gets `reset` and a fresh `hello`, and the others and the
event loop never notice. A client that resumes reads the log by itself, page by page as fast as
it takes them, until it stands where the broadcaster does; there it joins without a gap.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.broadcaster import Broadcaster, Frame, events_text, frame_of, progress_json
from api.readers import Readers
from shared.errors import NotFound, OrpheusError
from shared.events import Event
from shared.jobs import Job, LogLine, Status
from shared.logs import get_logger
from shared.storage import Store
from shared.wire import log_line_json

_MOST_FRAMES = 64
_MOST_BYTES = 4 * 1_048_576
_PAGE_EVENTS = 500
_PAGE_LINES = 500
_SERVICE_RESTART = 1012  # RFC 6455's registry of close codes
_TRY_AGAIN_LATER = 1013
_LONGEST_REASON = 100

log = get_logger()

Hello = Callable[[Store], dict[str, Any]]
"""Reads what a hello carries besides its seq: counts, workers, types."""


class StreamClient:
    """One WebSocket. `job_id`: only this job's events, and its log lines."""

    def __init__(
        self,
        websocket: WebSocket,
        broadcaster: Broadcaster,
        readers: Readers,
        hello: Hello,
        job_id: int | None,
    ) -> None:
        self._websocket = websocket
        self._broadcaster = broadcaster
        self._readers = readers
        self._hello = hello
        self._job_id = job_id
        self._frames: deque[str] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        if job_id is not None:
            self._wake.set()  # what its log holds already comes first
        self._is_lost = False
        self._is_gone = False
        self._seen_seq = 0
        self._last_line_id = 0
        self._last_progress: tuple[float | None, str | None] = (None, None)

    async def run(self, after: int | None) -> None:
        """Greet, resume after `after` if given, and send on until the client is gone."""
        receiving = asyncio.create_task(self._receive())
        try:
            await self._send_on(after)
        except WebSocketDisconnect:
            pass
        except OrpheusError as error:
            log.warning("stream_closed", reason=str(error))
            await self._websocket.close(_TRY_AGAIN_LATER, str(error)[:_LONGEST_REASON])
        finally:
            self._broadcaster.remove(self)
            receiving.cancel()

    async def _receive(self) -> None:
        """A client has nothing to say; but this is where its end is seen."""
        while (await self._websocket.receive())["type"] != "websocket.disconnect":
            pass
        self._is_gone = True
        self._wake.set()

    # What the broadcaster calls.

    def events(self, frame: Frame | None) -> None:
        """Queue the events that are for this client."""
        if frame is not None:
            is_all_new = not frame.events or frame.events[0][0] > self._seen_seq
            if self._job_id is None and is_all_new:
                self._queue(frame.text)
            else:
                self._queue_some(frame)
        self._wake.set()

    def _queue_some(self, frame: Frame) -> None:
        mine = [
            text
            for seq, job_id, text in frame.events
            if seq > self._seen_seq and self._job_id in (None, job_id)
        ]
        if mine:
            self._queue(events_text(mine))

    def heartbeat(self, text: str) -> None:
        """Queue a heartbeat, unless the client has not even taken what went before."""
        if not self._frames:
            self._queue(text)

    def lost(self) -> None:
        """Begin anew: what was queued is void."""
        self._frames.clear()
        self._bytes = 0
        self._is_lost = True
        self._wake.set()

    def released(self) -> None:
        """Look up, and see that the stream ends here."""
        self._wake.set()

    def _queue(self, text: str) -> None:
        if len(self._frames) >= _MOST_FRAMES or (
            self._frames and self._bytes + len(text) > _MOST_BYTES
        ):
            self._broadcaster.remove(self)
            self.lost()
            return
        self._frames.append(text)
        self._bytes += len(text)
        self._wake.set()

    # What the client's own task does.

    async def _send_on(self, after: int | None) -> None:
        await (self._greet() if after is None else self._resume(after))
        while not (self._is_gone or self._broadcaster.closed):
            await self._wake.wait()
            self._wake.clear()
            while self._frames:
                text = self._frames.popleft()
                self._bytes -= len(text)
                await self._websocket.send_text(text)
            if self._is_lost:
                self._is_lost = False
                await self._reset()
            elif self._job_id is not None:
                await self._follow_job(self._job_id)
        if not self._is_gone:
            await self._websocket.close(_SERVICE_RESTART, "come back with ?after=")

    async def _greet(self) -> None:
        """Join the broadcast, and say where it stands before anything of it."""
        await self._broadcaster.listen()
        self._broadcaster.add(self)
        await self._say_hello(self._broadcaster.seq)

    async def _say_hello(self, seq: int) -> None:
        await self._send({"type": "hello", "seq": seq, **await self._readers.read(self._hello)})

    async def _reset(self) -> None:
        oldest, _ = await self._readers.read(_kept_events)
        await self._send({"type": "reset", "oldest": oldest})
        await self._greet()

    async def _resume(self, after: int) -> None:
        """Send what the log holds after `after`, then join where the broadcast stands."""
        await self._say_hello(after)
        oldest, last = await self._readers.read(_kept_events)
        if not oldest - 1 <= after <= last:  # swept, or counted in another database
            await self._reset()
            return
        self._seen_seq = after  # the broadcast may stand a moment behind
        while True:
            await self._broadcaster.listen()
            target = self._broadcaster.seq
            if after >= target:
                break
            page = await self._readers.read(self._page_after(after))
            page = [event for event in page if event.seq <= target]
            if page:
                await self._websocket.send_text(frame_of(page).text)
            after = page[-1].seq if len(page) == _PAGE_EVENTS else target
        self._broadcaster.add(self)

    def _page_after(self, after: int) -> Callable[[Store], list[Event]]:
        job_id = self._job_id
        if job_id is None:
            return lambda store: store.events.after(after, _PAGE_EVENTS)
        return lambda store: store.events.of_job(job_id, _PAGE_EVENTS, after)

    async def _follow_job(self, job_id: int) -> None:
        """Send the job's new log lines, and its progress if it moved."""

        def read(store: Store) -> tuple[list[LogLine], Job]:
            with store.snapshot():
                lines = store.logs.after(job_id, self._last_line_id, _PAGE_LINES)
                return lines, store.jobs.get(job_id)

        try:
            lines, job = await self._readers.read(read)
        except NotFound:  # deleted, as the last event told
            return
        if lines:
            self._last_line_id = lines[-1].id
            shown = [log_line_json(line) for line in lines]
            await self._send({"type": "log", "job": job_id, "lines": shown})
        if len(lines) == _PAGE_LINES:
            self._wake.set()
        progress = (job.progress, job.message)
        if job.status is Status.IN_PROGRESS and progress not in (self._last_progress, (None, None)):
            await self._send({"type": "events", "events": [progress_json(job)]})
        self._last_progress = progress

    async def _send(self, message: dict[str, Any]) -> None:
        await self._websocket.send_text(orjson.dumps(message).decode())


def _kept_events(store: Store) -> tuple[int, int]:
    """The oldest seq that is kept and the newest, of one moment: an empty log may be filling."""
    with store.snapshot():
        return store.events.oldest_seq(), store.events.last_seq()
