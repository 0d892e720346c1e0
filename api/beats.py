"""Sends heartbeats from the event loop: if it is stuck, they stop, and the supervisor ends the API.

Each beat also has the heartbeat row written, through the API's writer: so the row shows that loop,
writer and database work. While that fails or takes too long, the beat says that the database is in
trouble, and the supervisor does not kill the API for it. Nobody waits for the row, so a beat wakes
the event loop and the writer once each.
"""

import asyncio
import contextlib
import time
from functools import partial

from msgspec.structs import replace

from orpheus.api.database.writer import Writer
from orpheus.api.http.problems import Refusal
from orpheus.shared.domain.processes import ProcessRecord
from orpheus.shared.errors import StorageError
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.clock import next_multiple_s
from orpheus.shared.storage import Store


class Beats:
    """Sends the heartbeats of the process that `record` describes, from `start` to `stop`.

    Call all methods on the event loop. `channel` leads to the supervisor; None without one.
    """

    def __init__(
        self, channel: Channel | None, record: ProcessRecord, writer: Writer, interval_s: float
    ) -> None:
        self._channel = channel
        self._record = record
        self._writer = writer
        self._interval_s = interval_s
        self._ready = False
        self._beat = 0
        self._database_ok = True
        self._row_waits = False
        """A row was asked for, and is not written yet."""
        self._row_began_s = 0.0
        """When it was asked for (time.monotonic)."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Send the first beat now, and one at each multiple of the interval."""
        self._turn()

    def ready(self) -> None:
        """Say that the process accepts requests."""
        self._ready = True
        if self._channel is not None:
            self._channel.send({"say": "ready"})
        self._put(time.monotonic())  # also if the first row still waits

    async def stop(self) -> None:
        """Stop beating and delete the row. If the database does not answer, the row expires."""
        if self._timer is not None:
            self._timer.cancel()
        if self._database_ok:  # else it has delayed the stop long enough
            with contextlib.suppress(StorageError, Refusal):
                await self._writer.write(
                    lambda store: store.processes.forget(self._record.incarnation), durable=False
                )

    def _turn(self) -> None:
        now_s = time.monotonic()
        in_s = next_multiple_s(now_s, self._interval_s) - now_s
        self._timer = asyncio.get_running_loop().call_later(in_s, self._turn)
        self._write_row(now_s)
        if self._channel is not None:
            self._channel.send(
                {
                    "say": "beat",
                    "beat": self._beat,
                    "loop": self._beat,
                    "job": None,
                    "jobs_done": 0,
                    "database_ok": self._database_ok,
                }
            )

    def _write_row(self, now_s: float) -> None:
        """Have the row written, unless the last one still waits for it.

        The first beats follow each other quickly: at the start, when the API is ready, and at the
        next multiple of the interval. So an unfinished write means trouble only after some time.
        """
        self._beat += 1
        if not self._row_waits:
            self._put(now_s)
        elif now_s - self._row_began_s >= self._interval_s / 2:
            self._database_ok = False

    def _put(self, now_s: float) -> None:
        self._row_waits, self._row_began_s = True, now_s
        self._writer.put(partial(self._put_row, self._beat, self._ready), self._row_is_written)

    # In the writer's thread

    def _put_row(self, beat: int, ready: bool, store: Store) -> None:
        mine = self._record.incarnation
        if not store.processes.beat(mine, ready=ready, beat=beat, job_id=None, jobs_done=0):
            # The first beat, or the supervisor took this process for dead.
            now_ms = store.clock.monotonic_ms()
            store.processes.register(
                replace(self._record, ready=ready, beat=beat, last_beat_mono_ms=now_ms)
            )

    def _row_is_written(self, error: Exception | None) -> None:
        self._database_ok = error is None
        self._row_waits = False
