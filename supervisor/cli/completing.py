"""What the shell completes from the database: ids, slots, queues, types, schedules.

A person waits for each answer, so nothing here checks the configuration: pydantic takes longer to
import than the whole answer may. Whatever goes wrong, or takes too long, completes nothing and says
nothing.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from orpheus.shared.text import first_line, printable
from orpheus.supervisor.cli.given import given_to

if TYPE_CHECKING:
    from orpheus.shared.domain.jobs import Job
    from orpheus.shared.storage import Store

_LONGEST_S = 0.25
_LONGEST_ON_A_SERVER_S = 1.0
"""Most of it is the import of psycopg."""
_MOST_JOBS = 50
_TOLD = 40
"""Characters of what is shown beside an id."""

Pair = tuple[str, str | None]
"""What is completed, and what is shown beside it."""


class _TooSlow(Exception):
    """The database has not answered in time."""


def live(*kinds: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return the completion of a parameter by what is in the database: `_KINDS` of these names.

    A pool or program that is scaled to 0 has no slot in it, so the configured ones are added.
    """

    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        try:
            layers = _layers_of(context)
            url, state_dir, listen_url = _database_of(layers)
            with _for_a_moment(url), _store(url, state_dir, listen_url) as store:
                pairs = [pair for kind in kinds for pair in _KINDS[kind](store)]
            if "pools" in kinds:
                pairs = list(_once([*(name for name, _ in pairs), *_configured(layers)]))
        except Exception:  # noqa: BLE001 - a shell shows it in the middle of what is typed
            return []
        # A control character, as in a job's error, would act on the terminal.
        return [
            CompletionItem(name, help=told and printable(told)[:_TOLD])
            for name, told in pairs
            if name.startswith(begun) and name.isprintable()
        ]

    return complete


@contextlib.contextmanager
def _for_a_moment(url: str) -> Iterator[None]:
    """Raise _TooSlow in a block that takes too long: a locked database, a server that is silent."""

    def give_up(*_: object) -> None:
        raise _TooSlow

    signal.signal(signal.SIGALRM, give_up)
    longest_s = _LONGEST_S if url.startswith("sqlite:") else _LONGEST_ON_A_SERVER_S
    signal.setitimer(signal.ITIMER_REAL, longest_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _layers_of(context: click.Context) -> Sequence[Mapping[str, Any]]:
    """Return what the file, the environment and the options typed so far set, the last wins.

    Raises Abort if it is not certain which database they mean.
    """
    from orpheus.config.sources import read_sources  # noqa: PLC0415 - see above

    config, sets, _ = given_to(context)
    sources = read_sources(config, sets, os.environ)
    if not sources.tells_database:
        raise click.Abort
    return sources.layers


def _database_of(layers: Iterable[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Return url, state_dir and listen_url of the database."""
    database: dict[str, Any] = {}
    for layer in layers:
        database |= layer.get("database", {})
    url = database.get("url", "sqlite:///data/orpheus.db")
    return url, database.get("state_dir", ""), database.get("listen_url", "")


def _configured(layers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the names of the configured pools and programs; without any pool, `default`."""
    pools = [name for layer in layers for name in layer.get("pools", ())]
    yield from pools or ["default"]
    for layer in layers:
        yield from (program["name"] for program in layer.get("programs", ()))


def _store(url: str, state_dir: str, listen_url: str) -> "contextlib.closing[Store]":
    from orpheus.shared.storage import open_store  # noqa: PLC0415 - see above

    return contextlib.closing(open_store(url, state_dir=state_dir, listen_url=listen_url))


def _of_jobs(*statuses: str) -> "Callable[[Store], Iterator[Pair]]":
    def read(store: "Store") -> Iterator[Pair]:
        from orpheus.shared.domain.job_filter import JobFilter  # noqa: PLC0415 - see above
        from orpheus.shared.domain.jobs import Status  # noqa: PLC0415 - see above

        wanted = [JobFilter(Status(status)) for status in statuses] or [JobFilter()]
        jobs = [job for one in wanted for job in store.jobs.page(one, _MOST_JOBS)]
        jobs.sort(key=lambda job: job.id, reverse=True)
        return map(_with_status, jobs[:_MOST_JOBS])

    return read


def _with_status(job: "Job") -> Pair:
    why = f": {job.error.message}" if job.error else ""
    return str(job.id), first_line(f"{job.status} {job.type}{why}")


def _once(names: Iterable[str | None]) -> Iterator[Pair]:
    return ((name, None) for name in dict.fromkeys(names) if name is not None)


_KINDS: "Mapping[str, Callable[[Store], Iterable[Pair]]]" = {
    "jobs": _of_jobs(),
    "jobs that wait or run": _of_jobs("blocked", "pending", "in_progress"),
    "jobs that wait": _of_jobs("pending"),
    "jobs to retry": _of_jobs("failed", "cancelled"),
    "jobs that have ended": _of_jobs("failed", "cancelled", "done"),
    "slots": lambda store: ((one.slot, str(one.state)) for one in store.processes.slots()),
    "slots of programs": lambda store: (
        (one.slot, str(one.state)) for one in store.processes.slots() if one.role == "program"
    ),
    "pools": lambda store: _once(one.pool for one in store.processes.slots()),
    "hosts": lambda store: _once(one.host for one in store.processes.slots()),
    "queues": lambda store: _once(
        sorted({*store.stats.counts_by_queue(), *(one.name for one in store.queues.all())})
    ),
    "types": lambda store: (
        (one.name, one.description.partition("\n")[0] or None) for one in store.types.all()
    ),
    "schedules": lambda store: (
        (one.definition.name, "paused" if one.paused else one.definition.type)
        for one in store.schedules.all()
    ),
}
"""What can be completed, by its name."""
