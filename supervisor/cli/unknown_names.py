"""Warn of a queue or a type that nothing names (it may be a typing error) or that starts no job."""

from collections.abc import Collection

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.explain.reasons import held
from orpheus.shared.explain.sentences import command_of, text_of
from orpheus.shared.messages.queues import Code
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage import NextJob, Store
from orpheus.shared.text import printable
from orpheus.shared.views.unknown_names import names_of_queues, unknown_in_filter, unknown_queue
from orpheus.supervisor.cli.given import text_as_called
from orpheus.supervisor.cli.output import warn
from orpheus.supervisor.cli.processes import read_facts, read_workers


def warn_of_queue(store: Store, handover: CommandLineHandover, queue: str) -> None:
    """Warn of a name that may be a typing error; the command goes on: jobs of it may come later."""
    told = unknown_queue(queue, names_of_queues(store, handover.storage.pools))
    if told:
        warn(told)


def warn_if_nothing_runs(store: Store, handover: CommandLineHandover, then: str = "waits") -> None:
    """Warn that a new job waits until somebody starts Orpheus; `then`: what it does instead."""
    if not read_workers(store, handover):
        warn(text_as_called(f"nothing runs, so it {then}; `orpheus` starts it"))


def warn_of_paused(store: Store, queues: Collection[str]) -> None:
    """Warn of the queues of these that are paused."""
    for name, pause in store.waiting.pauses().items():
        if name in queues:
            by = pause.told() if pause.by else "by the configuration"
            opens = text_as_called(f"`orpheus resume {name}` opens it")
            warn(printable(f"queue {name} is paused {by}, so its jobs wait; {opens}"))


def warn_if_held(store: Store, handover: CommandLineHandover, queue: str, type: str = "") -> None:
    """Warn of what holds back new jobs of a queue and type."""
    workers = read_workers(store, handover)
    if not workers:
        warn(text_as_called("nothing runs, so it waits; `orpheus` starts it"))
    facts = read_facts(store, handover, workers, {queue})
    for reason in held(facts, NextJob(queue, type, quarantine=facts.quarantined.get(type))):
        text, command = text_of(reason), command_of(reason)
        if reason.code is Code.NO_WORKER and not workers:
            continue
        if reason.code is Code.NO_POOL:
            text += did_you_mean(queue, {name for pool in facts.pools for name in pool.queues})
        more = f"; see `{command}`" if command else ""
        warn(printable(text_as_called(text + more)))


def warn_of_filter(store: Store, handover: CommandLineHandover, wanted: JobFilter) -> bool:
    """Warn that no job matches because the filter has a queue or a type that nothing names.

    Return whether it has such a name.
    """
    unknown = tuple(unknown_in_filter(store, handover.storage.pools, wanted))
    for told in unknown:
        warn(told)
    return bool(unknown)
