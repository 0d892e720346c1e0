"""Idempotency keys: the same request, sent again after a time-out, makes no second job.

The answer is kept in the transaction of the insert, so either both are there or neither.
"""

from orpheus.shared.storage.data import IDEMPOTENCY_MS, KeptAnswer
from orpheus.shared.storage.sqlite.connection import Database
from orpheus.shared.storage.sqlite.sql import sql_file


class Idempotency:
    """Answers by Idempotency-Key, for 24 hours."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = sql_file("idempotency.sql")

    def find(self, key: str) -> KeptAnswer | None:
        """The answer that `key` got within the last 24 h."""
        oldest_ms = self._database.clock.wall_ms() - IDEMPOTENCY_MS
        row = self._database.one(self._sql["find-key"], key, oldest_ms)
        return None if row is None else KeptAnswer(*row)

    def keep(self, key: str, answer: KeptAnswer) -> None:
        """Give `answer` to `key` again from now on; inside the transaction of what it tells of."""
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
