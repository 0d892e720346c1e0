"""Why a slot is as it is, in words: its order, what it waits for, and what else there is to say."""

from orpheus.shared.domain.processes import Order, Role, SlotRecord, SlotState, rejection


def reason_of(slot: SlotRecord) -> str:
    """Return why a slot is as it is; empty if its state needs no reason."""
    if slot.rejected is not None:
        return rejection(slot.rejected)
    return "; ".join(filter(None, (_in_words(slot), slot.waits, slot.reason)))


def _in_words(slot: SlotRecord) -> str:
    """Return its order; empty if it has none, or if its own `reason` tells of it."""
    match slot.order:
        case Order.DRAINED:
            return "drained"
        case Order.REPLACED:
            return "being replaced"
        case Order.SCALED_AWAY:
            members = "instances" if slot.role is Role.PROGRAM else "workers"
            until = "; it ends after its job" if slot.state is SlotState.DRAINING else ""
            return f"scaled away: fewer {members} are wanted{until}"
    return ""
