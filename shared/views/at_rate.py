"""The queues whose rate alone says when they are empty: once it has let all due jobs start."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from orpheus.shared.domain.crews import Crew, places_for
from orpheus.shared.domain.limited import Limited, carry, keeps_up, lately_s
from orpheus.shared.domain.paces import Pace
from orpheus.shared.domain.why import Code
from orpheus.shared.storage import DueInQueue, QueueRow, Store


class AtRate(NamedTuple):
    """The queues that their `rate` holds back: their workers could run all that it lets start."""

    now: set[str]
    """Their rate lets no job start just now."""
    steadily: set[str]
    """It does so while a worker is free, or lately as many jobs ended as it lets start. So they are
    empty once it has let all start; the workers of others may run other queues at times."""


def queues_at_rate(
    store: Store,
    rules: Iterable[QueueRow],
    due: Mapping[str, DueInQueue],
    limited: Mapping[str, Limited],
    serving: Mapping[str, Sequence[Crew]],
    paces: Mapping[str, Pace],
) -> AtRate:
    """Return the queues that their own rate holds back; those with limits for keys are left out.

    `serving`: the workers that serve each queue.
    """
    ended = cache(store.stats.ended_within)
    found = AtRate(set(), set())
    for rule in rules:
        name, held = rule.name, set(limited[rule.name].by) if rule.name in limited else set()
        limits_keys = rule.per_key.rate or rule.per_key.max_running
        if rule.rate is None or limits_keys or rule.paused or name not in due:
            continue
        places, pace = places_for(serving[name], rule.max_running), paces.get(name)
        waits = bool(places and due[name].jobs)
        if not waits or (pace is not None and not carry(places, rule.rate, pace.run_s)):
            continue
        is_now = held == {Code.QUEUE_RATE}
        is_idle = is_now and any(crew.free for crew in serving[name])
        if is_now:
            found.now.add(name)
        if is_idle or keeps_up(rule.rate, ended(lately_s(rule.rate)).get(name, 0)):
            found.steadily.add(name)
    return found
