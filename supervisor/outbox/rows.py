"""What a drainer needs of an application's database, whichever it is."""

import hashlib
import json
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from orpheus.shared.errors import OrpheusError
from orpheus.shared.storage import RowId

OPTIONS = ("queue", "priority", "run_at", "unique_key", "concurrency_key", "tags")
"""The columns that may be NULL, in the order of `Row`."""
MOST_ROWS = 500
"""The rows of one batch: while they are deleted, the application's database is locked."""
MOST_BYTES = 4 * 2**20
"""A batch ends early after this many bytes of payload, so that it fits into memory."""


class OutboxTrouble(OrpheusError):
    """The application's database cannot be used now; the text says why, and what to do."""


class NotHere(OutboxTrouble):
    """The application's database is not on this host, or another process drains it."""


class Row(NamedTuple):
    """A row as it was read; nothing in it has been checked."""

    id: RowId
    type: Any
    payload: Any
    """None if it is longer than the limit."""
    payload_bytes: int
    queue: Any
    priority: Any
    run_at: Any
    unique_key: Any
    concurrency_key: Any
    tags: Any


class RefusedRow(NamedTuple):
    """A row that stays in the outbox, and why."""

    id: RowId
    reason: str


def digest_of(*words: object) -> str:
    """Return the digest that identifies a table: SHA-256 of words that no other table has."""
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


class Source(Protocol):
    """The rows in an application's database. Every method raises OutboxTrouble."""

    digest: str
    """Digest of the database and the table. Ids remembered under another are of other rows."""

    def may_have_rows(self) -> bool:
        """Return whether a batch is worth reading; a cheap look that writes nothing."""

    def batch(self, held_keys: Collection[str]) -> AbstractContextManager[Sequence[Row]]:
        """Read the rows with the lowest ids, but none that has one of these unique keys.

        No other drainer takes them until the end of the block.
        """

    def finish(self, accepted: Sequence[RowId], refused: Sequence[RefusedRow]) -> None:
        """Inside `batch`: delete rows and mark others as refused; on disk when it returns."""

    def delete(self, ids: Sequence[RowId]) -> None:
        """Delete rows that an earlier drainer has made jobs of; on disk when it returns."""

    def close(self) -> None:
        """Close the connection."""
