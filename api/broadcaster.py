"""Reads the event log once for everybody who listens, and hands it on in order.

The API's bell rings at each commit, but nobody reads it while nobody listens. While somebody
does, one turn after another reads what is new after the last event read: so no event is missed,
none comes twice, and a thousand listeners cost one read. A quiet stream is passed on at once; a
busy one is gathered, so that a client gets a frame every 250 ms instead of one for each event.

While a new API takes over from an old one, both listen to the one bell, and a ring wakes only one.
So the old one rings again as it leaves, and no more listens: the new one finds what rang before.

A log that grows faster than it can be passed on is not queued for ever: the broadcaster jumps
to its end and tells its clients, who begin anew with a fresh hello.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from api.readers import Readers
from shared.doorbells import Bell
from shared.events import Event, Kind
from shared.jobs import Job
from shared.logs import get_logger
from shared.storage import Store
from shared.wire import event_json, job_summary_json, rfc3339

FRAME_GAP_S = 0.25
HEARTBEAT_S = 1.0
_WAITER_GAP_S = 0.01  # the log is read at most so often for those who wait for a job's end
_TROUBLE_PAUSE_S = 1.0
_PAGE_EVENTS = 1000
_MOST_BEHIND = 10_000
_ENDS = frozenset({Kind.JOB_DONE, Kind.JOB_FAILED, Kind.JOB_CANCELLED})

log = get_logger()


Progress = Mapping[int, tuple[float | None, str | None]]
"""Job id -> how far it is and what it said, of the jobs that run and have said anything."""


@dataclass(frozen=True, slots=True)
class _Progressed:
    """How far every running job is, and those that are not where they were."""

    now: Progress
    changed: Sequence[Job]


@dataclass(frozen=True, slots=True)
class Frame:
    """Events in order, written once for all: the frame's text, and each event's for some."""

    text: str
    events: tuple[tuple[int, int | None, str], ...]
    """Seq, job id and text of each stored event; `text` may hold progress as well."""


def _news_after(
    seq: int, told: Progress | None
) -> Callable[[Store], tuple[list[Event], int, _Progressed]]:
    """Reads the next events, the log's last seq, and, unless `told` is None, who progressed.

    All of one moment, so that no job progresses before it started or after it ended; and of
    progress nothing while there are more events than one page holds.
    """

    def read(store: Store) -> tuple[list[Event], int, _Progressed]:
        with store.snapshot():
            events = store.events.after(seq, _PAGE_EVENTS)
            last_seq = store.events.last_seq()
            if told is None or len(events) == _PAGE_EVENTS:
                return events, last_seq, _Progressed(told or {}, ())
            now = {
                job.id: (job.progress, job.message)
                for job in store.jobs.running().values()
                if job.progress is not None or job.message is not None
            }
            changed = [store.jobs.get(id) for id in now if now[id] != told.get(id)]
            return events, last_seq, _Progressed(now, changed)

    return read


class Client(Protocol):
    """Who listens to the stream. Nothing here may block."""

    def events(self, frame: Frame | None) -> None:
        """The next events; None: something else may be new (log lines, progress)."""

    def heartbeat(self, text: str) -> None:
        """The frame of each second."""

    def lost(self) -> None:
        """The stream went on without this client; it is not in the broadcaster any more."""

    def released(self) -> None:
        """The stream ends here: `Broadcaster.closed`."""


def frame_of(events: Sequence[Event], progressed: Sequence[Job] = ()) -> Frame:
    """The frame that carries `events`, then the progress of jobs."""
    written = tuple(
        (event.seq, event.job_id, orjson.dumps(event_json(event)).decode()) for event in events
    )
    texts = [text for _, _, text in written]
    texts += [orjson.dumps(progress_json(job)).decode() for job in progressed]
    return Frame(events_text(texts), written)


def progress_json(job: Job) -> dict[str, Any]:
    """The event that tells how far `job` is: of this moment, as it is not stored."""
    return {
        "at": rfc3339(time.time_ns() // 1_000_000),
        "kind": Kind.JOB_PROGRESS,
        "job": job_summary_json(job),
    }


def events_text(texts: Iterable[str]) -> str:
    """A frame of events from the text of each."""
    return '{"type":"events","events":[' + ",".join(texts) + "]}"


class Broadcaster:
    """One for each event loop. `overview` reads what a heartbeat carries: workers and counts."""

    def __init__(
        self, readers: Readers, bell: Bell, overview: Callable[[Store], dict[str, Any]]
    ) -> None:
        self._readers = readers
        self._bell = bell
        self._overview = overview
        self._clients: set[Client] = set()
        self._waiters: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._news = asyncio.Event()
        self._starting = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._read_seq = 0
        self._unsent: list[Event] = []
        self._told: Progress = {}
        self._next_frame_at = 0.0
        self._rang = False
        self.seq = 0
        """The last event that was passed on to the clients."""
        self.closed = False

    async def listen(self) -> None:
        """See to it that the log is being read; `seq` is true from here on."""
        async with self._starting:
            if self._task is not None and not self._task.done():
                return
            self._bell.drain()  # rings from before say nothing new
            self._read_seq = self.seq = await self._readers.read(lambda s: s.events.last_seq())
            self._unsent.clear()
            self._told = {}
            self._task = asyncio.create_task(self._run())

    def add(self, client: Client) -> None:
        """From now on `client` gets every event after `seq`. Call right after `listen` returned."""
        self._clients.add(client)

    def remove(self, client: Client) -> None:
        """Forget `client`."""
        self._clients.discard(client)

    @contextlib.asynccontextmanager
    async def end_of(self, job_id: int) -> AsyncIterator[asyncio.Event]:
        """An event that is set when the job may have ended since the block was entered."""
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
        """Let everyone go who waits for a job's end, or listens: the server is about to stop."""
        self.closed = True
        self._wake_waiters(self._waiters)
        for client in list(self._clients):
            client.released()
        asyncio.get_running_loop().remove_reader(self._bell)
        self._bell.ring()

    async def close(self) -> None:
        """Stop reading, for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._bell.close()

    async def _run(self) -> None:
        """While somebody listens: turn by turn, and a heartbeat each second."""
        loop = asyncio.get_running_loop()
        if not self.closed:
            loop.add_reader(self._bell, self._ring)
        beats = asyncio.create_task(self._beat())
        try:
            while self._clients or self._waiters:
                await self._unless_trouble(self._turn)
        finally:
            beats.cancel()
            loop.remove_reader(self._bell)

    def _ring(self) -> None:
        self._bell.drain()
        self._rang = True
        self._news.set()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._news.set()  # if a ring got lost, this is found now
            await self._unless_trouble(self._heartbeat)

    async def _heartbeat(self) -> None:
        if not self._clients:
            return
        overview = await self._readers.read(self._overview)
        at = rfc3339(time.time_ns() // 1_000_000)
        text = orjson.dumps({"type": "heartbeat", "at": at, **overview}).decode()
        for client in list(self._clients):
            client.heartbeat(text)

    async def _unless_trouble(self, step: Callable[[], Awaitable[None]]) -> None:
        """Streams outlive the database's bad times: say so in the log, and try again."""
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the stream must go on
            log.warning("stream_delayed", reason=str(error) or type(error).__name__)
            await asyncio.sleep(_TROUBLE_PAUSE_S)
            self._news.set()

    async def _turn(self) -> None:
        """Wait for news, read it, release those who wait for a job, and pass it on when due."""
        await self._news.wait()
        loop = asyncio.get_running_loop()
        until_frame_s = self._next_frame_at - loop.time()
        if until_frame_s > 0:
            await asyncio.sleep(_WAITER_GAP_S if self._waiters else until_frame_s)
        self._news.clear()
        is_due = not self._clients or loop.time() >= self._next_frame_at
        told = self._told if self._clients and is_due else None
        events, last_seq, progress = await self._readers.read(_news_after(self._read_seq, told))
        is_behind = last_seq - self.seq > _MOST_BEHIND
        if last_seq < self._read_seq or (is_behind and self._clients):
            self._jump_to(last_seq)
            return
        if events:
            self._read_seq = events[-1].seq
            self._unsent += events
            self._wake_waiters(e.job_id for e in events if e.job_id and e.kind in _ENDS)
        has_news = bool(self._unsent) or self._rang or bool(progress.changed)
        if is_due:
            if has_news:
                self._next_frame_at = loop.time() + FRAME_GAP_S
            self._told = progress.now
            self._pass_on(progress.changed)
        elif has_news:
            self._news.set()  # to pass on when its time comes
        if self._read_seq < last_seq:
            self._news.set()  # there is more to read

    def _pass_on(self, progressed: Sequence[Job]) -> None:
        events, self._unsent = self._unsent, []
        has_some = bool(events or progressed) and bool(self._clients)
        frame = frame_of(events, progressed) if has_some else None
        self.seq = self._read_seq
        self._rang = False
        for client in list(self._clients):  # one that cannot take it leaves
            client.events(frame)

    def _jump_to(self, seq: int) -> None:
        log.warning("stream_jumped", skipped=seq - self.seq, clients=len(self._clients))
        self._unsent.clear()
        self._read_seq = self.seq = seq
        self._wake_waiters(self._waiters)
        clients, self._clients = self._clients, set()
        for client in clients:
            client.lost()

    def _wake_waiters(self, job_ids: Iterable[int]) -> None:
        for job_id in job_ids:
            for ended in self._waiters.get(job_id, ()):
                ended.set()
