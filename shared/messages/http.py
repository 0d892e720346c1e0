"""What only the HTTP API says: problems, health, sessions."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from orpheus.shared.domain.access import Role
from orpheus.shared.messages.encoding import Time
from orpheus.shared.process.program_logs import ProgramLine

RETRY_AFTER_S = {503: "1", 507: "30"}
"""Statuses that a client should try again after so many seconds, as the header Retry-After says."""


class FieldError(Struct, frozen=True):
    """One field that is not valid."""

    pointer: str
    """JSON pointer to the field."""
    detail: str


class Problem(Struct, frozen=True):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | UnsetType = UNSET


class Session(Struct, frozen=True):
    """How the caller was let in."""

    read_only: bool
    ends_at: Time | None
    """When the session ends; null for a caller with a token, or where no token is needed."""
    name: str | None
    """The name of the token or the login; null: the admin's token, or none is needed."""
    role: Role
    queues: tuple[str, ...]
    """The queues that the caller may see; `*` stands for any text."""
    types: tuple[str, ...]
    """The types that the caller may see."""


class Health(Struct, frozen=True):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Check(Struct, frozen=True):
    """One condition of readiness."""

    status: Literal["ok", "degraded", "failed"]
    detail: str


class Readiness(Struct, frozen=True):
    """Whether jobs are accepted and run."""

    status: Literal["ready", "degraded", "not_ready"]
    checks: dict[str, Check]


class ProgramLines(Struct, frozen=True):
    """Lines of a program's output, oldest first."""

    items: list[ProgramLine]
