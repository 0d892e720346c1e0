"""Failed jobs by their errors."""

from orpheus.shared.storage.data import ErrorGroup
from orpheus.shared.storage.database import Database

MOST_GROUPS = 500


class Errors:
    """Counted from an index that has only failed jobs: exact after a retry or a deletion too."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("errors.sql")

    def groups(self, limit: int = MOST_GROUPS) -> list[ErrorGroup]:
        """Return the jobs that are failed now by type, error and place; most jobs first."""
        rows = self._database.all(self._sql["groups"], limit)
        return [ErrorGroup(*row) for row in rows]
