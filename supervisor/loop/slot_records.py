"""Builds the records of slots that the database keeps and `GET /workers` shows."""

from math import inf
from typing import NamedTuple

from msgspec.structs import replace

from orpheus.shared.domain.processes import Order, ProcessRecord, Role, SlotRecord, SlotState
from orpheus.supervisor.linux.process_handle import ProcessHandle
from orpheus.supervisor.linux.sampling import Sample
from orpheus.supervisor.policy.slot import Desired, Rules, Slot
from orpheus.supervisor.policy.state_machine import STAYS_DOWN

_WITH_END = (SlotState.DRAINING, SlotState.STOPPING, SlotState.BACKOFF, SlotState.FATAL)
_OTHER_MS = 500
_ORDERS = {
    Desired.DRAINED: Order.DRAINED,
    Desired.ENDED: Order.KEPT_DOWN,
    Desired.REPLACE: Order.REPLACED,
}


def slot_record(
    host: str,
    slot: Slot,
    process: ProcessHandle | ProcessRecord | None,
    sample: Sample | None,
    until_ms: int | None = None,
) -> SlotRecord:
    """Return the record of one slot, its process (if it has one) and the latest sample of it.

    `until_ms`: of `EndsOfStates`.
    """
    order, why = _order(slot), slot.degraded or slot.trouble or slot.reason or _unready(slot)
    if why == STAYS_DOWN and order is not Order.DRAINED:  # of an order before that
        why = ""
    waits = slot.held_back if slot.desired in (Desired.UP, Desired.REPLACE) else ""
    return SlotRecord(
        host=host,
        slot=slot.name,
        pool=slot.pool,
        role=slot.role,
        state=slot.state,
        degraded=bool(slot.degraded or slot.trouble),
        reason=why,
        pid=process.pid if process else None,
        incarnation=process.incarnation if process else None,
        cpu_percent=sample.cpu_percent if sample else None,
        rss_bytes=sample.rss_bytes if sample else None,
        started_at_ms=process.started_at_ms if process else None,
        restarts=max(0, slot.starts - 1),
        exits=slot.exits,
        until_ms=until_ms,
        order=order,
        waits=waits,
    )


class EndsOfStates:
    """Until when the states of slots last at most, in milliseconds since 1970.

    The two clocks differ a little at each reading, and a changed record is written again. So an end
    stays as it was first computed, unless it really differs or the wall clock was set.
    """

    def __init__(self) -> None:
        self._told_ms: dict[str, int] = {}

    def until_ms(
        self, key: str, slot: Slot, rules: Rules, now_s: float, wall_ms: int
    ) -> int | None:
        """Return when a leaving process releases its jobs, or when a slot that waits is started.

        For a program that starts: when it is stopped if it is not ready. A worker is not stopped.
        """
        starts = slot.role is Role.PROGRAM and slot.state is SlotState.STARTING
        if slot.timer is None or not (starts or slot.state in _WITH_END):
            self._told_ms.pop(key, None)
            return None
        then_s = rules.stop_timeout_s if slot.state is SlotState.DRAINING else 0.0
        at_s = min(slot.timer.at_s + then_s, inf if slot.kill_at_s is None else slot.kill_at_s)
        at_ms = wall_ms + round((at_s - now_s) * 1000)
        told_ms = self._told_ms.setdefault(key, at_ms)
        if abs(told_ms - at_ms) >= _OTHER_MS:
            self._told_ms[key] = at_ms
        return self._told_ms[key]


def _unready(slot: Slot) -> str:
    unready = slot.process.seen.unready if slot.process else ""
    return f"not ready yet ({unready})" if unready and slot.state is SlotState.STARTING else ""


def _order(slot: Slot) -> Order | None:
    """Return the newest order of a slot, or None."""
    if slot.retired:  # without a pool, or stuck, it was set aside
        is_scaled = slot.pool is not None and slot.state is not SlotState.STUCK
        return Order.SCALED_AWAY if is_scaled else None
    if slot.desired is Desired.REPLACE and slot.process is None:
        return None
    return _ORDERS.get(slot.desired)


class Stop(NamedTuple):
    """Why the supervisor is stopping, and until when at the latest (wall clock)."""

    why: str
    until_ms: int


def own_record(
    myself: ProcessRecord,
    sample: Sample | None,
    stop: Stop | None,
    trouble: str,
    rejected: str | None,
) -> SlotRecord:
    """Return the supervisor itself as a slot.

    `trouble` is what is wrong with it (empty: nothing), `rejected` why the newest configuration is
    not in force.
    """
    state = SlotState.STOPPING if stop else SlotState.READY
    reason = stop.why if stop else trouble
    slot = Slot(myself.slot, None, myself.role, state=state, reason=reason)
    return replace(
        slot_record(myself.host, slot, myself, sample, stop.until_ms if stop else None),
        degraded=bool(trouble or rejected),
        rejected=None if stop else rejected,
    )
