"""The stream for people who watch: what happened in a moment, instead of each event of it.

A page cannot show five thousand jobs a second, and each of them is three events of half a kilobyte.
So a listener in this mode gets every event while few come. When many come, it gets their number by
kind and type, which jobs changed, and the newest events. A page that shows one of those jobs reads
it again: what it shows is then at least as new as the summary.

One summary can tell whatever a listener has not seen. So there is no ring here: a listener that was
away, or is slow, gets everything since the last seq that it was sent in one message. All that keep
up get the same message. The database looks into the body of each event for the type of its job, but
only the bodies that are sent leave it.
"""

import asyncio
from collections.abc import AsyncGenerator

from orpheus.api.database.shared_read import SharedRead
from orpheus.api.stream.broadcaster import FRAME_GAP_S, Broadcaster, end_of_log, set_all
from orpheus.api.stream.listener import Follower, Position, hello, reset
from orpheus.api.stream.messages import Frame, Notice
from orpheus.api.stream.progress import Progress
from orpheus.api.stream.summary import MOST_SUMMARISED, Missed, Summary, summary_after


class Summaries:
    """Reads what is new once for all listeners that keep up."""

    def __init__(self, broadcaster: Broadcaster) -> None:
        self.broadcaster = broadcaster
        self._listeners: set[asyncio.Event] = set()
        self._news = asyncio.Event()
        self._starting = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.newest = Summary("", 0, {}, 0, {}, None)
        """What was read last: the log may have grown since."""
        self.end = SharedRead(lambda: broadcaster.read(end_of_log))

    async def join(self, wake: asyncio.Event) -> None:
        """Set `wake` whenever there may be something new; `newest` is kept from now on."""
        async with self._starting:
            self._listeners.add(wake)
            if self._task is None or self._task.done():
                self._begin(await self.end.get())
                self.broadcaster.watch(self._news)
                self._news.set()  # a ring that came meanwhile was not followed by a read
                self._task = asyncio.create_task(self._run())

    def leave(self, wake: asyncio.Event) -> None:
        """Stop setting `wake`."""
        self._listeners.discard(wake)

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """Read turn by turn while somebody listens."""
        loop, next_at = asyncio.get_running_loop(), 0.0
        try:
            while self._listeners and not self.broadcaster.closed:
                await self._news.wait()
                await asyncio.sleep(max(0.0, next_at - loop.time()))
                self._news.clear()
                next_at = loop.time() + FRAME_GAP_S
                await self.broadcaster.survive(self._turn)
        finally:
            self.broadcaster.unwatch(self._news)
            set_all(self._listeners)

    async def _turn(self) -> None:
        last = self.newest
        position = Position(last.seq, last.epoch)
        found = await self.broadcaster.read(summary_after(position, last.progress))
        if isinstance(found, Missed):
            self._begin(await self.end.get())
        else:
            self.newest = found
            if found.seq - found.after == MOST_SUMMARISED:
                self._news.set()  # there is more to read
        set_all(self._listeners)

    def _begin(self, end: tuple[int, str]) -> None:
        seq, epoch = end
        self.newest = Summary(epoch, seq, {}, seq, {}, None)


class SummaryListener(Follower):
    """One client of this mode."""

    def __init__(self, summaries: Summaries) -> None:
        super().__init__(summaries.broadcaster, summaries.leave)
        self._summaries = summaries
        self._seen = Position(0)
        self._known: Progress = {}
        self._sent: Summary | None = None

    async def _begin(self, after: Position | None) -> AsyncGenerator[Frame | Notice]:
        yield await self._greeting(after)

    async def _greeting(self, after: Position | None = None) -> Notice:
        await self._summaries.join(self._wake)
        newest, self._sent = self._summaries.newest, None
        if after is not None:
            seq, epoch, self._known = after.seq, after.epoch or newest.epoch, {}
        else:
            self._known = newest.progress
            seq, epoch = await self._summaries.end.get()  # what the client reads is as new
            if seq >= newest.seq and epoch == newest.epoch:
                self._sent = newest
        self._seen = Position(seq, epoch)
        return await hello(self._broadcaster, epoch, seq)

    async def _new_messages(self) -> AsyncGenerator[Frame | Notice]:
        """Yield what is new since the last seq that was sent."""
        while not self._has_left and (newest := self._summaries.newest) is not self._sent:
            news = await self._news_until(newest)
            if isinstance(news, Missed):
                self._broadcaster.resets += 1
                yield reset(news.oldest)
                yield await self._greeting()
                continue
            self._seen, self._known = Position(news.seq, news.epoch), news.progress
            if news.seq >= newest.seq and news.progress == newest.progress:
                self._sent = newest
            if news.message is not None:
                yield news.message

    async def _news_until(self, newest: Summary) -> Summary | Missed:
        """Return the newest summary if it begins where this client stands, else one that does."""
        if self._seen == Position(newest.after, newest.epoch) and self._known == newest.known:
            return newest
        return await self._broadcaster.read(summary_after(self._seen, self._known, newest))
