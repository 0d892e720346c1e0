"""What every slot did in each of the last 60 seconds, so that charts are full from the start.

While somebody looks, the API reads the slots each second anyway. This always does so, and keeps the
last minute in memory: a page that is opened after something went wrong shows what happened. A
second in which the slots could not be read has an empty sample, so that the gap is seen. Each
reading goes to `also`, too: the watch on the start needs the same slots as often.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from orpheus.api.database.readers import Readers
from orpheus.shared.logs import get_logger
from orpheus.shared.messages.workers import Samples, Worker
from orpheus.shared.storage import Store

EVERY_S = 1.0
KEPT = 60

log = get_logger()


class _Sample(NamedTuple):
    cpu_percent: float | None
    rss_bytes: int | None
    jobs_done: int | None
    working: bool | None


_EMPTY = _Sample(None, None, None, None)


class SampleRing:
    """The samples of each slot. `run` is a task; a slot that is gone is forgotten."""

    def __init__(
        self,
        readers: Readers,
        read_slots: Callable[[Store], Sequence[Worker]],
        also: Callable[[Sequence[Worker]], object],
    ) -> None:
        self._readers = readers
        self._read_slots = read_slots
        self._also = also
        self._kept: dict[tuple[str, str], deque[_Sample]] = {}

    async def run(self) -> None:
        """Take a sample each second, whatever goes wrong; log when that begins."""
        loop = asyncio.get_running_loop()
        due, is_failing = loop.time(), False
        while True:
            slots: Sequence[Worker] | None = None
            try:
                slots = await self._readers.read(self._read_slots)
            except Exception as error:  # noqa: BLE001 - else an old minute would stay for ever
                if not is_failing:
                    log.warning("samples_missed", reason=str(error) or type(error).__name__)
            is_failing = slots is None
            late = int((loop.time() - due) / EVERY_S)
            self.miss(late + is_failing)
            if slots is not None:
                self.take(slots)
                self._also(slots)
            due += (late + 1) * EVERY_S
            await asyncio.sleep(due - loop.time())

    def miss(self, seconds: int) -> None:
        """Add an empty sample of each slot for each of these seconds."""
        for kept in self._kept.values():
            kept.extend([_EMPTY] * min(seconds, KEPT))

    def take(self, slots: Sequence[Worker]) -> None:
        """Add a sample of each slot."""
        before, self._kept = self._kept, {}
        for slot in slots:
            key = (slot.host, slot.slot)
            kept = self._kept[key] = before.get(key) or deque(maxlen=KEPT)
            working = slot.job is not None
            kept.append(_Sample(slot.cpu_percent, slot.rss_bytes, slot.jobs_done, working))

    def of(self, slot: Worker) -> Samples:
        """Return the samples of a slot."""
        kept = self._kept.get((slot.host, slot.slot), ())
        return Samples(
            cpu_percent=[sample.cpu_percent for sample in kept],
            rss_bytes=[sample.rss_bytes for sample in kept],
            jobs_done=[sample.jobs_done for sample in kept],
            working=[sample.working for sample in kept],
        )
