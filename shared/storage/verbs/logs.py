"""The job log verbs of the store."""

from collections.abc import Sequence

from orpheus.shared.domain.jobs import LogLine, NewLine
from orpheus.shared.process.last_lines import LastLine
from orpheus.shared.storage.database import Database


class Logs:
    """Log lines of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("logs.sql")

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

    def append_last(self, incarnation: str, lines: Sequence[LastLine]) -> None:
        """Store the lines that a dead process had not stored yet. Call it before `Leases.free`."""
        if not lines:
            return
        with self._database.write(durable=False):
            for job_id, token, attempt in self._database.all(self._sql["running"], incarnation):
                stored = self._database.value(self._sql["count"], job_id, attempt)
                self._database.run_many(
                    self._sql["append"],
                    [
                        (job_id, attempt, one.at_ms, one.level, one.line, one.fields)
                        for one in lines
                        if one.token == token and one.number >= stored
                    ],
                )
            self._database.at_commit.ring_api()

    def after(self, job_id: int, after_id: int, limit: int) -> list[LogLine]:
        """Return up to `limit` lines of a job with ids above `after_id`, in order."""
        return [
            LogLine(*row) for row in self._database.all(self._sql["after"], job_id, after_id, limit)
        ]
