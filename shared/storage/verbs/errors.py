"""Failed jobs by their errors."""

from orpheus.shared.storage.data import MOST_IN_GROUP, ErrorGroup
from orpheus.shared.storage.database import Database, Row

MOST_GROUPS = 500
_HOUR_MS = 3_600_000


class Errors:
    """Groups of failed jobs, counted from an index of just these: right also after a retry."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("errors.sql")

    def groups(self, limit: int = MOST_GROUPS) -> list[ErrorGroup]:
        """Return the jobs that are failed now by type, error and location; most jobs first.

        These are the groups in which a job failed last. Of each, at most MOST_IN_GROUP are counted.
        """
        hour_ago_ms = self._database.clock.wall_ms() - _HOUR_MS
        bounds = (MOST_IN_GROUP, hour_ago_ms, hour_ago_ms - _HOUR_MS)
        with self._database.snapshot():
            found = self._database.all(self._sql["groups"], limit)
            groups = [(*row[:3], *bounds) for row in found]
            figures = self._database.run_many(self._sql["figures"], groups)
        return sorted(map(_group_of, found, figures), key=_order)


def _group_of(found: Row, figures: Row) -> ErrorGroup:
    type_, error, where, first_ms, last_ms, newest, message = found
    n, max_id, last_hour, hour_before, messages = figures
    times, ids, hours = (first_ms, last_ms), (newest, max_id), (last_hour, hour_before)
    return ErrorGroup(type_, error, where, n, *times, *ids, *hours, message, messages)


def _order(group: ErrorGroup) -> tuple[object, ...]:
    return -group.count, -group.last_ms, group.type, group.error, group.where
