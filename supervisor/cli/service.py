"""Ask the running Orpheus: is it ready, what does a process do; let it reload, or stop."""

import json
import time
from http.client import HTTPConnection, HTTPException
from typing import Any

import click

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import ProcessRecord
from orpheus.shared.domain.requests import RequestAction, reload_name
from orpheus.shared.errors import ExitCode, NoAnswer, NoSupervisor
from orpheus.shared.operations.supervisor_requests import (
    ask_supervisor,
    check_supervised,
    has_ended,
    read_stack,
)
from orpheus.shared.process.host import own_host
from orpheus.shared.storage import Store
from orpheus.shared.text import printable
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, on_host, with_reason
from orpheus.supervisor.cli.output import local_time, print_json

_HEALTHCHECK_S = 5.0
_RELOADED_WITHIN_S = 120.0
"""Longer than a description of the job modules may take by default."""
_LOOK_EVERY_S = 0.1
_EVENTS_AT_ONCE = 1_000


@click.command()
@for_operator
def healthcheck(operator: Operator) -> int:
    """Ask the API whether it is ready; exit 1 if it is not."""
    handover = operator.handover()
    host, port = handover.api_host, handover.api_port
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    if not port:
        click.echo("orpheus: api.port is 0 (any free port): give the port with --set", err=True)
        return ExitCode.NO
    try:
        code, body = _get(host, port, "/readyz")
    except OSError as error:
        click.echo(f"orpheus: no answer from {host}:{port}: {error}", err=True)
        return ExitCode.NO
    if operator.as_json:
        print_json(body)
    else:
        click.echo(printable(f"{body.get('status', code)}"))
        for name, check in body.get("checks", {}).items():
            click.echo(printable(f"  {name}: {check['status']}, {check['detail']}"))
    return ExitCode.OK if code == 200 else ExitCode.NO


def _get(host: str, port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON of an answer. Raises OSError."""
    connection = HTTPConnection(host, port, timeout=_HEALTHCHECK_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = json.loads(response.read(1_000_000))
    except (HTTPException, ValueError) as error:
        raise OSError(f"not the answer of an API ({error})") from error
    finally:
        connection.close()
    return response.status, body if isinstance(body, dict) else {}


@click.command()
@click.argument("slot", type=Text(), shell_complete=live("slots"))
@on_host
@for_operator
def stack(operator: Operator, slot: str, host: str | None) -> None:
    """Show the current stack of SLOT without stopping it."""
    with operator.opened() as (store, handover):
        check_supervised(store, handover.beat_timeout_s)
        read = read_stack(store, slot, host, own_host())
    job = f", job {read.job.id} {read.job.type}" if read.job else ""
    title = f"{slot}, process {read.pid}{job}, at {local_time(read.at)}"
    operator.answer(read, "\n".join([title, *map(printable, read.stack.splitlines())]))


@click.command()
@on_host
@with_reason
@for_operator
def reload(operator: Operator, host: str | None, reason: str | None) -> int:
    """Reload the configuration and the job code; exit 1 if they are rejected.

    Processes may still be replaced after this command has ended: `orpheus workers` shows them.
    """
    with operator.opened() as (store, handover):
        seq, actor = store.events.last_seq(), operator.actor(reason)
        supervisor, request_id = ask_supervisor(
            store, actor, RequestAction.RELOAD, host, handover.beat_timeout_s
        )
        kind, body = _outcome(store, supervisor, seq, request_id)
    if kind is Kind.CONFIG_REJECTED:
        why = body["reason"]
        operator.answer({"reloaded": False, "reason": why}, f"rejected: {why}")
        return ExitCode.NO
    changed, restarts = body["changed"], body["restarts"]
    told = ", ".join(changed) or "no setting"
    replaced = f"restarting in turn: {', '.join(restarts)}" if restarts else "nothing restarts"
    answer = {"reloaded": True, "changed": changed, "restarts": restarts}
    operator.answer(answer, f"reloaded: {told} changed; {replaced}")
    return ExitCode.OK


def _outcome(
    store: Store, supervisor: ProcessRecord, seq: int, request_id: int
) -> tuple[Kind, dict[str, Any]]:
    """Return the event that tells what became of a reload. Raises NoSupervisor, NoAnswer."""
    give_up_at_s = time.monotonic() + _RELOADED_WITHIN_S
    while time.monotonic() < give_up_at_s:
        is_over = has_ended(store, supervisor)  # before the look: it may have told it before
        for event in store.events.after(seq, _EVENTS_AT_ONCE):
            seq = event.seq
            if event.kind in (Kind.CONFIG_RELOADED, Kind.CONFIG_REJECTED):
                body = json.loads(event.body)
                if reload_name(request_id) in body["why"].split(", "):
                    return event.kind, body
        if is_over:
            raise NoSupervisor("the supervisor ended before it reloaded")
        time.sleep(_LOOK_EVERY_S)
    raise NoAnswer(
        f"asked for a reload, but it did not end within {_RELOADED_WITHIN_S:.0f} s: "
        "see `orpheus status` and the log"
    )


@click.command()
@on_host
@with_reason
@for_operator
def stop(operator: Operator, host: str | None, reason: str | None) -> None:
    """Stop Orpheus cleanly, as Ctrl-C does, and wait until it has ended."""
    with operator.opened() as (store, handover):
        actor, action = operator.actor(reason), RequestAction.STOP
        supervisor, _ = ask_supervisor(store, actor, action, host, handover.beat_timeout_s)
        while not has_ended(store, supervisor):
            time.sleep(_LOOK_EVERY_S)
    operator.answer({"stopped": True}, "stopped")
