"""What an operator asks of the supervisor: restart, drain, scale, and where a process stands.

The command line writes a request and waits until the supervisor has taken it, so that "asked for"
means that somebody heard it.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from orpheus.shared.domain.requests import MOST_WORKERS, RequestAction
from orpheus.shared.errors import NoAnswer
from orpheus.shared.text import printable
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import print_json
from orpheus.supervisor.cli.system import workers_now

if TYPE_CHECKING:
    from orpheus.config.settings import Settings
    from orpheus.shared.storage import Store

_TAKEN_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.05

Ask = Callable[["Store", "Settings"], int]
"""Writes a request; its id."""


@click.command()
@click.argument("slot", type=Text())
@with_reason
@for_operator
def restart(operator: Operator, slot: str, reason: str | None) -> int:
    """Let SLOT finish its job, then start it anew."""
    return _ask_for_slot(operator, RequestAction.RESTART, slot, reason)


@click.command()
@click.argument("slot", type=Text())
@with_reason
@for_operator
def drain(operator: Operator, slot: str, reason: str | None) -> int:
    """Let SLOT finish its job, then keep it down until restarted."""
    return _ask_for_slot(operator, RequestAction.DRAIN, slot, reason)


def _ask_for_slot(operator: Operator, action: RequestAction, slot: str, reason: str | None) -> int:
    from orpheus.shared.operations.requests import ask_for_slot  # noqa: PLC0415 - the database, not for --help

    def ask(store: "Store", _: "Settings") -> int:
        return ask_for_slot(store, operator.actor(reason), action, slot)

    def now(store: "Store", settings: "Settings") -> dict[str, Any]:
        items = workers_now(store, settings)
        return next((item for item in items if item["slot"] == slot), {"slot": slot})

    return _ask(operator, ask, f"{slot}: {action} asked for", now)


@click.command()
@click.argument("pool", type=Text())
@click.argument("workers", type=click.IntRange(0, MOST_WORKERS), metavar="N")
@with_reason
@for_operator
def scale(operator: Operator, pool: str, workers: int, reason: str | None) -> int:
    """Have N workers in POOL; not kept over a restart."""
    from orpheus.shared.operations.requests import ask_for_workers  # noqa: PLC0415 - the database, not for --help

    def ask(store: "Store", settings: "Settings") -> int:
        return ask_for_workers(store, operator.actor(reason), pool, workers, settings.pools)

    return _ask(
        operator,
        ask,
        f"{pool}: {workers} worker{'' if workers == 1 else 's'} asked for",
        lambda _, __: {"pool": pool, "workers": workers},
    )


def _ask(
    operator: Operator, ask: Ask, said: str, now: Callable[["Store", "Settings"], dict[str, Any]]
) -> int:
    """Write a request and wait until it is taken, then say so, as JSON with `now`.

    Raises NoSupervisor, NoAnswer if it is not taken in time, and what `ask` raises.
    """
    from orpheus.shared.operations.requests import check_supervised  # noqa: PLC0415 - the database, not for --help

    settings = operator.settings()
    with operator.store(settings) as store:
        check_supervised(store, settings.heartbeats.timeout)
        request_id = ask(store, settings)
        give_up_at_s = time.monotonic() + _TAKEN_WITHIN_S
        while store.supervision.is_waiting(request_id):
            if time.monotonic() > give_up_at_s:
                raise NoAnswer(
                    f"{said}, but the supervisor has not taken the request within "
                    f"{_TAKEN_WITHIN_S:.0f} s, and may yet: is its process stopped? "
                    "See `orpheus workers` and its log"
                )
            time.sleep(_LOOK_EVERY_S)
        if operator.as_json:
            print_json(now(store, settings))
        else:
            click.echo(said)
    return 0


@click.command()
@click.argument("slot", type=Text())
@for_operator
def stack(operator: Operator, slot: str) -> int:
    """Show where the code of SLOT stands, without stopping it."""
    from orpheus.shared.operations.requests import check_supervised, read_stack  # noqa: PLC0415
    from orpheus.shared.storage import database_path  # noqa: PLC0415 - the database, not for --help

    settings = operator.settings()
    with operator.store(settings) as store:
        check_supervised(store, settings.heartbeats.timeout)
        read = read_stack(store, database_path(settings.database.url), slot)
    if operator.as_json:
        print_json(read)
        return 0
    job = f", job {read['job']['id']} {read['job']['type']}" if read["job"] else ""
    click.echo(f"{slot}, process {read['pid']}{job}, at {read['at']}")
    for line in read["stack"].splitlines():
        click.echo(printable(line))
    return 0
