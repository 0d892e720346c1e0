"""Remembers whether the start is over: whether every slot of this host has been ready once.

Those of other hosts do not count: one of them may be down or drained for as long as it likes.

It looks at the slots once a second until the start is over: slots come and go, and no client may be
asking at the moment when the last one becomes ready.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from orpheus.api.database.readers import Readers
from orpheus.shared.domain.processes import API_SLOT, Role, SlotState
from orpheus.shared.errors import OrpheusError
from orpheus.shared.messages.workers import Worker
from orpheus.shared.storage import Store

_EVERY_S = 1.0
_SERVING = (SlotState.READY, SlotState.DRAINING)
_FIRST = (SlotState.DOWN, SlotState.STARTING)


class StartWatch:
    """Remembers which slots of this host have been ready, among those that `look` was given."""

    def __init__(self, host: str, *, supervised: bool) -> None:
        """`supervised`: a supervisor of this host started the API, and lists slots of this host."""
        self._host = host
        self._supervised = supervised
        self._once_ready: set[str] = set()
        self.is_over = False
        """Whether every slot has been ready, and there was a worker, maybe on another host."""

    async def run(self, readers: Readers, read_slots: Callable[[Store], Sequence[Worker]]) -> None:
        """Look at the slots once a second until the start is over."""
        while not self.is_over:
            with contextlib.suppress(OrpheusError):  # the database may be away for a while
                self.look(await readers.read(read_slots))
            await asyncio.sleep(_EVERY_S)

    def look(self, slots: Sequence[Worker]) -> list[str]:
        """Return the slots of this host that have never been ready, given all as they are now.

        The list is empty once the start is over; slots that are added later do not reopen it.
        """
        if self.is_over:
            return []
        own = [slot for slot in slots if slot.host == self._host]
        counted = [slot for slot in own if slot.role in (Role.WORKER, Role.PROGRAM)]
        programs = [slot for slot in counted if slot.role == Role.PROGRAM]
        fails = any(slot.last_exit and slot.state not in _SERVING for slot in programs)
        # A restarted API has not seen the start. For it, a slot counts once its first process is
        # past its start; otherwise a slot that stays down would keep /readyz at 503.
        is_late = any(slot.slot == API_SLOT and slot.restarts for slot in own)
        self._once_ready.update(
            slot.slot
            for slot in counted
            if slot.state in _SERVING
            or _has_settled(slot, fails=fails)
            or (is_late and _is_past_first_start(slot))
        )
        waiting = [slot.slot for slot in counted if slot.slot not in self._once_ready]
        workers = [slot for slot in slots if slot.role == Role.WORKER]
        has_worker = any(slot in own or slot.state in _SERVING for slot in workers)
        is_listed = bool(own) or not self._supervised
        self.is_over = is_listed and has_worker and not waiting
        return waiting


def _has_settled(slot: Worker, *, fails: bool) -> bool:
    """Return whether it is a program that has ended once, or that waits for a failing program.

    Jobs do not need programs: a program that cannot start must not keep clients from the API.
    """
    waits = fails and slot.state == SlotState.DOWN
    return slot.role == Role.PROGRAM and (slot.last_exit is not None or waits)


def _is_past_first_start(slot: Worker) -> bool:
    return slot.state not in _FIRST or bool(slot.restarts or slot.last_exit)
