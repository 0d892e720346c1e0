"""Queues: list, pause and resume them."""

import sys

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.errors import NotFound
from orpheus.shared.explain.answers import queues_of
from orpheus.shared.explain.facts import queue_names
from orpheus.shared.messages.queues import Queue
from orpheus.shared.operations.operator_actions import pause_queue
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage import Store
from orpheus.shared.text import printable
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import (
    Column,
    Columns,
    already_paused,
    count,
    duration,
    paused_by,
    print_items,
)
from orpheus.supervisor.cli.workers import read_facts, read_workers, tell_if_nothing_runs

_RANKS = {
    Status.IN_PROGRESS: 1,
    Status.FAILED: 2,
    Status.BLOCKED: 6,
    Status.DONE: 9,
    Status.CANCELLED: 11,
}
_COLUMNS: Columns = (
    Column("QUEUE", least=12),
    "STATE",
    Column("AT ONCE", 8),
    Column("RATE", 7),
    Column("PER KEY", 10),
    *(Column(status.value.upper(), _RANKS.get(status, 0)) for status in Status),
    Column("OLDEST", 4),
    Column("IN/MIN", 5),
    Column("OUT/MIN", 5),
    Column("EMPTY IN", 3),
    Column("WITH MORE", 12, least=24),
    Column("WHY", 1, least=24),
)


@click.command()
@for_operator
def queues(operator: Operator) -> None:
    """List queues with their state, limits and jobs by status."""
    with operator.opened() as (store, handover):
        slots = read_workers(store, handover)
        items = queues_of(read_facts(store, handover, slots))
        print_items(items, _COLUMNS, map(_row, items), as_json=operator.as_json)
        tell_if_nothing_runs(store, slots)


def _row(item: Queue) -> tuple[object, ...]:
    limits = item.limits
    per_key = [str(limit) for limit in (limits.max_running_per_key, limits.rate_per_key) if limit]
    more = [f"+{n}: {duration(seconds)}" for n, seconds in item.empty_in_s_with.items()]
    return (
        item.name,
        "paused" if item.paused else "open" if item.pools else "no pool",
        count(limits.max_running or None),
        limits.rate or None,
        ", ".join(per_key) or None,
        *(count(item.counts[status.value]) for status in Status),
        duration(item.oldest_due_s),
        f"{item.in_per_minute:.1f}",
        f"{item.out_per_minute:.1f}",
        duration(item.empty_in_s or None),
        ", ".join(more) or None,
        _why(item),
    )


def check_queue(store: Store, handover: CommandLineHandover, name: str) -> None:
    """Raise NotFound, which names a similar queue, if a queue does not exist."""
    if name not in (known := queue_names(store, handover.storage.pools)):
        raise NotFound(f"there is no queue {name!r}{did_you_mean(name, known)}")


def _why(item: Queue) -> str | None:
    """Return who paused a queue, or why its next due job does not start."""
    if item.paused:
        return paused_by(item.paused, "the configuration")
    return None if item.reason is None else item.reason.text


@click.command()
@click.argument("queue", shell_complete=live("queues"))
@click.option("--create", is_flag=True, help="Pause QUEUE even if it does not exist yet.")
@with_reason
@for_operator
def pause(operator: Operator, queue: str, create: bool, reason: str | None) -> None:
    """Start no more jobs of QUEUE until it is resumed. A pause survives restarts."""
    _set_paused(operator, queue, reason, paused=True, create=create)


@click.command()
@click.argument("queue", shell_complete=live("queues"))
@with_reason
@for_operator
def resume(operator: Operator, queue: str, reason: str | None) -> None:
    """Start jobs of QUEUE again."""
    _set_paused(operator, queue, reason, paused=False)


def _set_paused(
    operator: Operator, queue: str, reason: str | None, *, paused: bool, create: bool = False
) -> None:
    if not NAME.fullmatch(queue):
        raise click.UsageError(f"{queue!r} is not a valid name: it {NAME_RULE}")
    with operator.opened() as (store, handover):
        try:
            check_queue(store, handover, queue)
        except NotFound as error:
            asks = paused and sys.stdin.isatty() and sys.stdout.isatty() and not operator.as_json
            if not create and not (asks and click.confirm(f"{error}. Create it and pause it?")):
                hint = " (--create creates and pauses it)" if paused and not asks else ""
                raise NotFound(f"{error}{hint}") from None
        standing = pause_queue(store, operator.actor(reason), queue, paused=paused)
        workers = read_workers(store, handover)
        (item,) = queues_of(read_facts(store, handover, workers, {queue}))
    but = f", but {item.reason.text}" if item.reason and not paused else ""
    text = f"queue {queue}: {'paused' if paused else 'resumed'}{but}"
    if standing:
        text = f"queue {queue}: {already_paused(standing, reason)}"
    operator.answer(item, printable(text))
