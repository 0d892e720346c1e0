"""Whether the API is out for long, so that its clients are to be told instead of kept waiting."""

from collections.abc import Iterable

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.errors import ExitCode
from orpheus.supervisor.policy.slot import Desired, Slot

_MOST_FAILURES = 1
"""After a single failure the API is back soon, so clients wait for it."""


def is_api_out(slots: Iterable[Slot]) -> bool:
    """Return whether no API answers, as it keeps failing, lacks its database or is drained."""
    api = [slot for slot in slots if slot.role is Role.API]
    if any(slot.process is not None and slot.process.ready_s is not None for slot in api):
        return False
    return any(
        slot.state is SlotState.FATAL
        or slot.failures > _MOST_FAILURES
        or _found_no_database(slot)
        or (slot.state is SlotState.DOWN and slot.desired is Desired.DRAINED)
        for slot in api
    )


def _found_no_database(slot: Slot) -> bool:
    return slot.last_exit is not None and slot.last_exit.code == ExitCode.DATABASE
