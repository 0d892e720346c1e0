"""Remembers whether the start is over: whether every slot has been ready once.

It looks at each reading of the slots, once a second (samples.py): slots come and go, and no client
may be asking at the moment when the last one becomes ready.
"""

from collections.abc import Sequence

from orpheus.shared.domain.processes import API_SLOT, Role, SlotState
from orpheus.shared.views.workers import Worker

_SERVING = (SlotState.READY, SlotState.DRAINING)
_FIRST = (SlotState.DOWN, SlotState.STARTING)


class StartWatch:
    """Remembers which slots have been ready, among those that `look` was given."""

    def __init__(self) -> None:
        self._once_ready: set[tuple[str, str]] = set()
        self.is_over = False
        """Whether every slot has been ready, and there was one."""

    def look(self, slots: Sequence[Worker]) -> list[str]:
        """Return the slots that have never been ready, given all slots as they are now.

        The list is empty once the start is over; slots that are added later do not reopen it.
        """
        if self.is_over:
            return []
        counted = [slot for slot in slots if slot["role"] in (Role.WORKER, Role.PROGRAM)]
        programs = [slot for slot in counted if slot["role"] == Role.PROGRAM]
        fails = any(slot["last_exit"] and slot["state"] not in _SERVING for slot in programs)
        # A restarted API has not seen the start. For it, a slot counts once its first process is
        # past its start; otherwise a slot that stays down would keep /readyz at 503.
        is_late = any(slot["slot"] == API_SLOT and slot["restarts"] for slot in slots)
        self._once_ready.update(
            _key(slot)
            for slot in counted
            if slot["state"] in _SERVING
            or _has_settled(slot, fails=fails)
            or (is_late and _is_past_first_start(slot))
        )
        waiting = [slot["slot"] for slot in counted if _key(slot) not in self._once_ready]
        has_worker = any(slot["role"] == Role.WORKER for slot in counted)
        self.is_over = has_worker and not waiting
        return waiting


def _key(slot: Worker) -> tuple[str, str]:
    return slot["host"], slot["slot"]


def _has_settled(slot: Worker, *, fails: bool) -> bool:
    """Return whether it is a program that has ended once, or waits for one that fails.

    Jobs do without programs: one that cannot start must not keep clients from the API.
    """
    waits = fails and slot["state"] == SlotState.DOWN
    return slot["role"] == Role.PROGRAM and (slot["last_exit"] is not None or waits)


def _is_past_first_start(slot: Worker) -> bool:
    return slot["state"] not in _FIRST or bool(slot["restarts"] or slot["last_exit"])
