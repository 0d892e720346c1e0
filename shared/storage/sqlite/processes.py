"""The verbs of the store for heartbeat rows and slots."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from orpheus.shared.domain.processes import LastExit, ProcessRecord, Role, SlotRecord, SlotState
from orpheus.shared.storage.sqlite.connection import Database, sql_file


class Processes:
    """Heartbeat rows, written by each process, and slots, written by the supervisor."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = sql_file("processes.sql")

    def register(self, record: ProcessRecord) -> None:
        """Announce a process; its first beat."""
        with self._database.write(durable=False):
            self._database.run(
                self._sql["register"],
                record.incarnation,
                record.slot,
                record.pool,
                record.role.value,
                record.pid,
                record.create_time_s,
                record.boot_id,
                record.started_at_ms,
                int(record.ready),
                record.beat,
                record.last_beat_mono_ms,
                record.job_id,
                record.jobs_done,
            )

    def beat(
        self, incarnation: str, *, ready: bool, beat: int, job_id: int | None, jobs_done: int
    ) -> bool:
        """A heartbeat; False if the row is gone (somebody took the process for dead)."""
        now_mono_ms = self._database.clock.monotonic_ms()
        with self._database.write(durable=False):
            changed = self._database.run(
                self._sql["beat"], int(ready), beat, now_mono_ms, job_id, jobs_done, incarnation
            )
        return changed == 1

    def forget(self, incarnation: str) -> None:
        """A process that has ended, or was found dead."""
        with self._database.write(durable=False):
            self._database.run(self._sql["forget"], incarnation)

    def all(self) -> list[ProcessRecord]:
        """Every process that announced itself and was not forgotten."""
        return [
            ProcessRecord(
                incarnation=row[0],
                slot=row[1],
                pool=row[2],
                role=Role(row[3]),
                pid=row[4],
                create_time_s=row[5],
                boot_id=row[6],
                started_at_ms=row[7],
                ready=bool(row[8]),
                beat=row[9],
                last_beat_mono_ms=row[10],
                job_id=row[11],
                jobs_done=row[12],
            )
            for row in self._database.all(self._sql["all-processes"])
        ]

    def put_slots(self, slots: Sequence[SlotRecord]) -> None:
        """Write slots as the supervisor sees them; their order is kept."""
        with self._database.write(durable=False):
            self._database.run_many(
                self._sql["put-slot"],
                [
                    (
                        slot.slot,
                        position,
                        slot.pool,
                        slot.role.value,
                        slot.state.value,
                        int(slot.degraded),
                        slot.reason,
                        slot.rejected,
                        slot.pid,
                        slot.incarnation,
                        slot.cpu_percent,
                        slot.rss_bytes,
                        slot.started_at_ms,
                        slot.restarts,
                        json.dumps([asdict(one) for one in slot.exits]),
                    )
                    for position, slot in enumerate(slots)
                ],
            )

    def remove_slots(self, names: Iterable[str]) -> None:
        """Forget slots that are not configured any more."""
        with self._database.write(durable=False):
            self._database.run_many(self._sql["remove-slot"], [(name,) for name in names])

    def slots(self) -> list[SlotRecord]:
        """Every slot, in the supervisor's order; empty if no supervisor ever ran."""
        return [
            SlotRecord(
                slot=row[0],
                pool=row[1],
                role=Role(row[2]),
                state=SlotState(row[3]),
                degraded=bool(row[4]),
                reason=row[5],
                rejected=row[6],
                pid=row[7],
                incarnation=row[8],
                cpu_percent=row[9],
                rss_bytes=row[10],
                started_at_ms=row[11],
                restarts=row[12],
                exits=tuple(LastExit(**one) for one in json.loads(row[13])),
            )
            for row in self._database.all(self._sql["all-slots"])
        ]
