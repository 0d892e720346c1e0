"""The limits of queues that keep their due jobs from starting, as the API tells them."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from typing_extensions import TypedDict

from orpheus.shared.domain.crews import Crew
from orpheus.shared.domain.limited import Limited, limited_by_keys, limited_by_queue
from orpheus.shared.domain.rooms import FREE, Room
from orpheus.shared.domain.why import Code
from orpheus.shared.storage import DueInQueue, QueueRow, Store


class LimitedBy(TypedDict):
    """The limits that keep the due jobs of a queue from starting."""

    by: list[Code]
    """As `GET /jobs/{id}/why` calls them: `queue_limit`, `queue_rate`, `key_limit`, `key_rate`."""
    text: str
    """A clause: `held by its rate per key`."""
    next_s: float | None
    """In how many seconds the next one may start, if that is known."""


def limited_queues(
    store: Store,
    rules: Iterable[QueueRow],
    due: Mapping[str, DueInQueue],
    rooms: Mapping[str, Room],
    parked: Collection[str],
    openings_ms: Mapping[str, int],
) -> dict[str, Limited]:
    """Return what holds the due jobs of queues back.

    `parked`: the queues all of whose due jobs wait for room of their key; `openings_ms`: when the
    rate of a key lets the next of them start.
    """
    found = {}
    for rule in rules:
        name = rule.name
        if rule.paused or name not in due or not due[name].jobs:
            continue
        limited = limited_by_queue(rooms.get(name, FREE))
        if limited is None and name in parked:
            keys = store.standings.waiting_keys(name, rule.per_key)
            limited = limited_by_keys(rule.per_key, keys, openings_ms.get(name))
        if limited is not None:
            found[name] = limited
    return found


def opened_s(
    openings_ms: Mapping[str, int], parked: Collection[str], now_ms: int
) -> dict[str, float]:
    """Return for how long a job that waited for room of its key could have started, by queue."""
    since_ms = {name: openings_ms[name] for name in parked if name in openings_ms}
    return {name: (now_ms - one) / 1000 for name, one in since_ms.items() if one <= now_ms}


def limited_json(
    limited: Limited | None, serving: Sequence[Crew], now_ms: int, *, drains: bool
) -> LimitedBy | None:
    """Return the field `limited` of a `Queue`. `drains`: it is known when the queue is empty."""
    if limited is None or not any(crew.ready for crew in serving):
        return None
    if drains and limited.next_ms is None:
        return None  # its jobs end one by one, and the next one starts: it does not stand still
    is_over = limited.next_ms is not None and limited.next_ms <= now_ms
    if is_over and not any(crew.free for crew in serving):
        return None  # by now it waits for a worker
    next_s = None if limited.next_ms is None else max(0, limited.next_ms - now_ms) / 1000
    return {"by": list(limited.by), "text": limited.text, "next_s": next_s}
