"""The queues that are empty once their rate has let all due jobs start."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from orpheus.shared.domain.crews import Crew
from orpheus.shared.domain.limited import Limited, carry, keeps_up, lately_s
from orpheus.shared.domain.paces import Pace
from orpheus.shared.domain.why import Code
from orpheus.shared.storage import DueInQueue, QueueRow, Store

_OF_QUEUE = frozenset({Code.QUEUE_RATE, Code.QUEUE_LIMIT})


def queues_at_rate(
    store: Store,
    rules: Iterable[QueueRow],
    due: Mapping[str, DueInQueue],
    limited: Mapping[str, Limited],
    crews: Sequence[Crew],
    paces: Mapping[str, Pace],
) -> dict[str, bool]:
    """Return the queues of which nothing but their rate holds jobs back now, and if it did of late.

    Either a worker is free. Or as many jobs ended of late as it lets start, and so many the workers
    can run: before that, others may have had them, and whether they will again is not known.
    """
    ended = cache(store.stats.ended_within)
    found: dict[str, bool] = {}
    for rule in rules:
        name, held = rule.name, set(limited[rule.name].by) if rule.name in limited else set()
        if rule.rate is None or rule.per_key.rate or rule.paused or held - _OF_QUEUE:
            continue
        if name not in due or not due[name].jobs:
            continue
        serving, pace = [crew for crew in crews if crew.serves(name)], paces.get(name)
        places = sum(len(crew.ready) * crew.concurrency for crew in serving)
        places = min(places, rule.max_running or places)
        if held == {Code.QUEUE_RATE} and any(crew.free for crew in serving):
            found[name] = True
        elif rule.per_key.max_running or pace is None or not carry(places, rule.rate, pace.run_s):
            continue
        elif keeps_up(rule.rate, ended(lately_s(rule.rate)).get(name, 0)):
            found[name] = True
        elif held == {Code.QUEUE_RATE}:
            found[name] = False
    return found
