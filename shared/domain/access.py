"""Who may do what: roles, and the queues and types that a caller may see. Pure.

api/contract/access.py says which role each call needs.
"""

import re
from enum import StrEnum
from functools import cache

import msgspec

EVERYTHING = ("*",)
GLOB = re.compile(r"[A-Za-z0-9_.*-]{1,64}", re.ASCII)
GLOB_RULE = "must be 1 to 64 letters, digits, _ . - or *, which stands for any text"


class Role(StrEnum):
    """What a caller may do; each role may also do what the one before may."""

    VIEWER = "viewer"
    """Look."""
    SUBMITTER = "submitter"
    """Submit jobs, signals and schedules."""
    OPERATOR = "operator"
    """Act on jobs, queues, schedules, types and problems, and restart workers."""
    ADMIN = "admin"
    """Do everything: drain, scale, and edit the configuration."""

    @property
    def words(self) -> str:
        """The role with its article, such as "an operator"."""
        return f"{'an' if self[0] in 'ao' else 'a'} {self}"

    def may(self, least: "Role") -> bool:
        """Return whether this role may do what needs `least`."""
        return _ORDER.index(self) >= _ORDER.index(least)


_ORDER = [*Role]


class Scope(msgspec.Struct, frozen=True):
    """The jobs that a caller may see: those whose queue and type both match, `*` being any text."""

    queues: tuple[str, ...] = EVERYTHING
    types: tuple[str, ...] = EVERYTHING

    @property
    def has_every_queue(self) -> bool:
        """Whether no queue is hidden."""
        return "*" in self.queues

    @property
    def has_every_type(self) -> bool:
        """Whether no type is hidden."""
        return "*" in self.types

    @property
    def has_everything(self) -> bool:
        """Whether nothing is hidden."""
        return self.has_every_queue and self.has_every_type

    @property
    def words(self) -> str:
        """What may be seen, such as "queues mail, shop-* and types resize"."""
        parts = [] if self.has_every_queue else [f"queues {', '.join(self.queues)}"]
        parts += [] if self.has_every_type else [f"types {', '.join(self.types)}"]
        return " and ".join(parts) or "everything"

    def sees(self, queue: str, type: str) -> bool:
        """Return whether a job of this queue and type may be seen."""
        return self.sees_queue(queue) and self.sees_type(type)

    def sees_queue(self, name: str) -> bool:
        """Return whether a queue matches."""
        return any(_pattern(glob).fullmatch(name) for glob in self.queues)

    def sees_type(self, name: str) -> bool:
        """Return whether a type matches."""
        return any(_pattern(glob).fullmatch(name) for glob in self.types)


@cache
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(re.escape(glob).replace(r"\*", ".*"), re.DOTALL)


class NamedToken(msgspec.Struct, frozen=True):
    """A token of `[[api.tokens]]`. The file holds it, and while it is changed the earlier one."""

    name: str
    file: str
    role: Role
    scope: Scope = Scope()


class ProxyRules(msgspec.Struct, frozen=True):
    """The headers in which a proxy says who has logged in, and the networks it may call from."""

    header: str
    roles_header: str
    trusted: tuple[str, ...]
