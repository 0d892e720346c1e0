"""Idempotency keys: a request sent again after a time-out creates no second job.

The answer is stored in the transaction that inserts the job, so both exist or neither.
"""

from orpheus.shared.storage.data import IDEMPOTENCY_MS, KeptAnswer
from orpheus.shared.storage.database import Database


class Idempotency:
    """Answers by Idempotency-Key, for 24 hours."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("idempotency.sql")

    def find(self, key: str) -> KeptAnswer | None:
        """Return the answer that `key` got within the last 24 h.

        Inside a transaction, nobody else answers it before it ends.
        """
        self._database.lock("idempotency key", [key])
        oldest_ms = self._database.clock.wall_ms() - IDEMPOTENCY_MS
        row = self._database.one(self._sql["find-key"], key, oldest_ms)
        return None if row is None else KeptAnswer(*row)

    def keep(self, key: str, answer: KeptAnswer) -> None:
        """Store the answer to `key`, inside the transaction of the change that it reports."""
        with self._database.write(durable=True):
            self._database.run(
                self._sql["keep-key"],
                key,
                answer.request_hash,
                answer.status,
                answer.body,
                answer.location,
                self._database.clock.wall_ms(),
            )
