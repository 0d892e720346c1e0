"""Queues: list them, pause and resume them."""

from collections.abc import Mapping
from typing import Any

import click

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.errors import NotFound
from orpheus.shared.operations.operator_actions import pause_queue
from orpheus.shared.text import printable
from orpheus.shared.views.pauses import pause_json
from orpheus.shared.views.queues import NoneStarts, Queue, queue_json, queues_json
from orpheus.shared.views.unknown_names import names_of_queues, unknown_queue
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.given import as_called
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import (
    duration,
    paused_by,
    print_json,
    print_table,
    print_whole,
    tell_pause,
)
from orpheus.supervisor.cli.processes import crews_of_now, read_workers, tell_if_nothing_runs
from orpheus.supervisor.cli.table import Column, Columns, fields_of
from orpheus.supervisor.cli.unknown_names import warn_of_queue

_RANKS = {
    Status.IN_PROGRESS: 1,
    Status.FAILED: 2,
    Status.BLOCKED: 6,
    Status.DONE: 9,
    Status.CANCELLED: 11,
}
_FLOW = "in this minute and the last"
_COLUMNS: Columns = (
    Column("QUEUE", least=12),
    "STATE",
    Column("AT ONCE", 8),
    Column("RATE", 7),
    Column("PER KEY", 10),
    *(Column(status.value.upper(), _RANKS.get(status, 0)) for status in Status),
    Column("OLDEST", 4),
    Column("DONE/MIN (5 MIN)", 5, usual="0.0"),
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
        crews = crews_of_now(store, handover, slots)
        if queue is None:
            items = queues_json(store, crews)
        elif told := unknown_queue(queue, names_of_queues(store, handover.storage.pools)):
            raise NotFound(told)
        else:
            items = [queue_json(store, crews, queue)]
    if operator.as_json:
        print_json({"items": items})
    elif queue is None:
        print_table(_COLUMNS, map(_queue_row, items), all_of_one="orpheus queues QUEUE")
    else:
        _show(items[0])
    tell_if_nothing_runs(store, slots)


def _show(item: Queue) -> None:
    """Print all that is known of a queue, and nothing is cut."""
    pools = [f"{one['name']} ({one['ready']} of {one['workers']} ready)" for one in item["pools"]]
    todo = "resume" if item["paused"] else "jobs --queue"
    fields = {
        **fields_of(_COLUMNS, _queue_row(item)),
        **({"empty in": item["no_estimate"]} if item["no_estimate"] else {}),
        "due": item["due"],
        "in/min": f"{item['submitted_per_minute']:.1f} {_FLOW}",
        "out/min": f"{item['ended_per_minute']:.1f} {_FLOW}",
        "pools": ", ".join(pools) or "none",
        "next": as_called(f"orpheus {todo} {item['name']}"),
    }
    print_whole(fields)


def _queue_row(item: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        item["name"],
        _state(item),
        item["max_running"] or None,
        item["rate"] or None,
        ", ".join(str(one) for one in (item["max_running_per_key"], item["rate_per_key"]) if one)
        or None,
        *(item["counts"][status.value] for status in Status),
        duration(item["oldest_pending_s"]),
        f"{item['done_per_minute']:.1f}",
        *_empty_in(item),
        ", ".join(filter(None, (_why(item), _resumed(item)))) or None,
    )


def _state(item: Mapping[str, Any]) -> str:
    if item["paused"]:
        return "paused"
    return "open" if item["pools"] else "no pool"


def _empty_in(item: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return in how long no due job of a queue is left: with these workers, and with more."""
    drain = item["drain"]
    if drain is None or not drain["seconds"]:
        return None, None
    more = [f"+{one['more_workers']}: {duration(one['seconds'])}" for one in drain["with_more"]]
    return duration(drain["seconds"]), ", ".join(more) or None


def _why(item: Mapping[str, Any]) -> str | None:
    """Return who paused a queue, or why some or all of its jobs do not start now."""
    if item["paused"]:
        return ", ".join(
            filter(None, (paused_by(item["pause"], "the configuration"), *_next_due(item)))
        )
    held = [_held_back(one) for one in item["held_back"]]
    if limited := item["limited"]:
        return ", ".join([_limited(limited), *held])
    if item["none_starts"] and item["pools"]:  # its state says if no pool serves it
        why = ": ".join(filter(None, (item["none_starts"], item["unready"])))
        return ", ".join([why, *held])
    return ", ".join([*filter(None, [item["slowed"]]), *held, *_next_due(item)]) or None


def _next_due(item: Mapping[str, Any]) -> list[str]:
    """Return when the next job is due, if none is due or runs."""
    next_due_s = item["next_due_s"]
    if not next_due_s or item["due"] or item["counts"][Status.IN_PROGRESS]:
        return []
    return [f"next due in {duration(next_due_s)}"]


def _limited(limited: Mapping[str, Any]) -> str:
    """Return which limit holds a queue's due jobs; until when comes first: the end may be cut."""
    next_s = limited["next_s"]
    soon = "" if next_s is None else f"next in {duration(next_s)}, "
    return f"{soon}{limited['text']}"


def warn_if_none_starts(queue: Queue) -> None:
    """Say why no job of a queue starts, or that a limit holds back all of them.

    `tell_if_nothing_runs` says if nothing runs at all.
    """
    if queue["limited"] and not queue["none_starts"]:
        click.echo(f"queue {queue['name']}: {_limited(queue['limited'])}", err=True)
    if queue["none_starts"] not in (None, NoneStarts.NOTHING_RUNS):
        who = printable(paused_by(queue["pause"]) or "the configuration")
        why = f"paused by {who}" if queue["paused"] else queue["none_starts"]
        unready = f": {printable(queue['unready'])}" if queue["unready"] else ""
        told = f"queue {queue['name']}: {why}, so none of its jobs starts{unready}"
        click.echo(told, err=True)


def _held_back(held: Mapping[str, Any]) -> str:
    least = "at least " if held["relation"] == "gte" else ""
    oldest = duration(held["oldest_s"])
    return f"{least}{held['jobs']} held back: {held['type']} is quarantined (oldest {oldest})"


def _resumed(item: Mapping[str, Any]) -> str | None:
    """Return who resumed a queue that the configuration pauses."""
    if item["resumed"] is None:
        return None
    return f"resumed by {paused_by(item['resumed'], 'an operator')}; the configuration pauses it"


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
        was_paused = any(one.paused for one in store.queues.all() if one.name == queue)
        standing = pause_queue(store, operator.actor(reason), queue, paused=paused)
        slots = read_workers(store, handover)
        item = queue_json(store, crews_of_now(store, handover, slots), queue)
    if paused:
        tell_pause(f"queue {queue}", item, pause_json(standing), as_json=operator.as_json)
    elif operator.as_json:
        print_json(item)
    else:
        now = "resumed" if was_paused else "still open"
        click.echo(printable(f"queue {queue}: {now}{_but_nobody(item)}"))
        tell_if_nothing_runs(store, slots)


def _but_nobody(item: Queue) -> str:
    """Return why an open queue starts no job all the same; others say if nothing runs at all."""
    if not item["pools"]:
        return ", but no pool serves it"
    is_nobody = item["none_starts"] == NoneStarts.NONE_READY and item["unready"]
    return f", but {NoneStarts.NONE_READY}: {item['unready']}" if is_nobody else ""
