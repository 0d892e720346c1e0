"""What a scale of a pool or a program does to each of its slots. Pure.

It also tells which queues nobody serves then. Slots have the numbers from 1 on, and
those above the new one go.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from orpheus.shared.domain.processes import Order, Role, SlotRecord, SlotState
from orpheus.shared.domain.serving import EVERY_QUEUE, serves
from orpheus.shared.domain.words import jobs_wait, named, noun_for


class Scaling(NamedTuple):
    """The slots that a scale changes, and how many it adds."""

    starting: int
    returning: Sequence[str]
    """Scaled away before: their processes still end, and then others start in their places."""
    ending: Sequence[str]
    empty: Sequence[str]
    """They have no process, and go at once."""


def scaling(slots: Iterable[SlotRecord], wanted: int) -> Scaling:
    """Return what becomes of the slots that a pool or a program has on a host."""
    numbered = [(number, one) for one in slots if (number := _number(one)) is not None]
    kept = [one for number, one in numbered if number <= wanted]
    going = [one for number, one in numbered if number > wanted and not one.leaves]
    return Scaling(
        wanted - len(kept),
        [one.slot for one in kept if one.leaves],
        [one.slot for one in going if one.pid is not None],
        [one.slot for one in going if one.pid is None],
    )


def exceptions(scale: Scaling, role: Role) -> Iterator[str]:
    """Yield, as clauses, which slots start or end otherwise than the number alone says."""
    if scale.returning:
        one, several = ("finishes its job", "finish their jobs")
        if role is Role.PROGRAM:
            one, several = "ends", "end"
        is_one = len(scale.returning) == 1
        what = (
            f"{one}, and starts again after it"
            if is_one
            else f"{several}, and start again after them"
        )
        yield f"{named(scale.returning)} still {what}"
    if scale.empty:
        goes = "has no process, and goes" if len(scale.empty) == 1 else "have no process, and go"
        yield f"{named(scale.empty)} {goes} at once"


def left_queues(
    pool: str,
    host: str | None,
    staying: Iterable[SlotRecord],
    pools: Mapping[str, Collection[str]],
    pending: Mapping[str, int],
) -> str:
    """Return, as a clause, the queues of a pool that nobody serves if only these slots stay.

    Empty if each is served. `host`: that of the pool; None: there is only one. `pools`: the queues
    that each serves there; those of other hosts are not known. `pending`: how many jobs wait in
    each queue.
    """
    workers = [one for one in staying if _runs_jobs(one)]
    running = {one.pool or "" for one in workers}
    own, others = {*pools.get(pool, ())}, {one for name in running for one in pools.get(name, ())}
    queues = {*pending} | own if EVERY_QUEUE in own else own
    left = sorted(one for one in queues - {EVERY_QUEUE} if not serves(others, one))
    if pool in running or not left:
        return ""
    waiting = sum(pending.get(name, 0) for name in left)
    there = f": {jobs_wait(waiting)} there" if waiting else ""
    has_others = any(host not in (None, one.host) for one in workers)
    unless = ", unless another host does" if has_others else ""
    queue = noun_for(len(left), "queue")
    return f"then nobody runs the jobs of {queue} {named(left)}{unless}{there}"


def _runs_jobs(slot: SlotRecord) -> bool:
    is_wanted = slot.order not in (Order.SCALED_AWAY, Order.DRAINED)
    return slot.role is Role.WORKER and slot.state is not SlotState.DOWN and is_wanted


def _number(slot: SlotRecord) -> int | None:
    """Return its number in its pool; None: it is a process that was set aside."""
    number = slot.slot.rpartition("-")[2]
    return int(number) if number.isdecimal() else None
