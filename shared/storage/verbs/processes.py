"""Processes and slots, requests to supervisors and what those count, and who leads.

A supervisor deletes a request in the transaction that reads it. So each is acted on once, and a
request that is gone has been taken.
"""

import json
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import asdict

from orpheus.shared.domain.processes import ProcessRecord, SlotRecord
from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.shared.storage.database import Database, Value
from orpheus.shared.storage.verbs.rows import process_of, slot_of


class Processes:
    """Heartbeat rows, written by each process, and slots, written by the supervisor."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("processes.sql")

    def register(self, record: ProcessRecord) -> None:
        """Insert the heartbeat row of a process."""
        with self._database.write(durable=False):
            self._database.run_many(self._sql["register"], [asdict(record)])

    def beat(
        self, incarnation: str, *, ready: bool, beat: int, job_id: int | None, jobs_done: int
    ) -> bool:
        """Store a heartbeat; False if the row is gone, as the process was taken for dead."""
        with self._database.write(durable=False):
            now_mono_ms = self._database.clock.monotonic_ms()
            changed = self._database.run(
                self._sql["beat"], int(ready), beat, now_mono_ms, job_id, jobs_done, incarnation
            )
        return changed == 1

    def forget(self, incarnation: str) -> None:
        """Delete the row of a process that has ended or was found dead."""
        with self._database.write(durable=False):
            self._database.run(self._sql["forget"], incarnation)

    def forget_without_leases(self, incarnation: str) -> bool:
        """Delete the row of a dead process, unless it has leases; return whether it is deleted."""
        with self._database.write(durable=False):
            return self._database.run(self._sql["forget-without-leases"], incarnation) == 1

    def all(self) -> list[ProcessRecord]:
        """Return every process that has a row."""
        return [process_of(row) for row in self._database.all(self._sql["all-processes"])]

    def silent_ms(self, record: ProcessRecord) -> int | None:
        """Return how long ago a process wrote its last beat; None: in an earlier boot.

        The readings of a host's own clock mean nothing after a reboot, those of a database do.
        """
        clock = self._database.clock
        if not self._database.has_many_hosts and record.boot_id != clock.boot_id:
            return None
        return clock.monotonic_ms() - record.last_beat_mono_ms

    def seen_ms(self, incarnation: str) -> int | None:
        """Return when a process wrote its last beat, by the database's clock; None: it has no row.

        Of an earlier boot, only the process's own clock tells: how long it had lived by then.
        """
        for row in self.all():
            if row.incarnation == incarnation:
                silent_ms = self.silent_ms(row)
                if silent_ms is None:
                    lived_ms = row.last_beat_mono_ms - round(row.create_time_s * 1000)
                    return row.started_at_ms + lived_ms
                return self._database.clock.wall_ms() - silent_ms
        return None

    def put_slots(self, slots: Sequence[SlotRecord]) -> None:
        """Store slots as the supervisor sees them, with their order."""
        with self._database.write(durable=False):
            self._database.run_many(
                self._sql["put-slot"],
                [
                    asdict(slot)
                    | {
                        "position": position,
                        "exits": json.dumps(msgspec.to_builtins(slot.exits)),
                    }
                    for position, slot in enumerate(slots)
                ],
            )

    def remove_slots(self, host: str, names: Iterable[str]) -> None:
        """Delete slots that are no longer configured on that host."""
        with self._database.write(durable=False):
            self._database.run_many(self._sql["remove-slot"], [(host, name) for name in names])

    def clear_slots(self, host: str | None) -> None:
        """Delete the slots that an earlier supervisor of `host` has left; None: of every host."""
        with self._database.write(durable=False):
            self._database.run(self._sql["clear-slots"], host)

    def slots(self) -> list[SlotRecord]:
        """Return every slot, host by host in its supervisor's order."""
        return [slot_of(row) for row in self._database.all(self._sql["all-slots"])]


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
