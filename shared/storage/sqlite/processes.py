"""The verbs of the store for heartbeat rows and slots."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from orpheus.shared.domain.processes import ProcessRecord, SlotRecord
from orpheus.shared.storage.sqlite.connection import Database
from orpheus.shared.storage.sqlite.rows import process_of, slot_of
from orpheus.shared.storage.sqlite.sql import sql_file


class Processes:
    """Heartbeat rows, written by each process, and slots, written by the supervisor."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = sql_file("processes.sql")

    def register(self, record: ProcessRecord) -> None:
        """Insert the heartbeat row of a process."""
        with self._database.write(durable=False):
            self._database.run_many(self._sql["register"], [asdict(record)])

    def beat(
        self, incarnation: str, *, ready: bool, beat: int, job_id: int | None, jobs_done: int
    ) -> bool:
        """Store a heartbeat; False if the row is gone, as the process was taken for dead."""
        now_mono_ms = self._database.clock.monotonic_ms()
        with self._database.write(durable=False):
            changed = self._database.run(
                self._sql["beat"], int(ready), beat, now_mono_ms, job_id, jobs_done, incarnation
            )
        return changed == 1

    def forget(self, incarnation: str) -> None:
        """Delete the row of a process that has ended or was found dead."""
        with self._database.write(durable=False):
            self._database.run(self._sql["forget"], incarnation)

    def all(self) -> list[ProcessRecord]:
        """Return every process that has a row."""
        return [process_of(row) for row in self._database.all(self._sql["all-processes"])]

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

    def remove_slots(self, names: Iterable[str]) -> None:
        """Delete slots that are no longer configured."""
        with self._database.write(durable=False):
            self._database.run_many(self._sql["remove-slot"], [(name,) for name in names])

    def slots(self) -> list[SlotRecord]:
        """Return every slot, in the supervisor's order; empty if no supervisor ever ran."""
        return [slot_of(row) for row in self._database.all(self._sql["all-slots"])]
