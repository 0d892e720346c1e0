"""A job type as the store keeps it, and the name of a set of them. Without behaviour of its own."""

import hashlib
import json
from collections.abc import Iterable

import msgspec


class TypeRow(msgspec.Struct, frozen=True):
    """A job type. `schema`: its payload's JSON Schema as text; None: the default of [jobs]."""

    name: str
    schema: str
    max_retries: int | None
    timeout_s: float | None
    queue: str | None
    description: str
    backoff_base_s: float | None = None
    backoff_factor: float | None = None
    backoff_max_s: float | None = None
    backoff_jitter: float | None = None
    code: str = ""
    """A digest of its code; empty: unknown."""
    others: "tuple[TypeRow, ...]" = ()
    """Its other versions that hosts or workers have now, the newer ones first."""
    is_everywhere: bool = True
    """Every host and worker has a version of it."""

    @property
    def version(self) -> str:
        """The name of what it can read: types with the same schema take the same payloads."""
        return hashlib.sha256(self.schema.encode()).hexdigest()[:16]

    @property
    def described(self) -> tuple[str | float | None, ...]:
        """What a host says of it."""
        return tuple(getattr(self, name) for name in _DESCRIBED)


_DESCRIBED = (
    "name",
    "schema",
    "max_retries",
    "timeout_s",
    "queue",
    "description",
    "backoff_base_s",
    "backoff_factor",
    "backoff_max_s",
    "backoff_jitter",
    "code",
)


def build_of(types: Iterable[TypeRow]) -> str:
    """Return the name of a set of job types. It changes when any of them changes."""
    described = [row.described for row in sorted(types, key=lambda row: row.name)]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()
