"""Requests of operators to the supervisor, as the database stores them.

The API and the command line write a request as a row and ring the supervisor's bell; the supervisor
of the host that it names reads and deletes it. shared/operations/supervisor_requests.py makes them.
"""

from enum import StrEnum

import msgspec

MOST_WORKERS = 1_000
"""The largest size that may be requested for a pool."""


class RequestAction(StrEnum):
    """What may be requested."""

    RESTART = "restart"
    DRAIN = "drain"
    STACK = "stack"
    SEND_STACK = "send_stack"
    """Another host wants the stack, which can be read only here."""
    SCALE = "scale"
    RELOAD = "reload"
    STOP = "stop"


def slot_target(slot: str, host: str | None = None) -> str:
    """Return what the audit log calls a slot; with its host, where the operator named it."""
    return f"slot {slot}" if host is None else f"slot {slot} on {host}"


def scale_target(kind: str, name: str, workers: int, host: str | None = None) -> str:
    """Return what the audit log calls a pool or a program (`kind`) that is scaled."""
    return f"{kind} {name}{'' if host is None else f' on {host}'} to {workers}"


def reload_name(request_id: int) -> str:
    """Return what the outcome of a reload calls the request for it."""
    return f"request {request_id}"


class Request(msgspec.Struct, frozen=True):
    """`action` on `target` of a host: a slot, or for SCALE a pool and how many `workers`.

    RELOAD and STOP are for the slot of the supervisor.
    `by`: who asked for it (RESTART, STOP) and why, as the audit log has it:
    " by cli:ada (disk swap)".
    `at_ms`: when it was stored.
    """

    id: int
    action: RequestAction
    host: str
    target: str
    workers: int | None = None
    by: str = ""
    at_ms: int = 0
