"""Reads the event log once for all listeners, and passes it on in order.

The API's bell rings at each commit; the log is read only while somebody listens. Each turn reads
what follows the last event read. So no event is missed or sent twice, and a thousand listeners cost
one read. A quiet stream is passed on at once. A busy one is gathered, so that a client gets a frame
every 250 ms instead of one for each event.

While a new API process replaces an old one, both listen to one bell, and a ring wakes only one of
them. So the old one rings again when it stops listening, and the new one reads what it would have
missed.

If the log grows faster than it can be passed on, it is not queued without bound: the broadcaster
jumps to its end, and its listeners start over with a hello.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import msgspec

from orpheus.api.database.readers import Readers
from orpheus.api.database.shared_read import SharedRead
from orpheus.api.stream.messages import EncodedEvent, Frame, Notice, encode_event
from orpheus.api.stream.progress import Progress, progress_since
from orpheus.api.stream.ring import Ring
from orpheus.shared.domain.access import Scope
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Status
from orpheus.shared.logs import get_logger
from orpheus.shared.messages.encoding import encode
from orpheus.shared.process.doorbells import Bell
from orpheus.shared.storage import Budget, Store

T = TypeVar("T")

FRAME_GAP_S = 0.25
HEARTBEAT_S = 1.0
_WAITER_GAP_S = 0.01  # between two reads of the log for requests that wait for a job's end
_TROUBLE_PAUSE_S = 1.0
_COUNT_S = 0.01
# Keep a frame below 1 MiB, the limit of common clients: an event is sent about a quarter longer
# than it is stored.
FRAME_EVENTS = 2_000
FRAME_BYTES = 800_000
MOST_BEHIND = 100_000
"""A listener that is further behind than this does not get the events: it starts over."""
_MOST_READS = 32
_ENDS = frozenset({Kind.JOB_DONE, Kind.JOB_FAILED, Kind.JOB_CANCELLED})

log = get_logger()


class _News(msgspec.Struct, frozen=True):
    """What one read of the log found."""

    events: Sequence[EncodedEvent]
    read_bytes: int
    last_seq: int
    epoch: str
    progress: Progress
    """The progress of every running job."""
    progressed: Sequence[EncodedEvent]
    """An event for each job whose progress changed."""


def _set_all(events: Iterable[asyncio.Event]) -> None:
    """Wake all who wait for these."""
    for event in events:
        event.set()


def _end_of_log(store: Store) -> tuple[int, str]:
    """Return the seq of the newest event, and the history it belongs to."""
    with store.snapshot():
        return store.events.last_seq(), store.events.epoch()


def _counts_within(sight: Scope, store: Store) -> dict[str, int]:
    with store.snapshot():
        return {
            status.value: store.lists.total(JobFilter(status, scope=sight), Budget(_COUNT_S)).value
            for status in Status
        }


def _news_after(seq: int, room: tuple[int, int], sent: Progress | None) -> Callable[[Store], _News]:
    """Return a read of the events after `seq` that `room` (events, bytes) allows.

    It also reads the progress that changed since `sent`, which was sent last; not if that is None
    or there are more events than were read. All is read in one snapshot, so that no job progresses
    before it started or after it ended.
    """

    def read(store: Store) -> _News:
        with store.snapshot():
            events = store.events.after(seq, *(max(0, left) for left in room))
            last_seq, epoch = store.events.last_seq(), store.events.epoch()
            has_more = (events[-1].seq if events else seq) < last_seq
            now: Progress = sent or {}
            progressed: Sequence[EncodedEvent] = ()
            if sent is not None and not has_more:
                now, progressed = progress_since(store, sent)
        read_bytes = sum(len(event.body.encode()) for event in events)
        encoded = [encode_event(event) for event in events]
        return _News(encoded, read_bytes, last_seq, epoch, now, progressed)

    return read


class Broadcaster:
    """Feeds the listeners of one event loop.

    `overview` reads what a heartbeat carries (workers and counts), `greeting` what a hello carries
    besides its seq.
    """

    def __init__(
        self,
        readers: Readers,
        bell: Bell,
        overview: Callable[[Store], Mapping[str, Any]],
        greeting: Callable[[Store], Mapping[str, Any]],
    ) -> None:
        self._readers = readers
        self._bell = bell
        self._overview = overview
        self._listeners: set[asyncio.Event] = set()
        self._waiters: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._news = asyncio.Event()
        self._starting = asyncio.Lock()
        self._reads = asyncio.Semaphore(_MOST_READS)
        self._task: asyncio.Task[None] | None = None
        self._is_reading = False
        self._read_seq = 0
        self._unsent: list[EncodedEvent] = []
        self._unsent_bytes = 0
        self._next_frame_at = 0.0
        self._rang = False
        self.ring = Ring()
        self.seq = 0
        """The seq of the last event that was passed on."""
        self.epoch = ""
        """The history of the database that the events belong to."""
        self.progress: Progress = {}
        """The progress of the running jobs at the last frame."""
        self.heartbeat: Notice | None = None
        """The newest heartbeat."""
        self.closed = False
        """How often a listener lost events and started over."""
        self.greeting = SharedRead(lambda: self.read(greeting))
        self._counts: dict[Scope, SharedRead[dict[str, int]]] = {}

    async def read(self, read: Callable[[Store], T]) -> T:
        """Read for a listener: only few at a time, so that other requests find a reader."""
        async with self._reads:
            return await self._readers.read(read)

    async def counts(self, sight: Scope) -> dict[str, int]:
        """Return how many jobs of each status a caller may see, up to 10,000 if types are hidden.

        Callers that see the same share a read.
        """
        if sight not in self._counts:
            self._counts[sight] = SharedRead(lambda: self.read(partial(_counts_within, sight)))
        return await self._counts[sight].get()

    async def listen(self) -> None:
        """Start to read the log unless it is being read; then `seq` and `ring` are current."""
        async with self._starting:
            if self._is_reading:
                return
            self._bell.drain()  # earlier rings are about events before the end that is read now
            self._begin_at(*await self._readers.read(_end_of_log))
            self._is_reading = True
            self._news.set()  # a ring that came meanwhile was not followed by a read
            self._start()

    def add(self, wake: asyncio.Event) -> None:
        """Set `wake` whenever something may be new. Call it right after `listen`."""
        self._listeners.add(wake)

    def remove(self, wake: asyncio.Event) -> None:
        """Stop setting `wake`."""
        self._listeners.discard(wake)

    @contextlib.asynccontextmanager
    async def end_of(self, job_id: int) -> AsyncIterator[asyncio.Event]:
        """Yield an event that is set when the job may have ended since the block was entered."""
        ended = asyncio.Event()
        waiting = self._waiters[job_id]
        waiting.add(ended)
        try:
            await self.listen()
            yield ended
        finally:
            waiting.discard(ended)
            if not waiting:
                self._waiters.pop(job_id, None)

    def release_all(self) -> None:
        """Wake every listener, and every request that waits for a job's end: the server stops."""
        self.closed = True
        self._wake_waiters(self._waiters)
        _set_all(self._listeners)
        asyncio.get_running_loop().remove_reader(self._bell)
        self._bell.ring()

    async def close(self) -> None:
        """Stop reading; the broadcaster cannot be used afterwards."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._bell.close()

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Read turn by turn while somebody listens, with a heartbeat each second."""
        loop = asyncio.get_running_loop()
        if not self.closed:
            loop.add_reader(self._bell, self._ring)
        beats = asyncio.create_task(self._beat())
        try:
            while self._listeners or self._waiters:
                await self._survive(self._turn)
        finally:
            self._is_reading = False
            beats.cancel()
            loop.remove_reader(self._bell)

    def _ring(self) -> None:
        self._bell.drain()
        self._rang = True
        self._news.set()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._news.set()  # look for events even if a ring was lost
            await self._survive(self._heartbeat)

    async def _heartbeat(self) -> None:
        if not self._listeners:
            return
        overview = await self._readers.read(self._overview)
        text = encode({"type": "heartbeat", "at": datetime.now(UTC), **overview}).decode()
        self.heartbeat = Notice("heartbeat", text)
        _set_all(self._listeners)

    async def _survive(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run `step`; if it fails, log it and pause: the stream survives a locked database."""
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - the stream must survive every error
            log.warning("stream_delayed", reason=str(error) or type(error).__name__)
            await asyncio.sleep(_TROUBLE_PAUSE_S)
            self._news.set()

    async def _turn(self) -> None:
        """Wait for news, read it, wake who waits for a job that ended, and pass it on when due."""
        await self._news.wait()
        if not (self._listeners or self._waiters):
            self._is_reading = False  # whoever listens next begins at the end of the log
        if not self._is_reading:
            self._news.clear()
            return
        loop = asyncio.get_running_loop()
        until_frame_s = self._next_frame_at - loop.time()
        if until_frame_s > 0:
            room_events, room_bytes = self._room()
            reads_on = self._waiters and min(room_events, room_bytes) > 0
            await asyncio.sleep(_WAITER_GAP_S if reads_on else until_frame_s)
        self._news.clear()
        is_due = not self._listeners or loop.time() >= self._next_frame_at
        sent = self.progress if self._listeners and is_due else None
        news = await self._readers.read(_news_after(self._read_seq, self._room(), sent))
        is_behind = news.last_seq - self.seq > MOST_BEHIND
        is_another = news.epoch != self.epoch or news.last_seq < self._read_seq
        if is_another or (is_behind and self._listeners):
            self._jump_to(news.last_seq, news.epoch)
            return
        self._keep(news)
        if is_due:
            self._pass_on(news)
        elif self._unsent or self._rang:
            self._news.set()  # pass it on when it is due
        if self._read_seq < news.last_seq:
            self._news.set()  # there is more to read

    def _room(self) -> tuple[int, int]:
        """Return how many events, and bytes of them, still fit into the next frame."""
        return FRAME_EVENTS - len(self._unsent), FRAME_BYTES - self._unsent_bytes

    def _keep(self, news: _News) -> None:
        if news.events:
            self._read_seq = news.events[-1].seq or self._read_seq
            self._unsent += news.events
            self._unsent_bytes += news.read_bytes
            self._wake_waiters(e.job_id for e in news.events if e.job_id and e.kind in _ENDS)

    def _pass_on(self, news: _News) -> None:
        if not (self._unsent or self._rang or news.progressed):
            return
        self._next_frame_at = asyncio.get_running_loop().time() + FRAME_GAP_S
        self.progress = news.progress
        if self._listeners and (self._unsent or news.progressed):
            self.ring.append(Frame(self.epoch, tuple(self._unsent), news.progressed))
        elif self._unsent:
            self.ring.begin(self._read_seq)  # nobody listened
        self._unsent, self._unsent_bytes = [], 0
        self.seq = self._read_seq
        self._rang = False
        _set_all(self._listeners)

    def _jump_to(self, seq: int, epoch: str) -> None:
        log.warning("stream_jumped", skipped=seq - self.seq, listeners=len(self._listeners))
        self._begin_at(seq, epoch)
        self._wake_waiters(self._waiters)
        _set_all(self._listeners)

    def _begin_at(self, seq: int, epoch: str) -> None:
        self._read_seq = self.seq = seq
        self.epoch = epoch
        self._unsent, self._unsent_bytes = [], 0
        self.progress = {}
        self.ring.begin(seq)

    def _wake_waiters(self, job_ids: Iterable[int]) -> None:
        for job_id in job_ids:
            _set_all(self._waiters.get(job_id, ()))
