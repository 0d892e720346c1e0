"""The events verbs of the store."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from orpheus.shared.domain.events import Event, Kind
from orpheus.shared.storage.database import NO_BOUND, Database
from orpheus.shared.storage.verbs.timeline import Timeline

_KINDS = {kind.value: kind for kind in Kind}


class Events:
    """Writes and reads events."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.timeline = Timeline(database)
        self._sql = database.sql("events.sql")

    def record_jobs(self, kind: Kind, job_ids: Iterable[int], at_ms: int | None = None) -> None:
        """Record `kind` with each job as it is now, inside the transaction of the change.

        `at_ms`: the time of the change, if the rows of the jobs have it, too.
        """
        at_ms = self._database.clock.wall_ms() if at_ms is None else at_ms
        ids = json.dumps(list(job_ids))
        self._database.send(self._sql["record-job-events"], [(at_ms, kind.value, ids)])
        self._database.at_commit.ring_api()

    def record(self, kind: Kind, body: Mapping[str, Any]) -> None:
        """Record an event that is not about a job (`worker.…`, `config.…`, `supervisor.…`)."""
        with self._database.write(durable=False):
            text = json.dumps(body, separators=(",", ":"))
            self._database.run(
                self._sql["record-event"], self._database.clock.wall_ms(), kind.value, text
            )
            self.timeline.note(kind, body)
            self._database.at_commit.ring_api()

    def after(self, seq: int, limit: int, bytes_bound: int = NO_BOUND) -> list[Event]:
        """Return up to `limit` events with a greater seq, in order.

        The rest is left for the next call once the bodies have `bytes_bound` bytes: a job may
        depend on ten thousand others, and each of its events names them all.
        """
        self._database.number_events()
        rows = self._database.all(self._sql["events-after"], seq, limit, bytes_bound)
        return [_event_of(*row) for row in rows]

    def of_job(self, job_id: int, limit: int, after_seq: int = 0) -> list[Event]:
        """Return up to `limit` events of one job after `after_seq`, oldest first."""
        self._database.number_events()
        rows = self._database.all(self._sql["events-of-job"], job_id, after_seq, limit)
        return [_event_of(*row) for row in rows]

    def epoch(self) -> str:
        """Return the name of this history: a seq means the same event only in the same epoch."""
        return str(self._database.value(self._sql["epoch"]) or "")

    def last_seq(self) -> int:
        """Return the seq of the newest event, 0 if there never was one."""
        self._database.number_events()
        return int(self._database.value(self._sql["last-seq"]) or 0)

    def oldest_seq(self) -> int:
        """Return the seq of the oldest event that is kept; last_seq + 1 if none is."""
        self._database.number_events()
        return int(
            self._database.value(self._database.sql("retention.sql")["oldest-event"], 0)
            or self.last_seq() + 1
        )


def _event_of(seq: int, at_ms: int, kind: str, job_id: int | None, body: str) -> Event:
    return Event(seq, at_ms, _KINDS[kind], job_id, body)
