"""The job log verbs of the store."""

from collections.abc import Sequence

from orpheus.shared.domain.jobs import LogLine, NewLine
from orpheus.shared.storage.sqlite.connection import Database
from orpheus.shared.storage.sqlite.sql import sql_file


class Logs:
    """Log lines of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = sql_file("logs.sql")

    def append(self, job_id: int, token: int, attempt: int, lines: Sequence[NewLine]) -> bool:
        """Store `lines` with the attempt; False, and nothing stored, if the lease is lost."""
        clock = self._database.clock
        with self._database.write(durable=False):
            held = self._database.one(
                self._sql["holds-lease"], job_id, token, clock.monotonic_ms(), clock.boot_id
            )
            if held is None:
                return False
            self._database.run_many(
                self._sql["append"],
                [(job_id, attempt, new.at_ms, new.level, new.line, new.fields) for new in lines],
            )
            self._database.at_commit.ring_api()
        return True

    def after(self, job_id: int, after_id: int, limit: int) -> list[LogLine]:
        """Return up to `limit` lines of a job with ids above `after_id`, in order."""
        return [
            LogLine(*row) for row in self._database.all(self._sql["after"], job_id, after_id, limit)
        ]
