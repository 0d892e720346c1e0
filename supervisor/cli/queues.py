"""Queues: list them, pause and resume them."""

from collections.abc import Mapping
from typing import Any

import click

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.errors import ExitCode
from orpheus.shared.operations.operator_actions import pause_queue
from orpheus.shared.views.queues import queues_json
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import duration, print_items, print_json
from orpheus.supervisor.cli.table import Column, Columns

_RANKS = {Status.BLOCKED: 3, Status.DONE: 6, Status.CANCELLED: 8}
_COLUMNS: Columns = (
    Column("QUEUE", least=12),
    "STATE",
    Column("MOST", 5),
    Column("RATE", 4),
    Column("PER KEY", 7),
    *(Column(status.value.upper(), _RANKS.get(status, 0)) for status in Status),
    "OLDEST",
    Column("DONE/MIN", 1),
    Column("EMPTY IN", 2, least=8),
)


@click.command()
@for_operator
def queues(operator: Operator) -> int:
    """List queues with their state, limits and jobs by status."""
    with operator.store() as store:
        items = queues_json(store)
    print_items(items, _COLUMNS, _queue_row, as_json=operator.as_json)
    return ExitCode.OK


def _queue_row(item: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        item["name"],
        "paused" if item["paused"] else "open",
        item["max_running"] or None,
        item["rate"] or None,
        ", ".join(str(one) for one in (item["max_running_per_key"], item["rate_per_key"]) if one)
        or None,
        *(item["counts"][status.value] for status in Status),
        duration(item["oldest_pending_s"]),
        f"{item['done_per_minute']:.1f}",
        _empty_in(item["drain"]),
    )


def _empty_in(drain: Mapping[str, Any] | None) -> str | None:
    """Return when a queue is empty, as it stands and with more workers."""
    if drain is None or not drain["seconds"]:
        return None
    more = (f"+{one['more_workers']}: {duration(one['seconds'])}" for one in drain["with_more"])
    return f"{duration(drain['seconds'])} ({', '.join(more)})"


@click.command()
@click.argument("queue", shell_complete=live("queues"))
@with_reason
@for_operator
def pause(operator: Operator, queue: str, reason: str | None) -> int:
    """Start no more jobs of QUEUE until it is resumed. A pause survives restarts."""
    return _set_paused(operator, queue, reason, paused=True)


@click.command()
@click.argument("queue", shell_complete=live("queues"))
@with_reason
@for_operator
def resume(operator: Operator, queue: str, reason: str | None) -> int:
    """Start jobs of QUEUE again."""
    return _set_paused(operator, queue, reason, paused=False)


def _set_paused(operator: Operator, queue: str, reason: str | None, *, paused: bool) -> int:
    if not NAME.fullmatch(queue):
        raise click.UsageError(f"{queue!r} is not a valid name: it {NAME_RULE}")
    action = "pause" if paused else "resume"
    with operator.store() as store:
        pause_queue(store, operator.actor(reason), queue, paused=paused)
        if operator.as_json:
            print_json(next(item for item in queues_json(store) if item["name"] == queue))
        else:
            click.echo(f"queue {queue}: {action}d")
    return ExitCode.OK
