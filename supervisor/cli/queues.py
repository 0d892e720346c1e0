"""Queues: list, pause and resume them."""

import click
import msgspec

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.errors import NotFound
from orpheus.shared.explain.answers import paused_of, queues_of
from orpheus.shared.messages.queues import Code, Limits, Queue
from orpheus.shared.operations.operator_actions import pause_queue
from orpheus.shared.text import printable
from orpheus.shared.views.unknown_names import names_of_queues, unknown_queue
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.given import as_called, text_as_called
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import (
    duration,
    paused_by,
    print_json,
    print_table,
    print_whole,
)
from orpheus.supervisor.cli.processes import read_facts, read_workers, tell_if_nothing_runs
from orpheus.supervisor.cli.table import Column, Columns, fields_of
from orpheus.supervisor.cli.unknown_names import warn_of_queue

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
    Column("IN/MIN", 5, usual="0.0"),
    Column("OUT/MIN", 5, usual="0.0"),
    Column("EMPTY IN", 3),
    Column("WITH MORE", 12, least=24),
    Column("WHY", 1, least=12, enough=24),
)


@click.command()
@click.argument("queue", type=Text(), required=False, shell_complete=live("queues"))
@for_operator
def queues(operator: Operator, queue: str | None) -> None:
    """List queues with their state, limits and jobs by status; of QUEUE, tell all."""
    with operator.opened() as (store, handover):
        slots = read_workers(store, handover)
        told = queue and unknown_queue(queue, names_of_queues(store, handover.storage.pools))
        if told:
            raise NotFound(told)
        items = queues_of(read_facts(store, handover, slots, {queue} if queue else None))
    if operator.as_json:
        print_json({"items": items})
    elif queue is None:
        print_table(_COLUMNS, map(_queue_row, items), all_of_one="orpheus queues QUEUE")
    else:
        _show(items[0])
    tell_if_nothing_runs(store, slots)


def _show(item: Queue) -> None:
    """Print all that is known of a queue, and nothing is cut."""
    pools = [f"{pool.name} ({pool.ready} of {pool.workers} ready)" for pool in item.pools]
    todo = "resume" if item.paused else "jobs --queue"
    print_whole(
        {
            **fields_of(_COLUMNS, _queue_row(item)),
            "due": item.due,
            "pools": ", ".join(pools) or "none",
            "next": as_called(f"orpheus {todo} {item.name}"),
        }
    )


def _queue_row(item: Queue) -> tuple[object, ...]:
    limits = item.limits
    more = [f"+{n}: {duration(seconds)}" for n, seconds in item.empty_in_s_with.items()]
    return (
        item.name,
        "paused" if item.paused else "open" if item.pools else "no pool",
        limits.max_running or None,
        limits.rate or None,
        _per_key(limits),
        *(item.counts[status.value] for status in Status),
        duration(item.oldest_due_s),
        f"{item.in_per_minute:.1f}",
        f"{item.out_per_minute:.1f}",
        duration(item.empty_in_s) if item.empty_in_s else None,
        ", ".join(more) or None,
        _why(item),
    )


def _per_key(limits: Limits) -> str | None:
    of_key = (limits.max_running_per_key, limits.rate_per_key)
    return ", ".join(str(limit) for limit in of_key if limit) or None


def _why(item: Queue) -> str | None:
    """Return who paused a queue, or why its next due job does not start."""
    if item.paused:
        return paused_by(msgspec.to_builtins(item.paused), "the configuration")
    if item.reason is None or item.reason.code is Code.NO_POOL:  # its state says so
        return None
    return text_as_called(item.reason.text)


def warn_if_none_starts(queue: Queue) -> None:
    """Say why no job of a queue starts; `tell_if_nothing_runs` says if nothing runs at all."""
    if queue.reason is not None:
        text = printable(text_as_called(queue.reason.text))
        click.echo(f"queue {queue.name}: {text}", err=True)


@click.command()
@click.argument("queue", shell_complete=live("queues"))
@with_reason
@for_operator
def pause(operator: Operator, queue: str, reason: str | None) -> None:
    """Start no more jobs of QUEUE until it is resumed. A pause survives restarts."""
    _set_paused(operator, queue, reason, paused=True)


@click.command()
@click.argument("queue", shell_complete=live("queues"))
@with_reason
@for_operator
def resume(operator: Operator, queue: str, reason: str | None) -> None:
    """Start jobs of QUEUE again."""
    _set_paused(operator, queue, reason, paused=False)


def _set_paused(operator: Operator, queue: str, reason: str | None, *, paused: bool) -> None:
    if not NAME.fullmatch(queue):
        raise click.UsageError(f"{queue!r} is not a valid name: it {NAME_RULE}")
    with operator.opened() as (store, handover):
        warn_of_queue(store, handover, queue)
        was_paused = any(row.paused for row in store.queues.all() if row.name == queue)
        before = pause_queue(store, operator.actor(reason), queue, paused=paused)
        slots = read_workers(store, handover)
        (item,) = queues_of(read_facts(store, handover, slots, {queue}))
    if operator.as_json:
        print_json(item)
        return
    if paused:
        by = f" by {before.by}" if before and before.by else ""
        stands = before is not None and item.paused == paused_of(before)
        now = f"already paused{by}" if stands else "paused"
    else:
        now = "resumed" if was_paused else "still open"
        if not item.pools:
            now += ", but no pool serves it"
        elif item.reason:
            now += f", but {text_as_called(item.reason.text)}"
    click.echo(printable(f"queue {queue}: {now}"))
    if not paused:
        tell_if_nothing_runs(store, slots)
