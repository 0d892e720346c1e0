"""What the drainer of one outbox needs: plain data, equal if nothing has changed."""

import msgspec

from orpheus.shared.domain.handover import JobDefaults, StorageSettings


class OutboxSettings(msgspec.Struct, frozen=True):
    """One outbox, and what its jobs get by default."""

    name: str
    url: str
    table: str
    poll_s: float
    storage: StorageSettings
    defaults: JobDefaults
    max_payload_bytes: int
    """A row with a larger payload is refused, like the body of a request (api.max_body)."""

    def __repr__(self) -> str:
        return f"OutboxSettings({self.name!r})"  # the URL may hold a password
