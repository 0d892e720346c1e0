"""Whether the start is over: every slot has been ready once.

Slots come and go, and nobody may be asking in the moment when the last one is ready; so a task
looks each second, from the API's own start until it has seen every slot ready, and no longer.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orpheus.api.database.readers import Readers
from orpheus.api.http.problems import Refusal
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.errors import StorageError
from orpheus.shared.storage import Store

Slots = Sequence[Mapping[str, Any]]
"""What GET /workers shows."""

_LOOK_EVERY_S = 1.0
_SERVING = (SlotState.READY, SlotState.DRAINING)
_FIRST = (SlotState.DOWN, SlotState.STARTING)


class StartWatch:
    """Remembers which slots have been ready. `run` as a task; `look` with slots read anyway."""

    def __init__(self, readers: Readers, read_slots: Callable[[Store], Slots]) -> None:
        self._readers = readers
        self._read_slots = read_slots
        self._once_ready: set[str] = set()
        self._is_over = False

    async def run(self) -> None:
        """Look each second until the start is over."""
        while not self._is_over:
            with contextlib.suppress(StorageError, Refusal):  # the next look will tell
                self.look(await self._readers.read(self._read_slots))
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self, slots: Slots) -> list[str]:
        """The slots that have not been ready yet, `slots` being as they are now; empty once over.

        Slots that are added after the start do not begin it anew.
        """
        if self._is_over:
            return []
        workers = [slot for slot in slots if slot["pool"] is not None]
        # An API that was itself restarted has not seen what was before: there each slot that is
        # past its first life's start counts, or one that stays down would hold it back for ever.
        is_late = any(slot["slot"] == "api" and slot["restarts"] for slot in slots)
        self._once_ready.update(
            slot["slot"]
            for slot in workers
            if slot["state"] in _SERVING or (is_late and _is_past_first_start(slot))
        )
        waiting = [slot["slot"] for slot in workers if slot["slot"] not in self._once_ready]
        self._is_over = bool(workers) and not waiting
        return waiting


def _is_past_first_start(slot: Mapping[str, Any]) -> bool:
    return slot["state"] not in _FIRST or bool(slot["restarts"] or slot["last_exit"])
