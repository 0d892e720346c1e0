"""Ask the supervisor to restart, drain or scale, or for the stack of a process.

The command writes a request and waits until the supervisor has taken it, so that "asked for" means
that the supervisor knows. The supervisor of another host has its own configuration file, which may
have no such pool: so `scale` also waits until a slot of the pool is there.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.processes import Role, SlotRecord, SlotState
from orpheus.shared.domain.requests import MOST_WORKERS, RequestAction
from orpheus.shared.domain.scaling import exceptions, left_queues, scaling
from orpheus.shared.domain.words import duration, noun_for
from orpheus.shared.errors import NoAnswer
from orpheus.shared.operations.supervisor_requests import (
    ask_for_slot,
    ask_for_workers,
    check_goes_on,
    check_supervised,
    read_stack,
    slot_for,
)
from orpheus.shared.process.host import own_host
from orpheus.shared.storage import Store
from orpheus.shared.text import printable
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import print_json
from orpheus.supervisor.cli.processes import read_workers
from orpheus.supervisor.cli.whole_number import CommandWithNumber, WholeNumber

_TAKEN_WITHIN_S = _SHOWN_WITHIN_S = 5.0
_POLL_INTERVAL_S = 0.05

on_host = click.option(
    "--host",
    type=Text(),
    metavar="HOST",
    help="Which host is meant, if there are several.",
    shell_complete=live("hosts"),
)

_slots_argument = click.argument(
    "slots",
    type=Text(),
    nargs=-1,
    required=True,
    metavar="SLOT…",
    shell_complete=live("slots"),
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
    """Let each SLOT finish its job or stop its program; it stays down until a restart."""
    _ask_for_slots(operator, RequestAction.DRAIN, slots, host, reason)


def _ask_for_slots(
    operator: Operator,
    action: RequestAction,
    slots: Sequence[str],
    host: str | None,
    reason: str | None,
) -> None:
    """Ask for one after the other; if one of them cannot be asked for, for none."""
    names = [*dict.fromkeys(slots)]
    if operator.as_json and len(names) > 1:
        raise click.UsageError("with --json, give one SLOT")
    handover, actor = operator.handover(), operator.actor(reason)
    with operator.store(handover) as store:
        check_supervised(store, handover.beat_timeout_s)
        asked = [slot_for(store, action, name, host) for name in names]
        for one in asked:
            check_goes_on(store, one.host)
        notes = list(_notes(store, handover, action, asked))
        for one, note in zip(asked, notes, strict=True):
            message = f"{one.slot}: {action} asked for"
            _wait_until_taken(store, ask_for_slot(store, actor, action, one.slot, host), message)
            if operator.as_json:
                print_json(_as_listed(store, handover, one))
            else:
                click.echo(message + note)


def _notes(
    store: Store,
    handover: CommandLineHandover,
    action: RequestAction,
    asked: Sequence[SlotRecord],
) -> Iterator[str]:
    """Yield what is said behind each; behind the last of a pool, which queues all leave."""
    workers = [one for one in asked if one.role is Role.WORKER]
    going = {(one.host, one.slot) for one in workers}
    last_of_pool = {(one.host, one.pool): one for one in workers}.values()
    for one in asked:
        note = _released(handover, _left_s(store, one)) if one in workers and one.pid else ""
        if action is RequestAction.DRAIN and one in last_of_pool:
            note += _left(store, handover, one.pool, one.host, going)
        yield note


def _as_listed(store: Store, handover: CommandLineHandover, slot: SlotRecord) -> Mapping[str, Any]:
    for item in read_workers(store, handover):
        if (item["host"], item["slot"]) == (slot.host, slot.slot):
            return item
    return {"slot": slot.slot}


@click.command(cls=CommandWithNumber)
@click.argument("pool", type=Text(), metavar="NAME", shell_complete=live("pools"))
@click.argument("workers", type=WholeNumber(0, MOST_WORKERS), metavar="N")
@on_host
@with_reason
@for_operator
def scale(
    operator: Operator, pool: str, workers: int, host: str | None, reason: str | None
) -> None:
    """Run N workers or instances of NAME until the file's number changes, or a restart.

    NAME is a pool or a program.
    """
    with operator.opened(certain=True) as (store, handover):  # for the names of pools and programs
        pools, programs = handover.storage.pools, handover.programs
        noun = "instance" if pool in programs else "worker" if pool in pools else "slot"
        message = f"{pool}: {workers} {noun_for(workers, noun)} asked for"
        check_supervised(store, handover.beat_timeout_s)
        note, actor = _note_of_scale(store, handover, pool, workers, host), operator.actor(reason)
        request_id = ask_for_workers(store, actor, pool, workers, pools, programs, host)
        _wait_until_taken(store, request_id, message)
        _wait_until(
            lambda: not workers or bool(_slots_of(store, pool, host)),
            _SHOWN_WITHIN_S,
            f"{message}, but none is there: does the file of that host have it? See its log",
        )
    operator.answer({"pool": pool, "workers": workers}, message + note)


def _note_of_scale(
    store: Store, handover: CommandLineHandover, pool: str, workers: int, host: str | None
) -> str:
    own = _slots_of(store, pool, host)
    change = scaling(own, workers)
    role = Role.WORKER if pool in handover.storage.pools else Role.PROGRAM
    told = "".join(f"; {one}" for one in exceptions(change, role))
    if role is Role.PROGRAM:
        return told
    if not (change.starting or change.returning):
        names = {*change.ending, *change.empty}
        going = {(one.host, one.slot) for one in own if one.slot in names}
        told += _left(store, handover, pool, host, going)
    return f"{_released(handover) if change.ending else ''}{told}"


def _slots_of(store: Store, pool: str, host: str | None) -> list[SlotRecord]:
    slots = store.processes.slots()
    return [one for one in slots if one.pool == pool and host in (None, one.host)]


def _left_s(store: Store, slot: SlotRecord) -> float | None:
    """Return how long a process that is ending still goes on with its job; None: it is not."""
    if slot.until_ms is None or slot.state not in (SlotState.DRAINING, SlotState.STOPPING):
        return None
    return max(0, slot.until_ms - store.clock.wall_ms()) / 1000


def _released(handover: CommandLineHandover, left_s: float | None = None) -> str:
    within = duration(handover.finishes_within_s if left_s is None else round(left_s))
    return f"; a job that still runs after {within} is released, and starts again"


def _left(
    store: Store,
    handover: CommandLineHandover,
    pool: str | None,
    host: str | None,
    going: Collection[tuple[str, str]],
) -> str:
    """Return which queues nobody serves without the slots of a pool that are `going`.

    Each slot is a host and a name, as hosts may share slot names. `host` None: there is only one.
    """
    staying = (one for one in store.processes.slots() if (one.host, one.slot) not in going)
    counts = store.stats.counts_by_queue().items()
    pending = {name: by_status[Status.PENDING] for name, by_status in counts}
    left = left_queues(pool or "", host, staying, handover.storage.pools, pending)
    return f"; {left}" if left else ""


def _wait_until_taken(store: Store, request_id: int, message: str) -> None:
    """Return once the supervisor has taken the request. Raises NoAnswer."""
    _wait_until(
        lambda: not store.supervision.is_waiting(request_id),
        _TAKEN_WITHIN_S,
        f"{message}, but the supervisor has not taken the request within {_TAKEN_WITHIN_S:.0f} s, "
        "and may yet: is its process stopped? See `orpheus workers` and its log",
    )


def _wait_until(is_so: Callable[[], bool], within_s: float, problem: str) -> None:
    """Return once `is_so`. Raises NoAnswer with the text `problem`."""
    give_up_at_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > give_up_at_s:
            raise NoAnswer(problem)
        time.sleep(_POLL_INTERVAL_S)


@click.command()
@click.argument("slot", type=Text(), shell_complete=live("slots"))
@on_host
@for_operator
def stack(operator: Operator, slot: str, host: str | None) -> None:
    """Show what the code of SLOT is doing, without stopping it."""
    with operator.opened() as (store, handover):
        check_supervised(store, handover.beat_timeout_s)
        read = read_stack(store, slot, host, own_host())
    job = f", job {read['job'].id} {read['job'].type}" if read["job"] else ""
    title = f"{slot}, process {read['pid']}{job}, at {read['at']}"
    operator.answer(read, "\n".join([title, *map(printable, read["stack"].splitlines())]))
