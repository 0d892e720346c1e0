"""Ask the supervisor to restart, drain or scale, or for the stack of a process.

The command writes a request and waits until the supervisor has taken it, so that "asked for" means
that the supervisor knows. The supervisor of another host has its own configuration file, which may
have no such pool: so `scale` also waits until a slot of the pool is there.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.processes import Role, SlotRecord, SlotState
from orpheus.shared.domain.requests import MOST_WORKERS, RequestAction
from orpheus.shared.domain.scaling import exceptions, left_queues, scaling
from orpheus.shared.domain.words import duration
from orpheus.shared.errors import ExitCode, NoAnswer
from orpheus.shared.operations.supervisor_requests import (
    ask_for_slot,
    ask_for_workers,
    check_supervised,
    read_stack,
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

_on_host = click.option(
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
@_on_host
@with_reason
@for_operator
def restart(operator: Operator, slots: Sequence[str], host: str | None, reason: str | None) -> int:
    """Let each SLOT finish its job or stop its program, then start it again."""
    return _ask_for_slots(operator, RequestAction.RESTART, slots, host, reason)


@click.command()
@_slots_argument
@_on_host
@with_reason
@for_operator
def drain(operator: Operator, slots: Sequence[str], host: str | None, reason: str | None) -> int:
    """Let each SLOT finish its job or stop its program; it stays down until a restart."""
    return _ask_for_slots(operator, RequestAction.DRAIN, slots, host, reason)


def _ask_for_slots(
    operator: Operator,
    action: RequestAction,
    slots: Sequence[str],
    host: str | None,
    reason: str | None,
) -> int:
    """Ask for one slot after the other; an error at one leaves the earlier requests in force."""
    if operator.as_json and len(slots) > 1:
        raise click.UsageError("with --json, give one SLOT")
    return max(_ask_for_slot(operator, action, slot, host, reason) for slot in slots)


def _ask_for_slot(
    operator: Operator, action: RequestAction, slot: str, host: str | None, reason: str | None
) -> int:
    def ask(store: Store, _: CommandLineHandover) -> int:
        return ask_for_slot(store, operator.actor(reason), action, slot, host)

    def state(store: Store, handover: CommandLineHandover) -> Mapping[str, Any]:
        for item in read_workers(store, handover):
            if item["slot"] == slot and host in (None, item["host"]):
                return item
        return {"slot": slot}

    def note(store: Store, handover: CommandLineHandover) -> str:
        for one in store.processes.slots():
            is_asked = one.slot == slot and host in (None, one.host)
            if is_asked and one.role is Role.WORKER:
                released = _released(handover, _left_s(store, one)) if one.pid else ""
                is_drain = action is RequestAction.DRAIN
                going = {(one.host, one.slot)}
                return released + (
                    _left(store, handover, one.pool, one.host, going) if is_drain else ""
                )
        return ""

    return _ask(operator, operator.handover(), ask, f"{slot}: {action} asked for", state, note=note)


@click.command(cls=CommandWithNumber)
@click.argument("pool", type=Text(), metavar="NAME", shell_complete=live("pools"))
@click.argument("workers", type=WholeNumber(0, MOST_WORKERS), metavar="N")
@_on_host
@with_reason
@for_operator
def scale(operator: Operator, pool: str, workers: int, host: str | None, reason: str | None) -> int:
    """Run N workers or instances of NAME until the file's number changes, or a restart.

    NAME is a pool or a program.
    """

    def ask(store: Store, handover: CommandLineHandover) -> int:
        actor = operator.actor(reason)
        pools, programs = handover.storage.pools, handover.programs
        return ask_for_workers(store, actor, pool, workers, pools, programs, host)

    def is_shown(store: Store) -> bool:
        slots = store.processes.slots()
        return not workers or any(one.pool == pool and host in (None, one.host) for one in slots)

    def note(store: Store, handover: CommandLineHandover) -> str:
        slots = store.processes.slots()
        own = [one for one in slots if one.pool == pool and host in (None, one.host)]
        scale = scaling(own, workers)
        role = Role.WORKER if pool in handover.storage.pools else Role.PROGRAM
        is_limited = role is Role.WORKER and scale.ending
        told = "".join(f"; {one}" for one in exceptions(scale, role))
        if role is Role.WORKER and not (scale.starting or scale.returning):
            names = {*scale.ending, *scale.empty}
            going = {(one.host, one.slot) for one in own if one.slot in names}
            told += _left(store, handover, pool, host, going)
        return f"{_released(handover) if is_limited else ''}{told}"

    handover = operator.certain_handover()  # for the names of pools and programs
    noun = "worker" if pool in handover.storage.pools else "slot"
    noun = "instance" if pool in handover.programs else noun
    return _ask(
        operator,
        handover,
        ask,
        f"{pool}: {workers} {noun}{'' if workers == 1 else 's'} asked for",
        lambda *_: {"pool": pool, "workers": workers},
        is_shown,
        note,
    )


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


def _ask(
    operator: Operator,
    handover: CommandLineHandover,
    ask: Callable[[Store, CommandLineHandover], int],
    message: str,
    state: Callable[[Store, CommandLineHandover], Mapping[str, Any]],
    is_shown: Callable[[Store], bool] = lambda _: True,
    note: Callable[[Store, CommandLineHandover], str] = lambda *_: "",
) -> int:
    """Write a request by `ask`, wait until it is taken, and print `message`, or `state` as JSON.

    `note` returns what is printed after the message, from what it reads before the request.

    Raises NoSupervisor, what `ask` raises, and NoAnswer if the request is not taken in time or its
    effect is not shown in time.
    """
    with operator.store(handover) as store:
        check_supervised(store, handover.beat_timeout_s)
        behind = note(store, handover)
        request_id = ask(store, handover)
        _wait_until(
            lambda: not store.supervision.is_waiting(request_id),
            _TAKEN_WITHIN_S,
            f"{message}, but the supervisor has not taken the request within "
            f"{_TAKEN_WITHIN_S:.0f} s, and may yet: is its process stopped? "
            "See `orpheus workers` and its log",
        )
        _wait_until(
            lambda: is_shown(store),
            _SHOWN_WITHIN_S,
            f"{message}, but none is there: does the file of that host have it? See its log",
        )
        if operator.as_json:
            print_json(state(store, handover))
        else:
            click.echo(message + behind)
    return ExitCode.OK


def _wait_until(is_so: Callable[[], bool], within_s: float, problem: str) -> None:
    """Return once `is_so`. Raises NoAnswer with the text `problem`."""
    give_up_at_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > give_up_at_s:
            raise NoAnswer(problem)
        time.sleep(_POLL_INTERVAL_S)


@click.command()
@click.argument("slot", type=Text(), shell_complete=live("slots"))
@_on_host
@for_operator
def stack(operator: Operator, slot: str, host: str | None) -> int:
    """Show what the code of SLOT is doing, without stopping it."""
    handover = operator.handover()
    with operator.store(handover) as store:
        check_supervised(store, handover.beat_timeout_s)
        read = read_stack(store, slot, host, own_host())
    if operator.as_json:
        print_json(read)
        return ExitCode.OK
    job = f", job {read['job']['id']} {read['job']['type']}" if read["job"] else ""
    click.echo(f"{slot}, process {read['pid']}{job}, at {read['at']}")
    click.echo("\n".join(map(printable, read["stack"].splitlines())))
    return ExitCode.OK
