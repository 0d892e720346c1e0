"""What to say of a queue that nothing names: it may be a typing error."""

from collections.abc import Collection, Mapping

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.serving import EVERY_QUEUE
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage import Store

_USUAL_QUEUE: str = NewJob._field_defaults["queue"]

Pools = Mapping[str, Collection[str]]
"""The queues that each pool serves."""


def unknown_queue(queue: str, names: Collection[str]) -> str | None:
    """Say that nothing names the queue; None if something does."""
    if queue in names:
        return None
    text = f"no job, job type, schedule, pool or setting names a queue {queue!r}"
    return text + did_you_mean(queue, names)


def names_of_queues(store: Store, pools: Pools) -> set[str]:
    """Return the names of all queues that anything knows."""
    with store.snapshot():
        known = {*store.stats.counts_by_queue(), *(queue.name for queue in store.queues.all())}
        return known | names_given(store, pools)


def names_given(store: Store, pools: Pools) -> set[str]:
    """Return the queues that a job type, a schedule or a pool names, and the default queue."""
    asked = [row.definition.queue for row in store.schedules.all()]
    asked += [row.queue for row in store.types.all()]
    served = {name for queues in pools.values() for name in queues}
    return (served | {name for name in asked if name} | {_USUAL_QUEUE}) - {EVERY_QUEUE}
