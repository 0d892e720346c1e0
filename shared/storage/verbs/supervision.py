"""Requests of operators to the supervisor of a host, and what the supervisor counts and measures.

It deletes a request in the transaction that reads it. So each is acted on once, and a request that
is gone has been taken.
"""

from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.shared.storage.database import Database

_ANSWERS_KEPT_MS = 60_000


class Supervision:
    """Requests, written by the API and the command line; counts, written by a supervisor."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("supervision.sql")

    def put_request(
        self, action: RequestAction, host: str, target: str, workers: int | None = None
    ) -> int:
        """Store a request and ring the supervisor after the commit; return the request's id.

        `workers` is for SCALE, and only for it.
        """
        with self._database.write(durable=False):
            now_ms = self._database.clock.wall_ms()
            self._database.at_commit.ring_supervisor()
            row = (now_ms, action.value, host, target, workers)
            return self._database.insert(self._sql["put-request"], [row])[0]

    def take_requests(self, host: str) -> list[Request]:
        """Delete and return every request that waits for the supervisor of `host`, oldest first."""
        if self._database.one(self._sql["any-request"], host) is None:
            return []
        with self._database.write(durable=False):
            rows = self._database.all(self._sql["take-requests"], host)
        return [
            Request(id, RequestAction(action), host, target, workers, at_ms=at_ms)
            for id, at_ms, action, host, target, workers in sorted(rows)
        ]

    def is_waiting(self, request_id: int) -> bool:
        """Return whether the supervisor has not taken this request yet."""
        return self._database.one(self._sql["is-waiting"], request_id) is not None

    def put_answer(self, request_id: int, body: str) -> None:
        """Store the answer to a request of another host; it is kept for a minute."""
        with self._database.write(durable=False):
            now_ms = self._database.clock.wall_ms()
            self._database.run(self._sql["delete-old-answers"], now_ms - _ANSWERS_KEPT_MS)
            self._database.run(self._sql["put-answer"], request_id, now_ms, body)

    def answer(self, request_id: int) -> str | None:
        """Return the answer to a request; None: there is none yet."""
        body: str | None = self._database.value(self._sql["answer"], request_id)
        return body

    def clear(self, host: str | None) -> None:
        """Delete the requests to an earlier supervisor of `host`, and what it counted and measured.

        None: of every host.
        """
        with self._database.write(durable=False):
            self._database.run(self._sql["clear-requests"], host)
            self._database.run(self._sql["clear-exit-counts"], host)
            self._database.run(self._sql["clear-gauges"], host)

    def count_exit(self, host: str, slot: str, cause: str) -> None:
        """Count that a process of this slot ended for this cause."""
        with self._database.write(durable=False):
            self._database.run(self._sql["count-exit"], host, slot, cause)

    def exit_counts(self, host: str) -> dict[tuple[str, str], int]:
        """Return how often processes ended since that supervisor started, by slot and cause."""
        rows = self._database.all(self._sql["exit-counts"], host)
        return {(slot, cause): n for slot, cause, n in rows}

    def put_gauge(self, host: str, name: str, value: float) -> None:
        """Store a figure, in the unit that its name ends with; it replaces the one before."""
        with self._database.write(durable=False):
            self._database.run(self._sql["put-gauge"], host, name, value)

    def gauges(self, host: str) -> dict[str, float]:
        """Return every figure of the host's supervisor by name."""
        return dict(self._database.all(self._sql["gauges"], host))
