"""Ask the supervisor to restart, drain or scale.

A command writes a request and waits until the supervisor has taken it, so "asked for" means that
the supervisor knows.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from orpheus.shared.domain.processes import SlotRecord
from orpheus.shared.domain.requests import MOST_WORKERS, RequestAction
from orpheus.shared.errors import NoAnswer
from orpheus.shared.operations.supervisor_requests import (
    ask_for_slot,
    ask_for_workers,
    check_goes_on,
    check_supervised,
    slot_for,
)
from orpheus.shared.storage import Store
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, on_host, with_reason
from orpheus.supervisor.cli.output import print_json
from orpheus.supervisor.cli.processes import read_workers

_TAKEN_WITHIN_S = 5.0
_POLL_INTERVAL_S = 0.05

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
    with operator.opened() as (store, handover):
        check_supervised(store, handover.beat_timeout_s)
        asked = [slot_for(store, action, name, host) for name in dict.fromkeys(slots)]
        for slot in asked:
            check_goes_on(store, slot.host)
        for slot in asked:
            message = f"{slot.slot}: {action} asked for"
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
    with operator.opened() as (store, handover):  # for the names of pools and programs
        check_supervised(store, handover.beat_timeout_s)
        message = f"{pool}: {workers} asked for"
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
                f"{message}, but the supervisor has not taken the request within "
                f"{_TAKEN_WITHIN_S:.0f} s, and may yet: see `orpheus workers` and its log"
            )
        time.sleep(_POLL_INTERVAL_S)


def _is_among(item: Mapping[str, Any], slots: Sequence[SlotRecord]) -> bool:
    return any((item["host"], item["slot"]) == (slot.host, slot.slot) for slot in slots)
