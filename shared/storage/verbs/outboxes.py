"""What is remembered of each outbox, so that none of its rows becomes a job twice.

The application's rows are in another database, so no transaction covers both. The ids of one batch
are therefore stored with its jobs, and forgotten after the rows are deleted: a drainer that is
killed in between finds them here and only deletes those rows. There are never more than those of
one batch, because the next one begins after that.

Each batch has a number. Of two drainers that take themselves for the only one, one stood still for
a while. So each names the last batch that it has seen: it stores no batch and forgets none if the
other has stored one since.

An outbox may be moved to another database or table. There the same ids are other rows, so what is
remembered belongs to one table of rows, and stays there until the outbox is moved back.
"""

import json
from collections.abc import Sequence

from orpheus.shared.storage.data import (
    OutboxBatch,
    OutboxCounts,
    OutboxTaken,
    RowId,
)
from orpheus.shared.storage.database import Database, read_back


class Outboxes:
    """The batch of each outbox that is under way, and its counts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("outboxes.sql")

    def last_batch(self, name: str, digest: str) -> OutboxBatch:
        """Return the last batch of the table of this digest; number 0 if there never was one."""
        row = self._database.one(self._sql["last-batch"], name, digest)
        return OutboxBatch(row[0], read_back(json.loads, row[1])) if row else OutboxBatch(0, [])

    def remember(
        self,
        name: str,
        digest: str,
        after: int,
        ids: Sequence[RowId],
        *,
        refused: int,
        held: int = 0,
    ) -> int:
        """Store the ids of a batch in the transaction that makes its jobs; return its number.

        `after`: the number of the batch before, whose rows must be deleted by now. It must have
        been read before the rows. `held`: how many rows made no job, as a live one has their unique
        key. Raises OutboxTaken if another drainer has stored a batch since; then the transaction
        must be undone.
        """
        with self._database.write(durable=True):
            values = (json.dumps(list(ids)), len(ids) - held, held, refused)
            if not self._database.run(self._sql["remember"], name, digest, after, *values):
                raise OutboxTaken(name)
        return after + 1

    def forget(self, name: str, digest: str, number: int) -> None:
        """Forget the ids of the batch with this number: its rows are deleted for good.

        Raises OutboxTaken if another drainer has stored one since.
        """
        with self._database.write(durable=False):
            if not self._database.run(self._sql["forget"], name, digest, number):
                raise OutboxTaken(name)

    def counts(self) -> dict[str, OutboxCounts]:
        """Return by outbox how many of its rows were taken since the database was made."""
        return {row[0]: OutboxCounts(*row[1:]) for row in self._database.all(self._sql["counts"])}
