"""PURE: the order in which programs start and stop, as their `after` says.

A program starts only while the programs that it comes after are ready, at its first start and at
any later one; only an operator's restart does not wait. A shutdown has the opposite order: a
program is asked to stop once all that come after it have ended. So a web server never runs without
the cache that it needs. config/checks.py refuses circles.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.supervisor.policy.slot import Desired, Slot
from orpheus.supervisor.policy.state_machine import with_desired

Slots = Mapping[str, Slot]


def hold_back(slots: Slots) -> dict[str, Slot]:
    """Hold back each program until its turn; other slots are not changed."""
    held = dict(slots)
    for key, slot in slots.items():
        if slot.after and slot.process is None:
            waits_for = [earlier.name for earlier in _earlier(slots, slot) if not _serves(earlier)]
            if waits_for:
                held[key] = replace(slot, held_back=f"waits for {', '.join(waits_for)}")
    return held


def _earlier(slots: Slots, slot: Slot) -> Iterator[Slot]:
    """Yield the slots of the programs that come before this one."""
    for key, earlier in slots.items():
        is_meant = earlier.role is Role.PROGRAM and earlier.pool in slot.after
        if is_meant and key == earlier.name and not earlier.retired:
            yield earlier


def _serves(slot: Slot) -> bool:
    """Return whether later programs may start: it is ready, or did its work and ended."""
    return slot.state is SlotState.READY or (slot.desired is Desired.ENDED and not slot.trouble)


def stop(slots: Slots, kill_at_s: float, *, in_order: bool) -> dict[str, Slot]:
    """Take the fleet down; `in_order`: programs wait for those that come after them.

    Call it again in each turn until all are down. After `kill_at_s` every process is killed,
    whether its turn has come or not.
    """
    running = {name for slot in slots.values() if slot.process for name in slot.after}
    stopped = {}
    for key, slot in slots.items():
        waits = in_order and slot.pool in running and slot.role is Role.PROGRAM and slot.process
        stopped[key] = (
            replace(slot, kill_at_s=kill_at_s)
            if waits
            else with_desired(slot, Desired.DOWN, kill_at_s)
        )
    return stopped
