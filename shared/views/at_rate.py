"""The queues whose rate alone says when they are empty: once it has let all due jobs start."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from orpheus.shared.domain.at_rate import AtRate, at_rate, carry, lately_s
from orpheus.shared.domain.crews import Crew, places_for
from orpheus.shared.domain.limited import Limited
from orpheus.shared.domain.paces import Pace
from orpheus.shared.domain.why import Code
from orpheus.shared.storage import DueInQueue, QueueRow, Store


def queues_at_rate(
    store: Store,
    rules: Iterable[QueueRow],
    due: Mapping[str, DueInQueue],
    limited: Mapping[str, Limited],
    serving: Mapping[str, Sequence[Crew]],
    paces: Mapping[str, Pace],
) -> dict[str, AtRate]:
    """Return what the rate of each queue with due jobs does, if its keys have no limits.

    `serving`: the workers that serve each queue.
    """
    ended = cache(store.stats.ended_within)
    found = {}
    for rule in rules:
        name, rate, pace = rule.name, rule.rate, paces.get(rule.name)
        if rate is None or rule.limits_keys or rule.paused or name not in due:
            continue
        places = places_for(serving[name], rule.max_running)
        is_carried = places and (pace is None or carry(places, rate, pace.run_s))
        if not is_carried or not due[name].jobs:
            continue
        lately = ended(lately_s(rate))
        found[name] = at_rate(
            rate,
            pace,
            None if lately is None else lately.get(name, 0),
            holds=name in limited and limited[name].by == (Code.QUEUE_RATE,),
            free=any(crew.free for crew in serving[name]),
        )
    return found
