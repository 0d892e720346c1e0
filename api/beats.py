"""Sends heartbeats from a thread of its own, so that a stuck event loop can be noticed.

At each multiple of the interval the thread asks the event loop for a turn, and tells the
supervisor how many turns the loop has made. Each turn writes the heartbeat row through the API's
writer, so the row shows that loop, writer and database work. While a write takes too long, the beat
says that the database is in trouble, and the supervisor does not kill the API for it.
"""

import asyncio
import contextlib
import threading
import time

from msgspec.structs import replace

from orpheus.api.database.writer import Writer
from orpheus.api.http.problems import Refusal
from orpheus.shared.domain.processes import ProcessRecord
from orpheus.shared.errors import StorageError
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.clock import next_multiple_s


class Beats:
    """Sends the heartbeats of the process that `record` describes, from `start` to `stop`.

    Call both on the event loop. `channel` leads to the supervisor; None without one.
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
        self._row_began_s = 0.0
        self._database_ok = True
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beats", daemon=True)

    def start(self) -> None:
        """Start the thread, which sends the first beat at once."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def ready(self) -> None:
        """Say that the process accepts requests."""
        self._ready = True
        if self._channel is not None:
            self._channel.send({"say": "ready"})
        self._turn()

    async def stop(self) -> None:
        """Stop beating and delete the row. If the database does not answer, the row expires."""
        self._stopped.set()
        if self._row is not None:
            await asyncio.wait([self._row])
        if self._database_ok:  # a locked database has delayed the stop long enough
            with contextlib.suppress(StorageError, Refusal):
                await self._writer.write(
                    lambda store: store.processes.forget(self._record.incarnation), durable=False
                )

    def _run(self) -> None:
        beat = 0
        while not self._stopped.wait(self._until_next_s() if beat else 0):
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

    def _until_next_s(self) -> float:
        now_s = time.monotonic()
        return next_multiple_s(now_s, self._interval_s) - now_s

    def _turn(self) -> None:
        """Count a turn of the event loop, and write the row unless the last write still runs.

        The first turns follow each other quickly: at the start, when the API is ready, and at the
        next multiple of the interval. So an unfinished write means trouble only after some time.
        """
        self._turns += 1
        if self._row is None or self._row.done():
            self._row_began_s = time.monotonic()
            self._row = self._loop.create_task(self._write_row(self._turns))
        elif time.monotonic() - self._row_began_s >= self._interval_s / 2:
            self._database_ok = False

    async def _write_row(self, beat: int) -> None:
        incarnation, ready = self._record.incarnation, self._ready
        try:
            known = await self._writer.write(
                lambda store: store.processes.beat(
                    incarnation, ready=ready, beat=beat, job_id=None, jobs_done=0
                ),
                durable=False,
            )
            if not known:  # the first beat, or the supervisor took this process for dead
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
