"""Requests of operators to the supervisor, and what the supervisor counts and measures.

The supervisor deletes a request in the transaction that reads it, so each is acted on once, and a
missing one has been taken.
"""

from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.shared.storage.sqlite.connection import Database
from orpheus.shared.storage.sqlite.sql import sql_file


class Supervision:
    """Requests, written by the API and the command line; counts, written by the supervisor."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = sql_file("supervision.sql")

    def put_request(self, action: RequestAction, target: str, workers: int | None = None) -> int:
        """Store a request and ring the supervisor after the commit; return the request's id.

        `workers` is for SCALE, and only for it.
        """
        with self._database.write(durable=False):
            now_ms = self._database.clock.wall_ms()
            self._database.run(self._sql["put-request"], now_ms, action.value, target, workers)
            self._database.at_commit.ring_supervisor()
            return self._database.last_insert_id()

    def take_requests(self) -> list[Request]:
        """Delete and return every waiting request, oldest first."""
        if self._database.one(self._sql["any-request"]) is None:
            return []
        with self._database.write(durable=False):
            rows = self._database.all(self._sql["take-requests"])
        return [
            Request(id, RequestAction(action), target, workers)
            for id, action, target, workers in sorted(rows)
        ]

    def is_waiting(self, request_id: int) -> bool:
        """Return whether the supervisor has not taken this request yet."""
        return self._database.one(self._sql["is-waiting"], request_id) is not None

    def clear(self) -> None:
        """Delete the requests to an earlier supervisor, and what it counted and measured."""
        with self._database.write(durable=False):
            self._database.run(self._sql["clear-requests"])
            self._database.run(self._sql["clear-exit-counts"])
            self._database.run(self._sql["clear-gauges"])

    def count_exit(self, slot: str, cause: str) -> None:
        """Count that a process of this slot ended for this cause."""
        with self._database.write(durable=False):
            self._database.run(self._sql["count-exit"], slot, cause)

    def exit_counts(self) -> dict[tuple[str, str], int]:
        """Return how often processes ended since the supervisor started, by slot and cause."""
        return {(slot, cause): n for slot, cause, n in self._database.all(self._sql["exit-counts"])}

    def put_gauge(self, name: str, value: float) -> None:
        """Store a figure, in the unit that its name ends with; it replaces the one before."""
        with self._database.write(durable=False):
            self._database.run(self._sql["put-gauge"], name, value)

    def gauges(self) -> dict[str, float]:
        """Return every figure by name."""
        return dict(self._database.all(self._sql["gauges"]))
