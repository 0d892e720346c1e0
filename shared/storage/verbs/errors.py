"""Failed jobs by their errors."""

from orpheus.shared.storage.data import ErrorGroup
from orpheus.shared.storage.database import Database

MOST_GROUPS = 500
_HOUR_MS = 3_600_000


class Errors:
    """Groups of failed jobs, counted from an index of just these: exact also after a retry."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("errors.sql")

    def groups(self, limit: int = MOST_GROUPS) -> list[ErrorGroup]:
        """Return the jobs that are failed now by type, error and location; most jobs first."""
        hour_ago_ms = self._database.clock.wall_ms() - _HOUR_MS
        times = (hour_ago_ms, hour_ago_ms - _HOUR_MS)
        rows = self._database.all(self._sql["groups"], limit, *times)
        return [ErrorGroup(*row) for row in rows]
