"""Ask the supervisor to reload or to stop, and wait for what becomes of it."""

import json
import time
from typing import Any

import click

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import ProcessRecord
from orpheus.shared.domain.requests import RequestAction, reload_name
from orpheus.shared.domain.words import duration
from orpheus.shared.errors import ExitCode, NoAnswer, NoSupervisor
from orpheus.shared.operations.supervisor_requests import ask_supervisor, has_ended
from orpheus.shared.storage import Store
from orpheus.supervisor.cli.operator import Operator, for_operator, with_reason
from orpheus.supervisor.cli.slots import on_host

_RELOADED_WITHIN_S = 120.0
"""Longer than a description of the job modules may take by default."""
_LOOK_EVERY_S = 0.1
_EVENTS_AT_ONCE = 1_000


@click.command()
@on_host
@with_reason
@for_operator
def reload(operator: Operator, host: str | None, reason: str | None) -> int:
    """Read the configuration and the job code again; exit 1 if they are rejected.

    What is replaced goes on after this command has ended: `orpheus workers` shows it.
    """
    with operator.opened(certain=True) as (store, handover):
        seq, actor = store.events.last_seq(), operator.actor(reason)
        asked = (RequestAction.RELOAD, host, handover.beat_timeout_s)
        supervisor, request_id = ask_supervisor(store, actor, *asked)
        kind, body = _outcome(store, supervisor, seq, request_id)
    if kind is Kind.CONFIG_REJECTED:
        operator.answer(
            {"reloaded": False, "reason": body["reason"]}, f"rejected: {body['reason']}"
        )
        return ExitCode.NO
    changed, restarts = body["changed"], body["restarts"]
    told = ", ".join(changed) or "no setting"
    replaced = f"replaced in turn: {', '.join(restarts)}" if restarts else "nothing is replaced"
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
            raise NoSupervisor("the supervisor has ended before it has reloaded")
        time.sleep(_LOOK_EVERY_S)
    raise NoAnswer(
        f"asked for a reload, but nothing is told of it within {duration(_RELOADED_WITHIN_S)}: "
        "see `orpheus status` and the log"
    )


@click.command()
@on_host
@with_reason
@for_operator
def stop(operator: Operator, host: str | None, reason: str | None) -> None:
    """Stop Orpheus in order, as Ctrl-C does, and wait until it has ended."""
    with operator.opened(certain=True) as (store, handover):
        asked = (RequestAction.STOP, host, handover.beat_timeout_s)
        supervisor, _ = ask_supervisor(store, operator.actor(reason), *asked)
        while not has_ended(store, supervisor):
            time.sleep(_LOOK_EVERY_S)
    operator.answer({"stopped": True}, "stopped")
