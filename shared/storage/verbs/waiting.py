"""Reads why jobs wait: the due jobs of each queue, and what holds a single job back.

It reads as leases do, from the same indexes and in the same order, but takes no lock and parks
nothing. However many jobs wait, it reads a bounded number of rows.
"""

from collections.abc import Container, Mapping, Sequence

from orpheus.shared.domain.jobs import Dependency, Outcome, Status, waits_since_ms
from orpheus.shared.domain.limits import PRIORITIES
from orpheus.shared.domain.rates import NO_LIMITS_PER_KEY, opens_ms, tokens_of
from orpheus.shared.domain.rooms import FREE, Room
from orpheus.shared.storage.data import Pause
from orpheus.shared.storage.database import Database, Row
from orpheus.shared.storage.figures import DueInQueue, JobFacts, NextJob
from orpheus.shared.storage.verbs.audit import Audit
from orpheus.shared.storage.verbs.job_types import Versions
from orpheus.shared.storage.verbs.jobs import Jobs
from orpheus.shared.storage.verbs.keys import Keys
from orpheus.shared.storage.verbs.quarantines import Quarantines
from orpheus.shared.storage.verbs.queues import Queues
from orpheus.shared.storage.verbs.stats import Stats
from orpheus.shared.storage.verbs.steps import Steps

MOST_NAMED = 5
"""How many of the jobs that hold a job back are named."""
_MOST_COUNTED = 10_000
_MOST_LOOKED_AT = 1_000
_FIRST = 20
"""How many of the first due jobs of a queue are looked at for the one that has waited longest."""
_MOST_PARKED = 200
_MOST_PRIORITIES = 50
_QUARANTINED, _AWAITING = 2, 3  # of `is_parked`


class Waiting:
    """Why jobs wait."""

    def __init__(
        self,
        database: Database,
        stats: Stats,
        jobs: Jobs,
        keys: Keys,
        queues: Queues,
        quarantines: Quarantines,
        versions: Versions,
        audit: Audit,
        steps: Steps,
    ) -> None:
        self._database = database
        self._stats = stats
        self._jobs = jobs
        self._keys = keys
        self._queues = queues
        self._quarantines = quarantines
        self._versions = versions
        self._audit = audit
        self._steps = steps
        self._sql = database.sql("why.sql")

    def pauses(self) -> dict[str, Pause]:
        """Return who paused each queue that is paused, why, and when; in one statement."""
        rows = self._database.all(self._sql["pauses"])
        return {name: Pause(*pause) for name, *pause in rows}

    def due_by_queue(
        self, rooms: Mapping[str, Room] = {}, only: Container[str] | None = None
    ) -> dict[str, DueInQueue]:
        """Return the due jobs of each queue that has pending jobs; `only`: of these queues.

        A queue with very many due jobs counts all pending ones as due. `rooms`: see `Queues.rooms`.
        """
        now_ms = self._database.clock.wall_ms()
        pending = {
            queue: by_status[Status.PENDING]
            for queue, by_status in self._stats.counts_by_queue().items()
            if by_status[Status.PENDING] and (only is None or queue in only)
        }
        come = {
            queue: (n, since_ms)
            for queue, n, since_ms in self._database.all(
                self._sql["come-due"], now_ms, _MOST_LOOKED_AT
            )
        }
        sql = self._database.sql("counts.sql")["due-of-queue"]
        held = self._held_queues()
        found = {}
        for queue, n in self._database.run_many(sql, [(name, _MOST_COUNTED) for name in pending]):
            n_come, come_ms = come.get(queue, (0, None))
            since_ms, first = self._first(queue, rooms.get(queue, FREE)) if n else (None, None)
            if first is None:
                first = NextJob(queue) if n_come else held.get(queue)
            times_ms = [at_ms for at_ms in (since_ms, come_ms) if at_ms is not None]
            is_all = n + n_come >= _MOST_COUNTED
            jobs = pending[queue] if is_all else n + n_come
            found[queue] = DueInQueue(jobs, min(times_ms, default=None), first)
        return found

    def oldest_due_s(self) -> float | None:
        """Return for how long the due job that has waited longest waits; None: none is due."""
        now_ms, rooms = self._database.clock.wall_ms(), self._queues.rooms()
        come = self._database.all(self._sql["come-due"], now_ms, _MOST_LOOKED_AT)
        times_ms = [since_ms for _, _, since_ms in come]
        for queue, by_status in self._stats.counts_by_queue().items():
            if by_status[Status.PENDING]:
                times_ms += map(_since_ms, self._first_due(queue, rooms.get(queue, FREE)))
        return max(0, now_ms - min(times_ms)) / 1000 if times_ms else None

    def of_job(self, job_id: int) -> JobFacts:
        """Return what holds a job back, all of it at one moment. Raises NotFound."""
        with self._database.snapshot():
            job = self._jobs.get(job_id)
            row = self._database.one(self._sql["of-job"], job_id)
            assert row is not None
            is_due, parked, crashes, waits_for, versions, incarnation, token, outcome = row
            now_ms = self._database.clock.wall_ms()
            is_due = job.status is Status.PENDING and (is_due == 1 or job.run_at_ms <= now_ms)
            room = self._queues.rooms().get(job.queue, FREE)
            return JobFacts(
                job=job,
                next=self._next_job(
                    room,
                    (job.queue, job.type, job.concurrency_key, versions),
                    is_held=parked == _QUARANTINED,
                ),
                is_due=is_due,
                crashes=crashes,
                last_outcome=None if outcome is None else Outcome(outcome),
                waits_for=waits_for,
                dependencies=self._dependencies(job_id) if waits_for else (),
                wait=None if outcome != Outcome.SNOOZED else self._steps.last_wait(job_id),
                children_left=self._database.value(self._sql["children-left"], job_id)
                if waits_for
                else 0,
                cancelled=self._audit.who_cancelled(job),
                leased_by=incarnation,
                leased_before=self._leased_before(incarnation, token) if incarnation else (),
            )

    def _first(self, queue: str, room: Room) -> tuple[int | None, NextJob | None]:
        """Return since when the oldest of the first due jobs of a queue waits, and the first."""
        rows = self._first_due(queue, room)
        if not rows:
            return None, None
        _, type, key, versions, *_ = rows[0]
        return min(map(_since_ms, rows)), self._next_job(room, (queue, type, key, versions))

    def _first_due(self, queue: str, room: Room) -> list[Row]:
        """Read the first due jobs of each priority of a queue, and some that wait for their key."""
        rows: list[Row] = []
        priority = PRIORITIES.stop
        for _ in range(_MOST_PRIORITIES):
            some = self._database.all(self._sql["first-due"], queue, priority, _FIRST)
            if len(some) == _FIRST and all(freed_ms is not None for *_, freed_ms in some):
                # They may have been freed just now, as a worker died, before older ones.
                sql = self._sql["first-due"]
                some = self._database.all(sql, queue, priority, _MOST_LOOKED_AT)
            rows += some
            if len(some) != _FIRST:
                break
            priority = some[-1][4] - 1
        if not rows or room.per_key != NO_LIMITS_PER_KEY:
            sql = self._sql["first-parked"]
            rows += self._database.all(sql, queue, _MOST_LOOKED_AT, _MOST_PARKED)
        return rows

    def _next_job(
        self,
        room: Room,
        columns: tuple[str, str, str | None, str | None],
        *,
        is_held: bool = False,
    ) -> NextJob:
        """Return a job by its queue, type, key and versions.

        `is_held`: a quarantine holds it that may be released, which lets jobs go a few at a time.
        """
        queue, job_type, key, versions = columns
        quarantine = self._quarantines.of(job_type)
        if quarantine is not None and quarantine.is_released and not is_held:
            quarantine = None
        key_room, holders = FREE, self._named("running-of-queue", queue) if room.is_full else ()
        if key is not None and room.per_key != NO_LIMITS_PER_KEY:
            key_room = self._room_of_key(queue, key, room)
            if key_room.is_full and not holders:
                holders = self._named("running-of-key", queue, key)
        lacks_code = "" if versions is None else self._lacks_code(job_type, versions)
        return NextJob(queue, job_type, key, quarantine, lacks_code, key_room, holders)

    def _room_of_key(self, queue: str, key: str, room: Room) -> Room:
        rules, clock = room.per_key, self._database.clock
        running = 0
        if rules.max_running:
            sql = self._database.sql("keys.sql")["running"]
            running = self._database.value(sql, queue, key, rules.max_running)
        if rules.rate is None:
            return Room(rules.max_running, running)
        full_ms, now_ms = self._keys.full_ms(queue, key), clock.monotonic_ms()
        tokens = tokens_of(rules.rate, full_ms, now_ms)
        opens = clock.wall_ms() + opens_ms(rules.rate, full_ms) - now_ms
        return Room(rules.max_running, running, rules.rate, tokens, opens)

    def _lacks_code(self, job_type: str, versions: str) -> str:
        if not self._versions.lacks_reader(job_type, versions):
            return ""
        return "newer" if self._versions.is_newest(job_type, versions) else "other"

    def _held_queues(self) -> dict[str, NextJob]:
        """Return a job that is held back as such, of each queue that has one."""
        rows = self._database.all(self._sql["held-queues"], _MOST_LOOKED_AT)
        found: dict[str, NextJob] = {}
        for queue, job_type, parked in rows:
            if parked == _AWAITING:
                found.setdefault(queue, NextJob(queue, job_type, lacks_code="other"))
            elif quarantine := self._quarantines.of(job_type):
                found.setdefault(queue, NextJob(queue, job_type, quarantine=quarantine))
        return found

    def _named(self, name: str, *of: str) -> Sequence[int]:
        return [row[0] for row in self._database.all(self._sql[name], *of, MOST_NAMED)]

    def _dependencies(self, job_id: int) -> list[Dependency]:
        rows = self._database.all(self._sql["waits-for"], job_id, MOST_NAMED)
        return [Dependency(id, type, Status(status)) for id, type, status in rows]

    def _leased_before(self, incarnation: str, token: int) -> list[int]:
        rows = self._database.all(self._sql["leased-before"], incarnation, token)
        return [row[0] for row in rows]


def _since_ms(row: Row) -> int:
    """Return since when a job waits for a worker, from a row of `first-due`."""
    *_, run_at_ms, freed_at_ms = row
    return waits_since_ms(run_at_ms, freed_at_ms)
