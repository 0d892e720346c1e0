"""Builds the records of slots that the database keeps and `GET /workers` shows."""

from dataclasses import replace

from orpheus.shared.domain.processes import (
    DRAINED,
    REPLACED,
    ProcessRecord,
    Role,
    SlotRecord,
    SlotState,
)
from orpheus.supervisor.linux.process_handle import ProcessHandle
from orpheus.supervisor.linux.sampling import Sample
from orpheus.supervisor.policy.slot import Desired, Slot


def slot_record(
    host: str, slot: Slot, process: ProcessHandle | ProcessRecord | None, sample: Sample | None
) -> SlotRecord:
    """Return the record of one slot, its process (if it has one) and the latest sample of it."""
    why = slot.degraded or slot.trouble or _why_not_drained(slot) or slot.reason
    is_drained = slot.desired is Desired.DRAINED and not slot.retired
    drained = DRAINED if is_drained and not why.startswith(DRAINED) else ""
    return SlotRecord(
        host=host,
        slot=slot.name,
        pool=slot.pool,
        role=slot.role,
        state=slot.state,
        degraded=bool(slot.degraded or slot.trouble),
        reason="; ".join(part for part in (drained, slot.held_back, why) if part),
        pid=process.pid if process else None,
        incarnation=process.incarnation if process else None,
        cpu_percent=sample.cpu_percent if sample else None,
        rss_bytes=sample.rss_bytes if sample else None,
        started_at_ms=process.started_at_ms if process else None,
        restarts=max(0, slot.starts - 1),
        exits=slot.exits,
    )


def _why_not_drained(slot: Slot) -> str:
    """Return why a slot leaves that is to be removed, or is wanted again; empty for any other.

    The newest order counts: a slot that was being replaced may have been drained since.
    """
    if slot.reason == REPLACED and slot.desired is Desired.DRAINED and not slot.retired:
        return DRAINED
    was_replaced = slot.reason == REPLACED and slot.retired
    if not was_replaced and not slot.reason.startswith(DRAINED):
        return ""
    if not slot.retired:
        return "wanted again: started anew once it has ended" if _is_wanted(slot) else ""
    if slot.role is Role.PROGRAM:
        return "scaled away: fewer instances are wanted"
    return "scaled away: fewer workers are wanted; it ends after its job"


def _is_wanted(slot: Slot) -> bool:
    return slot.process is not None and slot.desired in (Desired.UP, Desired.REPLACE)


def own_record(
    myself: ProcessRecord,
    sample: Sample | None,
    why_stopping: str,
    trouble: str,
    rejected: str | None,
) -> SlotRecord:
    """Return the supervisor itself as a slot.

    `trouble` is what is wrong with it (empty: nothing), `rejected` why the newest configuration is
    not in force.
    """
    state = SlotState.STOPPING if why_stopping else SlotState.READY
    slot = Slot(myself.slot, None, myself.role, state=state, reason=why_stopping or trouble)
    return replace(
        slot_record(myself.host, slot, myself, sample),
        degraded=bool(trouble or rejected),
        rejected=None if why_stopping else rejected,
    )
