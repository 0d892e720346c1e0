"""Warn of a queue or a type that nothing names (it may be a typing error) or that starts no job."""

from collections.abc import Collection

from orpheus.shared.domain.crews import unready_text
from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.processes import Role
from orpheus.shared.domain.serving import serves
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage import Store
from orpheus.shared.text import printable
from orpheus.shared.views.pauses import pause_json
from orpheus.shared.views.unknown_names import names_of_queues, unknown_in_filter, unknown_queue
from orpheus.supervisor.cli.given import text_as_called
from orpheus.supervisor.cli.output import paused_by, warn
from orpheus.supervisor.cli.processes import crews_of_now, read_workers


def warn_of_queue(store: Store, handover: CommandLineHandover, queue: str) -> None:
    """Warn of a name that may be a typing error; the command goes on: jobs of it may come later."""
    told = unknown_queue(queue, names_of_queues(store, handover.storage.pools))
    if told:
        warn(told)


def warn_of_unserved(store: Store, handover: CommandLineHandover, queue: str) -> None:
    """Warn that no pool serves the queue of a new job, unless another host may."""
    served = {name for queues in handover.storage.pools.values() for name in queues}
    if not store.has_many_hosts and not serves(served, queue):
        warn(f"no pool serves the queue {queue!r}{did_you_mean(queue, served)}")


def warn_if_nothing_runs(store: Store, handover: CommandLineHandover, then: str = "waits") -> None:
    """Warn that a new job waits until somebody starts Orpheus; `then`: what it does instead."""
    if not read_workers(store, handover):
        warn(text_as_called(f"nothing runs, so it {then}; `orpheus` starts it"))


def warn_of_paused(store: Store, queues: Collection[str]) -> None:
    """Warn of those among these queues of new jobs that are paused."""
    for name, pause in store.standings.pauses().items():
        if name in queues:
            by = printable(paused_by(pause_json(pause), "the configuration") or "")
            opens = text_as_called(f"`orpheus resume {name}` opens it")
            warn(f"queue {name} is paused by {by}, so its jobs wait; {opens}")


def warn_of_no_workers(store: Store, handover: CommandLineHandover, queue: str) -> None:
    """Warn that each pool which serves the queue of a new job has no workers.

    Nothing while no supervisor runs, which `warn_if_nothing_runs` tells, or on several hosts.
    """
    workers = read_workers(store, handover)
    if store.has_many_hosts or not any(one["role"] is Role.SUPERVISOR for one in workers):
        return
    crews = crews_of_now(store, handover, workers)
    serving = [crew for crew in crews if crew.serves(queue)]
    if serving and not any(crew.ready or crew.others for crew in serving):
        starts = text_as_called(f"`orpheus scale {serving[0].pool} 1` starts one")
        warn(printable(f"{unready_text(queue, serving)}, so it waits; {starts}"))


def warn_of_quarantine(store: Store, job_type: str) -> None:
    """Warn that the type of a new job is quarantined."""
    quarantine = store.quarantines.of(job_type)
    if quarantine is not None and not quarantine.is_released:
        frees = text_as_called(f"`orpheus release {job_type}` runs them again")
        warn(f"type {job_type} is quarantined, so its jobs wait; {frees}")


def warn_of_filter(store: Store, handover: CommandLineHandover, wanted: JobFilter) -> bool:
    """Warn that no job matches because the filter has a queue or a type that nothing names.

    Return whether it has such a name.
    """
    unknown = tuple(unknown_in_filter(store, handover.storage.pools, wanted))
    for told in unknown:
        warn(told)
    return bool(unknown)
