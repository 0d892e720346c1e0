"""Whether clients of the API wait for nothing: when it is worth telling them so."""

from collections.abc import Iterable

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.errors import ExitCode
from orpheus.supervisor.policy.slot import Desired, Slot

_MOST_FAILURES = 1
"""After one failure in a row the API is back soon, and clients wait for it."""


def is_api_out(slots: Iterable[Slot]) -> bool:
    """Return whether the API keeps failing or was drained, and no process of it may answer."""
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
