"""What the drainer of one outbox needs: plain data, equal if nothing has changed."""

from dataclasses import field

from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.records import dataclass


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """One outbox, and what its jobs get by default."""

    name: str
    url: str = field(repr=False)  # it may hold a password
    table: str
    poll_s: float
    storage: StorageSettings
    defaults: JobDefaults
    max_payload_bytes: int
    """A row with a larger payload is refused, like the body of a request (api.max_body)."""
