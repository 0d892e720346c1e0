"""What to say of a queue or type that nothing names: it may be a typing error."""

from collections.abc import Collection, Mapping

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.serving import EVERY_QUEUE
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage import Store

_USUAL_QUEUE: str = NewJob._field_defaults["queue"]

Pools = Mapping[str, Collection[str]]
"""The queues that each pool serves."""


def unknown_in_filter(store: Store, pools: Pools, wanted: JobFilter) -> list[str]:
    """Say which queue or type of the filter nothing names, so that no job can match."""
    told = []
    if wanted.queue is not None:
        told.append(unknown_queue(wanted.queue, names_of_queues(store, pools)))
    if wanted.type is not None:
        told.append(_unknown_type(store, wanted.type))
    return [text for text in told if text is not None]


def unknown_queue(queue: str, names: Collection[str]) -> str | None:
    """Say that nothing names the queue; None if something does."""
    if queue in names:
        return None
    text = f"no job, job type, schedule, pool or setting names a queue {queue!r}"
    return text + did_you_mean(queue, names)


def _unknown_type(store: Store, name: str) -> str | None:
    if store.jobs.page(JobFilter(type=name), 1):
        return None
    types = {row.name for row in store.types.all()}
    types |= {row.definition.type for row in store.schedules.all()}
    if name in types:
        return None
    return f"no job, job type or schedule has the type {name!r}{did_you_mean(name, types)}"


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
