"""Warn of a queue or a type that nothing names: it may be a typing error."""

from collections.abc import Collection

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage import Store

_USUAL_QUEUE: str = NewJob._field_defaults["queue"]


def warn_if_nothing_names(queue: str, names: Collection[str]) -> None:
    """Warn of what may be a typing error. It is done all the same: jobs of it may come later."""
    if queue not in names:
        text = f"no job, job type, schedule, pool or setting names a queue {queue!r}"
        _warn(text, queue, names)


def warn_of_filter(store: Store, handover: CommandLineHandover, wanted: JobFilter) -> None:
    """Warn that no job matches because the filter has a queue or a type that nothing names."""
    if wanted.queue is not None:
        warn_if_nothing_names(wanted.queue, names_of_queues(store, handover))
    if wanted.type is None or store.jobs.page(JobFilter(type=wanted.type), 1):
        return
    types = {one.name for one in store.types.all()}
    types |= {one.definition.type for one in store.schedules.all()}
    if wanted.type not in types:
        _warn(f"no job, job type or schedule has the type {wanted.type!r}", wanted.type, types)


def names_of_queues(store: Store, handover: CommandLineHandover) -> set[str]:
    """Return the names of all queues that anything knows."""
    with store.snapshot():
        asked = [one.definition.queue for one in store.schedules.all()]
        asked += [one.queue for one in store.types.all()]
        known = {*store.stats.counts_by_queue(), *(one.name for one in store.queues.all())}
    served = {name for queues in handover.storage.pools.values() for name in queues}
    return (known | served | {name for name in asked if name} | {_USUAL_QUEUE}) - {"*"}


def _warn(text: str, name: str, names: Collection[str]) -> None:
    click.echo(f"orpheus: warning: {text}{did_you_mean(name, names)}", err=True)
