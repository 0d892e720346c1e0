"""What operators ask of the supervisor.

A request is a row of the database, so that it may come from the API, the command line or a
script; the supervisor is rung for, takes it and deletes it.
"""

from dataclasses import dataclass
from enum import StrEnum

MOST_WORKERS = 1_000
"""The most that a pool may be asked to have."""


class RequestAction(StrEnum):
    """What may be asked for."""

    RESTART = "restart"
    DRAIN = "drain"
    STACK = "stack"
    SCALE = "scale"


@dataclass(frozen=True, slots=True)
class Request:
    """`action` on `target`: a slot, or for SCALE a pool, which is to have so many `workers`."""

    id: int
    action: RequestAction
    target: str
    workers: int | None = None
