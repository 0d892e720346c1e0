"""Reads what holds a job back. shared/domain/why.py makes the reasons of it.

It reads as leases do, from the same indexes and in the same order, but takes no lock and parks
nothing. However many jobs wait, it reads a bounded number of rows.
"""

import json
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from orpheus.shared.domain.crews import MOST_NAMED
from orpheus.shared.domain.jobs import Dependency, Job, Outcome, Status
from orpheus.shared.domain.limited import WaitingKeys
from orpheus.shared.domain.quarantine import Quarantine
from orpheus.shared.domain.rates import NO_LIMITS_PER_KEY, KeyRules, opens_ms, tokens_of
from orpheus.shared.domain.rooms import FREE, Room
from orpheus.shared.domain.why import MOST_BEFORE, MOST_STEPS, Before, Pause, Standing
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.audit import Audit
from orpheus.shared.storage.verbs.due_jobs import heads_of_queues
from orpheus.shared.storage.verbs.job_types import Versions
from orpheus.shared.storage.verbs.jobs import Jobs
from orpheus.shared.storage.verbs.keys import Keys
from orpheus.shared.storage.verbs.quarantines import Quarantines
from orpheus.shared.storage.verbs.queues import Queues

_Key = tuple[str, str]
_HELD = 2  # of `is_parked`
_MOST_OPENINGS = 1_000
_MOST_KEYS = 50


class Standings:
    """What holds jobs back."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        keys: Keys,
        queues: Queues,
        quarantines: Quarantines,
        versions: Versions,
        audit: Audit,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._keys = keys
        self._queues = queues
        self._quarantines = quarantines
        self._versions = versions
        self._audit = audit
        self._sql = database.sql("why.sql")
        self._keys_sql = database.sql("keys.sql")

    def of(self, job_id: int) -> Standing:
        """Return what holds a job back, all of it at one moment. Raises NotFound."""
        with self._database.snapshot():
            job = self._jobs.get(job_id)
            row = self._database.one(self._sql["of-job"], job_id)
            assert row is not None
            is_due, is_parked, crashes, waits_for, versions, incarnation, token, outcome = row
            now_ms = self._database.clock.wall_ms()
            is_due = bool(is_due) or (job.status is Status.PENDING and job.run_at_ms <= now_ms)
            limits = _Limits(self._database, self._queues.rooms(), self._keys)
            before, is_full = self._before(job, limits) if is_due else ([], False)
            return Standing(
                job=job,
                now_ms=now_ms,
                is_due=is_due,
                crashes=crashes,
                last_outcome=None if outcome is None else Outcome(outcome),
                waits_for=waits_for,
                dependencies=self._dependencies(job_id) if waits_for else (),
                retry_first=self._retry_first(job),
                cancelled=self._audit.who_cancelled(job),
                key_holder=self._key_holder(job),
                quarantine=self._quarantine(job, is_held=is_parked == _HELD),
                lacks_code=self._lacks_code(job, versions),
                pause=self.pauses().get(job.queue),
                queues=limits.queues,
                keys=limits.rooms_of(_keys_of([*before, _as_before(job)])),
                before=before,
                more_may_be_before=is_full,
                leased_by=incarnation,
                leased_before=self._leased_before(incarnation, token) if incarnation else (),
            )

    def _quarantine(self, job: Job, *, is_held: bool) -> Quarantine | None:
        quarantine = self._quarantines.of(job.type)
        return quarantine if quarantine and (is_held or not quarantine.is_released) else None

    def _lacks_code(self, job: Job, versions: str | None) -> str:
        if versions is None or not self._versions.lacks_reader(job.type, versions):
            return ""
        return "newer" if self._versions.is_newest(job.type, versions) else "other"

    def pauses(self) -> dict[str, Pause]:
        """Return who paused each queue that is paused, why, and when; in one statement."""
        rows = self._database.all(self._sql["pauses"])
        return {name: Pause(*pause) for name, *pause in rows}

    def resumptions(self) -> dict[str, Pause]:
        """Return who resumed each queue that is open though the configuration pauses it."""
        rows = self._database.all(self._sql["resumptions"])
        return {name: Pause(*resumed) for name, *resumed in rows}

    def resumed_ms(self, queues: Iterable[str]) -> dict[str, int]:
        """Return when an operator last resumed each of these queues, of those that are open now."""
        return dict(self._database.all(self._sql["resumed"], json.dumps(list(queues))))

    def openings_ms(self) -> dict[str, int]:
        """Return when the rate of a key lets a parked job start next, by queue, on the wall clock.

        Of very many keys, the first that open are looked at.
        """
        clock = self._database.clock
        rows = self._database.all(self._keys_sql["openings"], clock.boot_id, _MOST_OPENINGS)
        since_ms = clock.wall_ms() - clock.monotonic_ms()
        found: dict[str, int] = {}
        for queue, at_ms in rows:
            found.setdefault(queue, since_ms + round(at_ms))
        return found

    def waiting_keys(self, queue: str, rules: KeyRules) -> WaitingKeys:
        """Return what the parked jobs of a queue wait for, from the first of very many keys."""
        if not rules.max_running:
            return WaitingKeys(full=False, others=True)
        sql, most = self._keys_sql["full-keys"], rules.max_running
        row = self._database.one(sql, queue, most, _MOST_KEYS)
        assert row is not None  # it counts
        return WaitingKeys(full=row[1] > 0, others=row[1] < row[0])

    def _dependencies(self, job_id: int) -> list[Dependency]:
        rows = self._database.all(self._sql["waits-for"], job_id, MOST_NAMED)
        return [Dependency(id, type, Status(status)) for id, type, status in rows]

    def _retry_first(self, job: Job) -> int | None:
        """Return the first job of the chain of failed dependencies, which must be retried first.

        None if the chain is very long: nobody looks so far back.
        """
        sql = self._database.sql("dependencies.sql")["failed-dependency"]
        first = None
        if job.status in (Status.FAILED, Status.CANCELLED):
            for _ in range(MOST_STEPS):
                row = self._database.one(sql, job.id if first is None else first)
                if row is None:
                    return first
                first = row[0]
        return None

    def _key_holder(self, job: Job) -> int | None:
        """Return the live job that has the unique key of a failed or cancelled one."""
        if job.unique_key is None or job.status not in (Status.FAILED, Status.CANCELLED):
            return None
        sql = self._database.sql("jobs.sql")["live-by-unique-keys"]
        row = self._database.one(sql, json.dumps([job.unique_key]))
        return None if row is None else row[1]

    def _leased_before(self, incarnation: str, token: int) -> list[int]:
        rows = self._database.all(self._sql["leased-before"], incarnation, token)
        return [row[0] for row in rows]

    def _before(self, job: Job, limits: "_Limits") -> tuple[list[Before], bool]:
        """Return due jobs that go before `job`, in order, and whether there may be more.

        Those of paused queues and quarantined types are left out. Those of its own key and queue
        are read first, as its limits are told with their number.
        """
        order, found, is_full = (job.priority, job.run_at_ms, job.id), list[Before](), False
        held = {one.type for one in self._quarantines.all()}

        def read(name: str, first: str | int, *more: str) -> None:
            nonlocal is_full
            room = MOST_BEFORE - len(found)
            if room > 0:
                rows = self._database.all(self._sql[name], first, *order, room, *more)
                is_full |= len(rows) >= room
                found.extend(
                    Before(*row)
                    for *row, job_type in rows
                    if row[3] not in limits.paused and job_type not in held
                )

        if job.concurrency_key is not None:
            read("parked-before", job.queue, job.concurrency_key)
        heads = heads_of_queues(self._database)
        for queue in dict.fromkeys([job.queue, *(head.queue for head in heads)]):
            if queue not in limits.paused:
                read("before-in-queue", queue)
        read("become-due", limits.now_ms)
        for queue, key in {*self._keys.opened()} - {(job.queue, job.concurrency_key or "")}:
            read("parked-before", queue, key)
        return sorted(found), is_full


class _Limits:
    """The limits of queues and keys as they stand."""

    def __init__(self, database: Database, rooms: Mapping[str, Room], keys: Keys) -> None:
        """`rooms`: see `Queues.rooms`."""
        self._database = database
        self._keys = keys
        self._sql = database.sql("why.sql")
        self._keys_sql = database.sql("keys.sql")
        clock = database.clock
        self.now_ms, self._now_mono_ms = clock.wall_ms(), clock.monotonic_ms()
        self.paused = {name for name, room in rooms.items() if room.paused}
        """The names of the paused queues."""
        self.queues = {name: self._with_names(name, room) for name, room in rooms.items()}

    def _with_names(self, queue: str, room: Room) -> Room:
        """Return the room with the jobs that run, if no more of them may."""
        named = self._named("running-of-queue", queue) if room.is_full else ()
        return replace(room, named=named) if named else room

    def rooms_of(self, keys: Iterable[_Key]) -> Mapping[_Key, Room]:
        """Return the limits of those keys whose queue has limits per key."""
        return {
            (queue, key): self._room_of_key(queue, key, self.queues[queue].per_key)
            for queue, key in keys
            if self.queues.get(queue, FREE).per_key != NO_LIMITS_PER_KEY
        }

    def _room_of_key(self, queue: str, key: str, rules: KeyRules) -> Room:
        running, named = 0, tuple[int, ...]()
        if rules.max_running:
            sql = self._keys_sql["running"]
            running = self._database.value(sql, queue, key, rules.max_running)
            if running >= rules.max_running:
                named = self._named("running-of-key", queue, key)
        if rules.rate is None:
            return Room(rules.max_running, running, named=named)
        full_ms = self._keys.full_ms(queue, key)
        tokens = tokens_of(rules.rate, full_ms, self._now_mono_ms)
        opens = self.now_ms + opens_ms(rules.rate, full_ms) - self._now_mono_ms
        return Room(rules.max_running, running, rules.rate, tokens, opens, named)

    def _named(self, name: str, *of: str) -> tuple[int, ...]:
        return tuple(row[0] for row in self._database.all(self._sql[name], *of, MOST_NAMED))


def _as_before(job: Job) -> Before:
    return Before(-job.priority, job.run_at_ms, job.id, job.queue, job.concurrency_key)


def _keys_of(jobs: Iterable[Before]) -> set[_Key]:
    return {(one.queue, one.key) for one in jobs if one.key is not None}
