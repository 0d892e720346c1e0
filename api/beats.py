"""Signs of life, on a thread of their own, so that a stuck event loop shows as what it is.

Each interval the thread asks the loop to turn, and tells the supervisor how often it has. The
loop's turn writes the heartbeat row through the API's own writer, so the row proves the whole way
from the loop to the disk; while that takes too long, the beat says that the database is in
trouble, and the supervisor knows not to kill for it.
"""

import asyncio
import contextlib
import threading
from dataclasses import replace

from orpheus.api.database.writer import Writer
from orpheus.api.http.problems import Refusal
from orpheus.shared.domain.processes import ProcessRecord
from orpheus.shared.errors import StorageError
from orpheus.shared.process.channel import Channel


class Beats:
    """Beats for the process that `record` describes, from `start` to `stop`, both on the loop.

    `channel` is the supervisor's, None without one.
    """

    def __init__(
        self, channel: Channel | None, record: ProcessRecord, writer: Writer, interval_s: float
    ) -> None:
        self._channel = channel
        self._record = record
        self._writer = writer
        self._interval_s = interval_s
        self._ready = False
        self._turns = 0
        self._row: asyncio.Task[None] | None = None
        self._database_ok = True
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="beats", daemon=True)

    def start(self) -> None:
        """The first beat, and the thread for those that follow."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def ready(self) -> None:
        """The process accepts requests from now on."""
        self._ready = True
        if self._channel is not None:
            self._channel.send({"say": "ready"})
        self._turn()

    async def stop(self) -> None:
        """The last beat was: take the row away, if the database lets us. Else it grows old."""
        self._stopped.set()
        if self._row is not None:
            await asyncio.wait([self._row])
        if self._database_ok:  # a locked one has held up the last beat for long enough
            with contextlib.suppress(StorageError, Refusal):
                await self._writer.write(
                    lambda store: store.processes.forget(self._record.incarnation), durable=False
                )

    def _beat_on(self) -> None:
        beat = 0
        while not self._stopped.wait(self._interval_s if beat else 0):
            beat += 1
            self._loop.call_soon_threadsafe(self._turn)
            if self._channel is not None:
                self._channel.send(
                    {
                        "say": "beat",
                        "beat": beat,
                        "loop": self._turns,
                        "job": None,
                        "jobs_done": 0,
                        "database_ok": self._database_ok,
                    }
                )

    def _turn(self) -> None:
        """On the event loop: it turns."""
        self._turns += 1
        if self._row is None or self._row.done():
            self._row = self._loop.create_task(self._beat_row(self._turns))
        else:
            self._database_ok = False

    async def _beat_row(self, beat: int) -> None:
        incarnation, ready = self._record.incarnation, self._ready
        try:
            known = await self._writer.write(
                lambda store: store.processes.beat(
                    incarnation, ready=ready, beat=beat, job_id=None, jobs_done=0
                ),
                durable=False,
            )
            if not known:  # the first time, or somebody took this process for dead
                await self._register(beat)
        except (StorageError, Refusal):
            self._database_ok = False
        else:
            self._database_ok = True

    async def _register(self, beat: int) -> None:
        await self._writer.write(
            lambda store: store.processes.register(
                replace(
                    self._record,
                    ready=self._ready,
                    beat=beat,
                    last_beat_mono_ms=store.clock.monotonic_ms(),
                )
            ),
            durable=False,
        )
