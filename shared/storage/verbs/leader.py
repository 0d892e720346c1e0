"""The verbs of the store about the leader: the process that does what only one of all hosts may."""

from orpheus.shared.storage.database import Database, Value


class Leader:
    """One row with an expiry on the database's clock. A database of one host needs none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lead(self, host: str, incarnation: str, ttl_ms: int) -> bool:
        """Lead for `ttl_ms` from now, unless another process does; return whether this one leads.

        On a database of one host, whoever asks leads.
        """
        if not self._database.has_many_hosts:
            return True
        with self._database.write(durable=False):
            now_ms = self._database.clock.wall_ms()
            values: dict[str, Value] = {
                "host": host,
                "incarnation": incarnation,
                "expires_ms": now_ms + ttl_ms,
                "now_ms": now_ms,
            }
            return bool(self._database.run_many(self._database.sql("leader.sql")["lead"], [values]))

    def resign(self, incarnation: str) -> None:
        """Lead no longer, so that another process does at once."""
        if self._database.has_many_hosts:
            with self._database.write(durable=False):
                self._database.run(self._database.sql("leader.sql")["resign"], incarnation)
