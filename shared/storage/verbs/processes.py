"""The verbs of the store for heartbeat rows and slots."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from orpheus.shared.domain.processes import ProcessRecord, SlotRecord
from orpheus.shared.storage.database import Database
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
                        "exits": json.dumps([asdict(one) for one in slot.exits]),
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
