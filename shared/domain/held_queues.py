"""Why the jobs of a queue wait, if that needs a person. Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orpheus.shared.domain.at_rate import is_much_of
from orpheus.shared.domain.concerns import (
    LATE_S,
    STANDSTILL_MINUTES,
    START_S,
    About,
    Concern,
    ConcernCode,
    Facts,
    QueueFacts,
    SlotFacts,
    restart_of,
    waits_for_workers_s,
)
from orpheus.shared.domain.paces import LATELY_MINUTES
from orpheus.shared.domain.serving import serves
from orpheus.shared.domain.words import duration, jobs_wait, named


class _HeldBack(NamedTuple):
    """Why the jobs of a queue wait. Queues with equal values make one concern together."""

    code: ConcernCode
    serving: tuple[str, ...] = ()
    """The pools that serve it."""
    what: str = ""
    """Who paused it, or drained or took away its workers; or what its workers do."""
    lacks_workers: bool = False
    """Even if it were not paused, nobody would run its jobs."""
    drained: tuple[str, ...] = ()
    """Its drained workers, as commands name them, if that is why its jobs wait."""


def held_queues(facts: Facts) -> Iterator[Concern]:
    """Yield one concern for each reason that holds queues back."""
    alike: dict[_HeldBack, list[QueueFacts]] = {}
    for queue in facts.queues:
        why = _held_back(queue, facts) if queue.waiting else None
        if why is not None:
            alike.setdefault(why, []).append(queue)
    for why, queues in alike.items():
        first = queues[0].name
        is_one = len(queues) == 1
        is_of_queue = is_one or why.drained
        command = _command_for(why, first, facts) if is_of_queue else "orpheus queues"
        yield Concern(why.code, _text_of(why, queues), command, About("queue", first))


def _held_back(queue: QueueFacts, facts: Facts) -> _HeldBack | None:
    """Return why the jobs of a queue wait, if that needs a person."""
    serving = tuple(name for name, served in facts.pools.items() if serves(served, queue.name))
    slots = [slot for slot in facts.staying if slot.pool in serving]
    if queue.paused:
        lacks = bool(facts.pools) and not slots and (facts.is_any_ready or not serving)
        pools = serving if lacks else ()
        return _HeldBack(ConcernCode.QUEUE_PAUSED, pools, queue.paused_by, lacks)
    if not facts.pools:
        return None  # the caller does not know the pools
    if not serving:
        return _HeldBack(ConcernCode.NO_POOL)
    oldest_s = queue.oldest_s
    if oldest_s is not None and are_drained(slots):
        who = f" {named(dict.fromkeys((slot.drained_by or '').strip() for slot in slots))}"
        targets = tuple(slot.target for slot in slots)
        return _HeldBack(ConcernCode.POOL_NOT_READY, serving, who, drained=targets)
    is_told = not facts.is_any_ready and not facts.are_unwanted  # that no worker is ready
    if oldest_s is None or is_told:
        return None
    if not slots:
        who = facts.scaled_to_0.get(serving[0], "") if len(serving) == 1 else ""
        return _HeldBack(ConcernCode.POOL_EMPTY, serving, who)
    waits_s = waits_for_workers_s(oldest_s, slots)
    ready = sum(slot.ready for slot in slots)
    if not ready:
        is_long = waits_s >= START_S
        return _HeldBack(ConcernCode.POOL_NOT_READY, serving) if is_long else None
    if waits_s < LATE_S:
        return None
    if _is_limited(queue, waits_s, ready):
        return None  # whoever set the limit wants its jobs to wait
    drained = [slot for slot in slots if slot.drained_by is not None]
    if 2 * len(drained) >= len(slots):  # if fewer are drained, the others are too slow
        who = named(dict.fromkeys((slot.drained_by or "").strip() for slot in drained))
        are = "is" if len(drained) == 1 else "are"
        what = f" ({len(drained)} of {len(slots)} {are} drained {who})"
        targets = tuple(slot.target for slot in drained)
        return _HeldBack(ConcernCode.QUEUE_LATE, serving, what, drained=targets)
    alone = _alone(slots)
    what = f" ({alone} of {ready} run{'s' * (alone == 1)} a job alone, after a crash)"
    return _HeldBack(ConcernCode.QUEUE_LATE, serving, what if alone else "")


def _alone(slots: Sequence[SlotFacts]) -> int:
    return sum(slot.runs_alone and slot.ready for slot in slots)


def are_drained(slots: Sequence[SlotFacts]) -> bool:
    """Return whether an operator has drained all of them: so none gets ready by itself."""
    return bool(slots) and all(slot.drained_by is not None for slot in slots)


def _is_limited(queue: QueueFacts, waits_s: float, ready: int) -> bool:
    """Return whether the jobs of a queue wait for its limits, and not for a worker."""
    if queue.max_running:
        if queue.running >= queue.max_running:
            return True  # however long they run
        is_between_two = queue.ended > 0 or waits_s < STANDSTILL_MINUTES * 60
        if ready >= queue.max_running and is_between_two:
            return True
    if queue.rate is None:
        return False
    started = queue.ended_lately + queue.running
    within_s = min(waits_s, LATELY_MINUTES * 60)
    return queue.waits_for_rate or is_much_of(queue.rate, queue.runs_per_s, started, within_s)


def _text_of(why: _HeldBack, queues: Sequence[QueueFacts]) -> str:
    is_one = len(queues) == 1
    names = f"queue{'' if is_one else 's'} {named([queue.name for queue in queues])}"
    wait = jobs_wait(sum(queue.waiting for queue in queues))
    it = "it" if is_one else "them"
    in_it = f"{wait} in {it}"
    since = f", the first for {duration(max(queue.oldest_s or 0.0 for queue in queues))}"
    pool = f"pool {named(why.serving)}" if why.serving else ""
    match why.code:
        case ConcernCode.QUEUE_PAUSED:
            nobody = f"{pool} has no workers" if pool else f"no pool serves {it}"
            also = f", {nobody}" if why.lacks_workers else ""
            text = f"{names} {'is' if is_one else 'are'} paused{why.what}{also}, and {in_it}"
        case ConcernCode.NO_POOL:
            text = f"no pool serves {names}, and {in_it}"
        case ConcernCode.POOL_EMPTY:
            none = f"was scaled to 0 workers{why.what}" if why.what else "has no workers"
            text = f"{pool} {none}, and {wait} in {names}"
        case ConcernCode.POOL_NOT_READY if why.drained:
            workers, are = ("worker", "is") if len(why.drained) == 1 else ("workers", "are")
            text = f"the {workers} of {pool} {are} drained{why.what}, and {wait} in {names}{since}"
        case ConcernCode.POOL_NOT_READY:
            text = f"no worker of {pool} is ready, and {wait} in {names}{since}"
        case _:
            text = f"the workers are too slow for {names}{why.what}, and {in_it}{since}"
    return f"{text[0].upper()}{text[1:]}."


def _command_for(why: _HeldBack, queue: str, facts: Facts) -> str | None:
    if why.code is ConcernCode.QUEUE_PAUSED:
        is_served = why.serving or not why.lacks_workers
        return f"orpheus resume {queue}" if is_served else None
    if why.drained:
        return restart_of(why.drained)
    if why.code not in (ConcernCode.POOL_EMPTY, ConcernCode.QUEUE_LATE):
        return None
    if any("--host" in slot.target for slot in facts.slots):
        return "orpheus workers"  # which host shall have more is for the operator to say
    serving = [slot for slot in facts.staying if slot.pool in why.serving]
    if serving and _alone(serving) == sum(slot.ready for slot in serving):
        return "orpheus workers"  # one more may soon do the same
    pool = why.serving[0]
    workers = sum(slot.pool == pool for slot in facts.staying)
    return f"orpheus scale {pool} {workers + 1}"
