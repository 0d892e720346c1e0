"""Workers and programs: list their processes, and ask the supervisor to restart, drain or scale.

A request waits until the supervisor has taken it, so "asked for" means that the supervisor knows.
"""

import time
from collections.abc import Collection, Sequence

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.processes import Role, SlotRecord, SlotState
from orpheus.shared.domain.requests import MOST_WORKERS, RequestAction
from orpheus.shared.domain.stacks import job_only
from orpheus.shared.errors import NoAnswer, NotFound
from orpheus.shared.explain.facts import Facts, read
from orpheus.shared.explain.sentences import nothing_runs
from orpheus.shared.messages.worker_list import workers_of
from orpheus.shared.messages.workers import LastExit, Worker
from orpheus.shared.operations.supervisor_requests import (
    ask_for_slot,
    ask_for_workers,
    check_goes_on,
    check_supervised,
    slot_for,
    unknown_slot,
)
from orpheus.shared.storage import Store
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, on_host, with_reason
from orpheus.supervisor.cli.output import (
    Column,
    ago,
    count,
    duration,
    fields_of,
    mebibytes,
    print_block,
    print_fields,
    print_items,
    print_json,
    when,
)

_COLUMNS = (
    Column("HOST", 9),
    Column("SLOT", least=16),
    "STATE",
    Column("PID", 6),
    Column("JOB", 3, least=12),
    Column("BEAT", 4),
    Column("CPU", 3),
    Column("MEMORY", 2),
    Column("DONE", 7),
    Column("UP", 5),
    Column("RESTARTS", 1),
    Column("WHY", least=12),
)
_TAKEN_WITHIN_S = 5.0
_POLL_INTERVAL_S = 0.05
_EXITS = ("last exit", "2nd last", "3rd last", "4th last", "5th last")
"""GET /workers returns as many for each slot."""


@click.command()
@click.argument("slot", type=Text(), required=False, shell_complete=live("slots"))
@for_operator
def workers(operator: Operator, slot: str | None) -> None:
    """List every process with its state, job and resource use; with SLOT, show all details."""
    with operator.opened() as (store, handover):
        items = read_workers(store, handover)
        found = [item for item in items if slot in (None, item.slot)]
        if slot is not None and not found:
            check_supervised(store, handover.beat_timeout_s)
            raise NotFound(unknown_slot(store, slot))
        if slot is None or operator.as_json:
            print_workers(found, as_json=operator.as_json)
        else:
            for item in found:
                _show(item)
        tell_if_nothing_runs(store, items)


@click.command()
@for_operator
def programs(operator: Operator) -> None:
    """List programs with their state and resource use."""
    with operator.opened() as (store, handover):
        everything = read_workers(store, handover)
        items = [item for item in everything if item.role == Role.PROGRAM]
        print_workers(items, as_json=operator.as_json)
        tell_if_nothing_runs(store, everything)


def tell_if_nothing_runs(store: Store, everything: Sequence[Worker]) -> None:
    """Say so on stderr if there is no slot and no process: what is configured does not happen."""
    if not everything:
        click.echo(nothing_runs(store.moves.says), err=True)


def read_workers(store: Store, handover: CommandLineHandover) -> list[Worker]:
    """Return every slot, and every process without one, as GET /workers shows them."""
    return workers_of(store, supervised_on=None, beat_timeout_s=handover.beat_timeout_s)


def read_facts(
    store: Store,
    handover: CommandLineHandover,
    workers: Sequence[Worker],
    only: Collection[str] | None = None,
) -> Facts:
    """Return what explanations need; `only`: about these queues."""
    limits_s = handover.beat_timeout_s, handover.waits_long_s
    return read(store, workers, handover.storage.pools, *limits_s, only=only)


def print_workers(items: Sequence[Worker], *, as_json: bool = False) -> None:
    """Print a table, with the hosts only if there are several."""
    is_one_host = len({item.host for item in items}) < 2
    start = 1 if is_one_host else 0
    rows = [_row(item)[start:] for item in items]
    print_items(items, _COLUMNS[start:], rows, as_json=as_json)


def _show(item: Worker) -> None:
    """Print all that is known of a slot."""
    exits = item.recent_exits
    print_fields(
        {
            **fields_of(_COLUMNS, _row(item)),
            "failed lately": item.failed_lately or None,
            **{name: _exit(exit) for name, exit in zip(_EXITS, exits, strict=False)},
        }
    )
    if exits and exits[0].evidence:
        print_block("evidence of the last exit", job_only(exits[0].evidence))
    if exits and exits[0].output:
        print_block("output before the last exit", exits[0].output)


def _row(item: Worker) -> tuple[object, ...]:
    job, cpu = item.job, item.cpu_percent
    more = f" (+{item.jobs_in_progress - 1})" if item.jobs_in_progress > 1 else ""
    return (
        item.host,
        item.slot,
        item.state,
        item.pid,
        f"{job.id} {job.type}{more}" if job else None,
        duration(item.heartbeat_age_s),
        None if cpu is None else f"{cpu:.1f} %",
        mebibytes(item.rss_bytes),
        count(item.jobs_done) if item.pid and item.role == Role.WORKER else None,
        duration(item.uptime_s),
        count(item.restarts),
        why_of(item) or None,
    )


def why_of(item: Worker) -> str:
    """Return what is wrong with a slot, and when its state ends."""
    why = item.reason
    if not why and item.last_exit and (item.last_failure or item.state != SlotState.READY):
        why = _exit(item.last_exit)
    parts = (
        f"no heartbeat for {duration(item.heartbeat_age_s)}" if item.silent else "",
        f"degraded: {why}" if item.degraded else why,
        f"until {when(item.until)}" if item.until else "",
    )
    return "; ".join(filter(None, parts))


def _exit(exit: LastExit) -> str:
    """Say how a process ended."""
    jobs = ", ".join(map(str, exit.jobs))
    ran = f", in job {jobs}" if jobs else ""
    return f"{ago(exit.at)}: {exit.reason}, after {duration(exit.uptime_s)}{ran}"


_slots_argument = click.argument(
    "slots", type=Text(), nargs=-1, required=True, metavar="SLOT…", shell_complete=live("slots")
)


@click.command()
@_slots_argument
@on_host
@with_reason
@for_operator
def restart(operator: Operator, slots: Sequence[str], host: str | None, reason: str | None) -> None:
    """Let each SLOT finish its job or stop its program, then start it again."""
    _ask_for_slots(operator, RequestAction.RESTART, slots, host, reason)


@click.command()
@_slots_argument
@on_host
@with_reason
@for_operator
def drain(operator: Operator, slots: Sequence[str], host: str | None, reason: str | None) -> None:
    """Let each SLOT finish its job or stop its program, then keep it down until a restart."""
    _ask_for_slots(operator, RequestAction.DRAIN, slots, host, reason)


def _ask_for_slots(
    operator: Operator,
    action: RequestAction,
    slots: Sequence[str],
    host: str | None,
    reason: str | None,
) -> None:
    """Request all of them, or none if one request is refused."""
    with operator.opened() as (store, handover):
        check_supervised(store, handover.beat_timeout_s)
        asked = [slot_for(store, action, name, host) for name in dict.fromkeys(slots)]
        for slot in asked:
            check_goes_on(store, slot.host)
        for slot in asked:
            message = f"{slot.slot}: {action} requested"
            request_id = ask_for_slot(store, operator.actor(reason), action, slot.slot, host)
            _wait_until_taken(store, request_id, message)
            if not operator.as_json:
                click.echo(message)
        if operator.as_json:
            listed = read_workers(store, handover)
            print_json({"items": [item for item in listed if _is_among(item, asked)]})


@click.command()
@click.argument("pool", type=Text(), metavar="NAME")
@click.argument("workers", type=click.IntRange(0, MOST_WORKERS), metavar="N")
@on_host
@with_reason
@for_operator
def scale(
    operator: Operator, pool: str, workers: int, host: str | None, reason: str | None
) -> None:
    """Run N workers of a pool, or N instances of a program.

    It lasts until the file's number changes, or until the supervisor restarts.
    """
    with operator.opened() as (store, handover):
        check_supervised(store, handover.beat_timeout_s)
        message = f"{pool}: {workers} requested"
        pools, programs = handover.storage.pools, handover.programs
        request_id = ask_for_workers(
            store, operator.actor(reason), pool, workers, pools, programs, host
        )
        _wait_until_taken(store, request_id, message)
    operator.answer({"pool": pool, "workers": workers}, message)


def _wait_until_taken(store: Store, request_id: int, message: str) -> None:
    """Return once the supervisor has taken the request. Raises NoAnswer."""
    give_up_at_s = time.monotonic() + _TAKEN_WITHIN_S
    while store.supervision.is_waiting(request_id):
        if time.monotonic() > give_up_at_s:
            raise NoAnswer(
                f"{message}, but the supervisor did not take the request within "
                f"{_TAKEN_WITHIN_S:.0f} s; it still may: see `orpheus workers` and the log"
            )
        time.sleep(_POLL_INTERVAL_S)


def _is_among(item: Worker, slots: Sequence[SlotRecord]) -> bool:
    return any((item.host, item.slot) == (slot.host, slot.slot) for slot in slots)
