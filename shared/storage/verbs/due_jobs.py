"""Finds the jobs to lease next, among the due jobs of all queues.

One index has the due jobs of all queues in order. A worker that serves every queue reads its jobs
from the front of it, and leaves out those of queues that are paused or have no room: this costs the
same with a thousand queues as with one.

Another index has the due jobs of each queue in order, so the first one of a queue costs a single
probe. It serves workers of some queues, and all where too many jobs would have to be left out: a
paused queue may have a million. The queues are merged by their next jobs, and of each only about as
many jobs are read as are leased.

Jobs of keys that have no room are left out too, and parked (shared/storage/verbs/keys.py). So are
those of quarantined types (shared/storage/verbs/quarantines.py): which these are is read with the
jobs, so that it costs no statement.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from orpheus.shared.domain.limits import PRIORITIES
from orpheus.shared.storage.data import Limit
from orpheus.shared.storage.database import Database, Row
from orpheus.shared.storage.verbs.keys import Gate, Keys

_MOST_LEFT_OUT = 256
_PERHAPS = 2  # a result of `something-leasable`
_TYPE, _KEY = 4, -4  # columns of `due-of-one`
_DELAYED_MS, _HELD = -2, -1  # columns of `due-of-all`
_BEFORE_ALL = (PRIORITIES.stop, 0, 0)


class DueJobs:
    """Reads due jobs in the order of leasing: highest priority, earliest run_at, lowest id."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._keys = keys
        self._held: frozenset[str] = frozenset()
        """The quarantined types, when it was last looked."""
        self._sql = database.sql("leases.sql")

    def is_any(self) -> bool:
        """Return whether a job is due in a queue that is not paused, or may be by its key's rate.

        It only reads.
        """
        clock = self._database.clock
        row = self._database.one(
            self._sql["something-leasable"], clock.wall_ms(), clock.boot_id, clock.monotonic_ms()
        )
        found, held = row or (0, None)
        self._held = _names_in(held)
        return found == 1 or (found == _PERHAPS and self._is_any_beside_paused())

    def _is_any_beside_paused(self) -> bool:
        paused = {name for (name,) in self._database.all(self._sql["paused"])}
        return any(head[3] not in paused for head in self._heads())

    def next_ms(self) -> int | None:
        """Return when the earliest delayed job is due, on the wall clock."""
        row = self._database.one(self._sql["next-due"])
        return None if row is None else int(row[0])

    def promote(self) -> None:
        """Make those delayed jobs due whose time has come."""
        now_ms = self._database.clock.wall_ms()
        if _is_over(self.next_ms(), now_ms):
            self._database.run(self._sql["promote-due"], now_ms)

    def unlimited(self, queues: Sequence[str], limit: int) -> list[Row]:
        """Return what `first` would, if no queue is paused or limited and all are served.

        That takes one query. Otherwise, or with a job of a quarantined type, return nothing.
        """
        if "*" not in queues:
            return []
        rows = self._database.all(self._sql["due-of-all"], limit)
        if rows and _is_over(rows[0][_DELAYED_MS], self._database.clock.wall_ms()):
            self.promote()
            rows = self._database.all(self._sql["due-of-all"], limit)
        if rows and rows[0][_HELD] is not None:
            held = _names_in(rows[0][_HELD])
            return [] if any(row[_TYPE] in held for row in rows) else rows
        return rows

    def first(self, queues: Sequence[str], limit: int, limits: Mapping[str, Limit]) -> list[Row]:
        """Return the columns of `due-of-all` for the first `limit` jobs of `queues` (`*`: all).

        Of a queue in `limits`, no more jobs are returned than it and their keys have room for; of
        a quarantined type, none. Others may have released one since `is_any` looked: see `Gate`.
        """
        if "*" in queues and not limits and not self._held:
            return self._database.all(self._sql["due-of-all"], limit)
        gate = self._keys.gate(limits, self._held)
        while True:
            rows = self._with_room(queues, limit, limits, gate)
            if not gate.park(is_enough=len(rows) == limit):
                return rows

    def _with_room(
        self, queues: Sequence[str], limit: int, limits: Mapping[str, Limit], gate: Gate
    ) -> list[Row]:
        if "*" not in queues:
            probes = (self._database.one(self._sql["head-of-one"], queue) for queue in set(queues))
            return self._merged([head for head in probes if head], limit, limits, gate)
        most = limit + _MOST_LEFT_OUT
        heads = self._database.all(self._sql["heads-of-all"], most)
        ids = list(islice(_ids_with_room(heads, limits, gate), limit))
        if len(ids) < limit and len(heads) == most and not gate.has_left_out:
            gate.start_over()
            return self._merged(self._heads(), limit, limits, gate)
        return self._database.run_many(self._sql["due-job"], [(one,) for one in ids])

    def _merged(
        self, heads: Iterable[Row], limit: int, limits: Mapping[str, Limit], gate: Gate
    ) -> list[Row]:
        # The first three columns of each entry are the order; an id is there only once.
        heap: list[tuple[Any, ...]] = [
            (*head[:4], None, None)
            for head in heads
            if head[3] not in limits or limits[head[3]].room
        ]
        heapq.heapify(heap)
        rows: list[Row] = []
        while heap and len(rows) < limit:
            _, _, job_id, queue, row, stream = heapq.heappop(heap)
            if stream is None:
                room = min(limit, limits[queue].room) if queue in limits else limit
                stream = islice(self._stream(queue, 2 if heap else room, gate), room)
                row = next(stream, None)
                if row is None or row[2] != job_id:  # the head's key has no room
                    if row is not None:
                        heapq.heappush(heap, (*row[:3], queue, row, stream))
                    continue
            rows.append(row)
            if not heap:
                rows += islice(stream, limit - len(rows))
            elif following := next(stream, None):
                heapq.heappush(heap, (*following[:3], queue, following, stream))
        return rows

    def _heads(self) -> Iterator[Row]:
        """Yield the first due job of each queue, by name of the queue."""
        last = ""
        while head := self._database.one(self._sql["head-of-next"], last):
            yield head
            last = head[3]

    def _stream(self, queue: str, chunk: int, gate: Gate) -> Iterator[Row]:
        """Yield the due jobs of one queue, read in chunks that double in size."""
        behind = _BEFORE_ALL
        is_open = queue not in gate.rules and not gate.held
        while rows := self._database.all(self._sql["due-of-one"], queue, *behind, chunk):
            if is_open:
                yield from rows
            else:
                yield from (
                    row for row in rows if gate.admits(queue, row[_KEY], row[2], row[_TYPE])
                )
                if gate.is_full:
                    return
            lower, *order = rows[-1][:3]
            behind = (-lower, *order)
            chunk *= 2


def _is_over(due_ms: int | None, now_ms: int) -> bool:
    return due_ms is not None and due_ms <= now_ms


def _names_in(held: str | None) -> frozenset[str]:
    return frozenset(() if held is None else held.split())


def _ids_with_room(heads: Iterable[Row], limits: Mapping[str, Limit], gate: Gate) -> Iterator[int]:
    """Yield the ids of those jobs that their queues and keys have room for, and their types too."""
    room = {queue: limit.room for queue, limit in limits.items()}
    for _, _, job_id, queue, key, job_type in heads:
        left = room.get(queue)
        if left == 0 or not gate.admits(queue, key, job_id, job_type):
            continue
        if left is not None:
            room[queue] = left - 1
        yield job_id
