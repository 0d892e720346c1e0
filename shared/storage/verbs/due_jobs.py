"""Finds the jobs to lease next, among the due jobs of all queues.

One index has the due jobs of all queues in order. A worker that serves every queue reads its jobs
from the front of it, and leaves out those of queues that are paused or have no room: this costs the
same with a thousand queues as with one.

Another index has the due jobs of each queue in order, so the first one of a queue costs a single
probe. It serves workers of some queues, and all where too many jobs would have to be left out: a
paused queue may have a million. The queues are merged by their next jobs, and of each only about as
many jobs are read as are leased.

Jobs of keys that have no room are left out too, and parked (shared/storage/verbs/keys.py). So are
those of quarantined types (shared/storage/verbs/quarantines.py), and those that this worker cannot
read (shared/storage/verbs/job_types.py): which these are is read with the jobs, so that it costs no
statement.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.limits import PRIORITIES
from orpheus.shared.domain.rates import NO_LIMITS_PER_KEY, KeyRules
from orpheus.shared.domain.rooms import FREE, Room
from orpheus.shared.domain.serving import EVERY_QUEUE
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.job_types import Awaited, Versions
from orpheus.shared.storage.verbs.keys import HeldJob, Key, Keys

_MOST_LEFT_OUT = 256
_PERHAPS = 2  # a result of `something-leasable`
_BEFORE_ALL = (PRIORITIES.stop, 0, 0)
_MOST_PARKED = 1_000
"""A lease parks at most so many jobs; it rings for itself to go on."""
_MOST_HELD = 250
"""At most so many that are held back or cannot be read: a million may wait, and others write."""


class Head(NamedTuple):
    """What decides when a due job is leased. The first three fields are the order of leasing."""

    minus_priority: int
    run_at_ms: int
    job_id: int
    queue: str
    concurrency_key: str | None
    type: str
    versions: str | None


class DueJob(NamedTuple):
    """A due job as `due-of-all`, `due-of-one` and `due-job` read it, to be leased.

    `token`: of its lease, where the database draws it with the job. `delayed_ms`, `held` and
    `awaited`, the same in each row and None where they were not read: when the next delayed job is
    due, the quarantined types, and which versions of types jobs wait for. A tuple, as Lease is one.
    """

    minus_priority: int
    run_at_ms: int
    job_id: int
    attempt: int
    type: str
    payload: str
    queue: str
    timeout_s: float
    max_retries: int
    failures: int
    crashes: int
    cancel_requested: int
    traceparent: str | None
    concurrency_key: str | None
    versions: str | None
    scheduled_ms: int | None
    expires_ms: int | None
    token: int | None
    delayed_ms: int | None
    held: str | None
    awaited: str | None

    def is_expired(self, now_ms: int) -> bool:
        """Return whether it may not start any more; upkeep cancels it."""
        return self.expires_ms is not None and self.expires_ms <= now_ms and self.attempt == 1

    def lease(self, token: int, now_ms: int, expires_mono_ms: int) -> Lease:
        """Return its lease from now on."""
        return Lease(
            self.job_id,
            token,
            self.attempt,
            self.type,
            self.payload,
            self.queue,
            self.timeout_s,
            self.max_retries,
            self.failures,
            self.crashes,
            now_ms,
            expires_mono_ms,
            bool(self.cancel_requested),
            self.traceparent,
            self.concurrency_key,
            self.versions,
            self.scheduled_ms,
        )


class Gate:
    """Lets jobs through as far as their keys have room, in the order of leasing.

    It lets none of a quarantined type through, and none that this process cannot read. What it
    leaves out is parked, and then what may be leased is read again. A job that cannot be held back,
    as another host has locked it, is passed over from then on: each reading parks or passes over
    some, so it comes to an end.
    """

    def __init__(
        self,
        keys: Keys,
        rules: Mapping[str, KeyRules],
        held: frozenset[str],
        versions: Versions,
    ) -> None:
        self.rules = rules
        """Of the queues that have limits per key."""
        self.held = held
        """The quarantined types."""
        self._keys = keys
        self._versions = versions
        self._rooms: dict[Key, int] = {}
        self._left_out: list[tuple[str, str, int]] = []
        self._held_back: list[HeldJob] = []
        self._unread: list[tuple[int, str, str]] = []
        """Of those that are held back: the id, type and versions of what cannot be read here."""
        self._passed_over: set[int] = set()
        self._has_unparked = False
        self._parked = self._parked_as_held = 0

    def admits(self, job: Head | DueJob) -> bool:
        """Take room of the key for this job; return whether there was room."""
        queue, key, job_id = job.queue, job.concurrency_key, job.job_id
        is_held, versions = job.type in self.held, job.versions
        if is_held or not self._versions.reads(job.type, versions):
            if job_id not in self._passed_over:
                self._held_back.append((queue, key, job_id))
                if versions is not None and not is_held:
                    self._unread.append((job_id, job.type, versions))
            return False
        rules = self.rules.get(queue)
        if key is None or rules is None:
            return True
        room = self._rooms.get((queue, key))
        if room is None:
            room, has_unparked = self._keys.room(queue, key, rules)
            self._has_unparked |= has_unparked
        self._rooms[queue, key] = max(0, room - 1)
        if not room:
            self._left_out.append((queue, key, job_id))
        return room > 0

    def start_over(self) -> None:
        """Forget which jobs were let through: they were not taken."""
        self._rooms = {}

    @property
    def has_left_out(self) -> bool:
        """Whether a job was left out that is not parked yet."""
        return bool(self._left_out or self._held_back)

    @property
    def is_full(self) -> bool:
        """Whether this transaction should leave out no more jobs."""
        held = self._parked_as_held + len(self._held_back)
        return self._parked + len(self._left_out) >= _MOST_PARKED or held >= _MOST_HELD

    def park(self, *, is_enough: bool) -> bool:
        """Park what was left out; return whether what may be leased must be read again.

        `is_enough`: no more jobs were wanted.
        """
        again = self._has_unparked or (self.has_left_out and not is_enough)
        if self._left_out:
            self._keys.park(self._left_out, self.rules)
        if self._held_back:
            self._hold()
            again |= self._keys.look_behind(self._held_back, self.rules)
        if again and self.is_full:
            self._keys.ring({queue for queue, *_ in (*self._left_out, *self._held_back)})
            return False
        self._parked += len(self._left_out)
        self._parked_as_held += len(self._held_back)
        self._left_out, self._held_back, self._unread, self._has_unparked = [], [], [], False
        self.start_over()
        return again

    def _hold(self) -> None:
        """Hold jobs back; those with which that cannot be done are passed over instead."""
        unread = {row[0] for row in self._unread}
        quarantined = [row for row in self._held_back if row[2] not in unread]
        parked = self._versions.hold(self._unread) if unread else frozenset[int]()
        if quarantined:
            parked_too, self.held = self._keys.hold(quarantined)
            parked |= parked_too
        self._passed_over |= {row[2] for row in self._held_back} - parked
        self._held_back = [row for row in self._held_back if row[2] in parked]


def gate_of(
    keys: Keys, rooms: Mapping[str, Room], held: frozenset[str], versions: Versions
) -> Gate:
    """Return what lets jobs through as far as their keys have room.

    `held`: no job of these types is let through. `versions`: tells which jobs this process
    cannot read.
    """
    rules = {
        name: room.per_key for name, room in rooms.items() if room.per_key != NO_LIMITS_PER_KEY
    }
    if any(rule.rate is not None for rule in rules.values()):
        keys.look_at_opened()
    return Gate(keys, rules, held, versions)


class DueJobs:
    """Reads due jobs in the order of leasing: highest priority, earliest run_at, lowest id."""

    def __init__(self, database: Database, keys: Keys, versions: Versions) -> None:
        self._database = database
        self._keys = keys
        self.was_contended = False
        """Whether `first` has last returned nothing because others have locked what is due."""
        self._versions = versions
        self._held: frozenset[str] = frozenset()
        """The quarantined types, as `is_any` saw them last."""
        self._awaited: list[Awaited] = []
        """What this process can read of what jobs wait for, as `is_any` saw it last."""
        self._offered: set[int] = set()
        self._sql = database.sql("leases.sql")

    def is_any(self) -> bool:
        """Return whether a queue that is not paused has a due job, or may get one by a key's rate.

        It only reads.
        """
        clock = self._database.clock
        row = self._database.one(
            self._sql["something-leasable"], clock.wall_ms(), clock.boot_id, clock.monotonic_ms()
        )
        found, held, awaited = row or (0, None, None)
        self._held = _names_in(held)
        self._awaited = self._versions.read_among(awaited)
        if self._awaited:
            return True
        return found == 1 or (found == _PERHAPS and self._is_any_beside_paused())

    def _is_any_beside_paused(self) -> bool:
        paused = {name for (name,) in self._database.all(self._sql["paused"])}
        return any(head.queue not in paused for head in heads_of_queues(self._database))

    def next_ms(self) -> int | None:
        """Return when the earliest delayed job is due, on the wall clock."""
        due_ms: int | None = self._database.value(self._sql["next-due"])
        return due_ms

    def promote(self) -> None:
        """Make delayed jobs due if their time has come."""
        now_ms = self._database.clock.wall_ms()
        if _is_over(self.next_ms(), now_ms):
            self._database.run(self._sql["promote-due"], now_ms)

    def unlimited(self, queues: Sequence[str], limit: int) -> list[DueJob]:
        """Return what `first` would, if no queue is paused or limited and all are served.

        That takes one query. Otherwise, or with a job of a quarantined type, or one that only other
        workers can read, or only this one and its like, return nothing.
        """
        self.was_contended = False
        self._offered = set()
        if EVERY_QUEUE not in queues:
            return []
        jobs = self._of_all(limit)
        if jobs and _is_over(jobs[0].delayed_ms, self._database.clock.wall_ms()):
            self.promote()
            jobs = self._of_all(limit)
        if not jobs or self._versions.read_among(jobs[0].awaited) or not self._reads_all(jobs):
            return []
        held = _names_in(jobs[0].held)
        return [] if held and any(job.type in held for job in jobs) else jobs

    def _reads_all(self, jobs: Iterable[DueJob]) -> bool:
        return all(
            job.versions is None or self._versions.reads(job.type, job.versions) for job in jobs
        )

    def park_again_beside(self, leased: Iterable[DueJob]) -> None:
        """Park again what `first` has offered to this process beside these jobs."""
        if self._offered:
            self._versions.park_again(self._offered - {job.job_id for job in leased})

    def _of_all(self, limit: int) -> list[DueJob]:
        return [DueJob._make(row) for row in self._database.all(self._sql["due-of-all"], limit)]

    def first(self, queues: Sequence[str], limit: int, rooms: Mapping[str, Room]) -> list[DueJob]:
        """Return the first `limit` due jobs of `queues` (`*`: all).

        Of a queue in `rooms`, no more jobs are returned than it and their keys have room for; of
        a quarantined type, none, nor any that this process cannot read. Others may have released a
        type since `is_any` looked: see `Gate`.
        """
        self._offered = self._versions.offer(self._awaited, limit, queues, rooms)
        if EVERY_QUEUE in queues and not rooms and not self._held:
            jobs = self._of_all(limit)
            if self._reads_all(jobs):
                # What this process could read may be leased by now, or in queues of others.
                self.was_contended = not (jobs or self._awaited)
                return jobs
        gate = gate_of(self._keys, rooms, self._held, self._versions)
        while True:
            jobs = self._with_room(queues, limit, rooms, gate)
            if not gate.park(is_enough=len(jobs) == limit):
                return jobs

    def _with_room(
        self, queues: Sequence[str], limit: int, rooms: Mapping[str, Room], gate: Gate
    ) -> list[DueJob]:
        if EVERY_QUEUE not in queues:
            probes = (self._database.one(self._sql["head-of-one"], queue) for queue in set(queues))
            heads = [Head._make(row) for row in probes if row]
            return self._merged(heads, limit, rooms, gate)
        most = limit + _MOST_LEFT_OUT
        heads = [Head._make(row) for row in self._database.all(self._sql["heads-of-all"], most)]
        with_room = _ids_with_room(heads, rooms, gate)
        ids = list(islice(with_room, limit))
        is_enough = len(ids) == limit or len(heads) < most or gate.has_left_out
        jobs: list[DueJob] = []
        while is_enough and ids and len(jobs) < limit:
            rows = self._database.run_many(self._sql["due-job"], [(job_id,) for job_id in ids])
            jobs += map(DueJob._make, rows)
            ids = list(islice(with_room, limit - len(jobs)))  # others have locked some
            self.was_contended = not jobs
        if is_enough and (jobs or len(heads) < most or gate.has_left_out):
            return jobs
        gate.start_over()
        return self._merged(heads_of_queues(self._database), limit, rooms, gate)

    def _merged(
        self, heads: Iterable[Head], limit: int, rooms: Mapping[str, Room], gate: Gate
    ) -> list[DueJob]:
        # A head or job, and the jobs of its queue from there on. No two are equal in their order,
        # of which the id is a part.
        heap: list[tuple[Any, Iterator[DueJob] | None]] = [
            (head, None) for head in heads if rooms.get(head.queue, FREE).left != 0
        ]
        heapq.heapify(heap)
        jobs: list[DueJob] = []
        self.was_contended = bool(heap)
        while heap and len(jobs) < limit:
            first, stream = heapq.heappop(heap)
            if stream is None:
                queue = first.queue
                left = rooms.get(queue, FREE).left
                room = limit if left is None else min(limit, left)
                stream = islice(self._stream(queue, 2 if heap else room, gate), room)
                job = next(stream, None)
                if job is None or job.job_id != first.job_id:
                    # The head's key has no room, or others have locked it.
                    if job is not None:
                        heapq.heappush(heap, (job, stream))
                    continue
                first = job
            self.was_contended = False
            jobs.append(first)
            if not heap:
                jobs += islice(stream, limit - len(jobs))
            elif following := next(stream, None):
                heapq.heappush(heap, (following, stream))
        return jobs

    def _stream(self, queue: str, chunk: int, gate: Gate) -> Iterator[DueJob]:
        """Yield the due jobs of one queue, read in chunks that double in size."""
        behind = _BEFORE_ALL
        is_open = queue not in gate.rules and not gate.held
        while rows := self._database.all(self._sql["due-of-one"], queue, *behind, chunk):
            jobs = [DueJob._make(row) for row in rows]
            if is_open and self._reads_all(jobs):
                yield from jobs
            else:
                yield from (job for job in jobs if gate.admits(job))
                if gate.is_full:
                    return
            last = jobs[-1]
            behind = (-last.minus_priority, last.run_at_ms, last.job_id)
            chunk *= 2


def heads_of_queues(database: Database) -> Iterator[Head]:
    """Yield the first due job of each queue, by name of the queue."""
    sql, last = database.sql("leases.sql")["head-of-next"], ""
    while row := database.one(sql, last):
        head = Head._make(row)
        yield head
        last = head.queue


def _is_over(due_ms: int | None, now_ms: int) -> bool:
    return due_ms is not None and due_ms <= now_ms


def _names_in(held: str | None) -> frozenset[str]:
    return frozenset(() if held is None else held.split())


def _ids_with_room(heads: Iterable[Head], rooms: Mapping[str, Room], gate: Gate) -> Iterator[int]:
    """Yield the ids of the jobs whose queue and key have room and whose type is not quarantined."""
    lefts = {queue: room.left for queue, room in rooms.items()}
    for head in heads:
        left = lefts.get(head.queue)
        if left == 0 or not gate.admits(head):
            continue
        if left is not None:
            lefts[head.queue] = left - 1
        yield head.job_id
