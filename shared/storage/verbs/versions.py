"""Jobs whose payload not every worker can read, as hosts have different versions of their type.

Such a job names the versions that can (`jobs.versions`). Whoever submits it knows from the schemas,
or a worker that could not read it has said so. A lease of another worker parks it
(`is_parked = 3`), as it does with jobs of quarantined types, so each is met once. What parked jobs
wait for is noted, and a lease reads that with the jobs. A worker that has such a version offers the
first of these jobs to its own lease, with all others, and parks again what it did not lease: all in
one transaction, so nobody else sees it.

Once no host has any of the versions, upkeep lets the jobs go, some in a transaction. Whoever leases
one then judges it anew.

Parking and forgetting what is awaited hold the lock of the quarantines, for the same reason.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from orpheus.shared.domain.limits import PRIORITIES
from orpheus.shared.domain.rooms import FREE, Room
from orpheus.shared.domain.serving import EVERY_QUEUE
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.quarantines import lock_quarantines

Awaited = tuple[str, str]
"""A type, and the versions of it that jobs wait for."""

_MOST_AT_ONCE = 250


class Versions:
    """Parks, offers and lets go jobs that name versions of their type."""

    def __init__(self, database: Database) -> None:
        self.loaded: Mapping[str, str] = {}
        """The version of each type in the code that this process has loaded."""
        self._database = database
        self._sql = database.sql("versions.sql")

    def reads(self, job_type: str, versions: str | None) -> bool:
        """Return whether this process can read a job that names these versions."""
        return versions is None or self.loaded.get(job_type) in versions.split()

    def read_among(self, awaited: str | None) -> list[Awaited]:
        """Return what this process has of what jobs wait for; `awaited`: as a lease reads it."""
        if awaited is None:
            return []
        found = (one.partition(" ") for one in awaited.split(","))
        return [(name, versions) for name, _, versions in found if self.reads(name, versions)]

    # Inside the transaction of a lease

    def offer(
        self,
        awaited: Iterable[Awaited],
        most: int,
        queues: Collection[str],
        rooms: Mapping[str, Room],
    ) -> set[int]:
        """Unpark the first jobs of `queues` (`*`: all) that wait for this; return their ids.

        They are at most `most`, and of a queue in `rooms` not more than it has room for.
        """
        found = [
            (one, queue, left)
            for one in awaited
            for queue in (self._queues(one) if EVERY_QUEUE in queues else set(queues))
            if (left := rooms.get(queue, FREE).left) != 0
        ]
        chunk = max(2, most // max(1, len(found)))
        streams = [islice(self._awaiting(*one, queue, chunk), left) for one, queue, left in found]
        offered = [(job_id,) for *_, job_id in islice(heapq.merge(*streams), most)]
        self._database.run_many(self._sql["offer"], offered)
        return {job_id for (job_id,) in offered}

    def _queues(self, awaited: Awaited) -> Iterator[str]:
        queue = ""
        while row := self._database.one(self._sql["next-queue"], *awaited, queue):
            queue = row[0]
            yield queue

    def _awaiting(
        self, job_type: str, versions: str, queue: str, chunk: int
    ) -> Iterator[tuple[int, int, int]]:
        """Yield the order of leasing of each job of a queue that waits, read in chunks."""
        behind = (PRIORITIES.stop, 0, 0)
        while rows := self._database.all(
            self._sql["some-of-queue"], job_type, versions, queue, *behind, chunk
        ):
            yield from rows
            minus_priority, run_at_ms, job_id = rows[-1]
            behind = (-minus_priority, run_at_ms, job_id)

    def park_again(self, ids: Iterable[int]) -> None:
        """Park jobs that were offered and not leased."""
        self._database.run_many(self._sql["park-again"], [(job_id,) for job_id in ids])

    def hold(self, jobs: Sequence[tuple[int, str, str]]) -> frozenset[int]:
        """Park jobs (id, type, versions) that this process cannot read.

        Return the ids of those that are parked now: others may have locked some of them.
        """
        lock_quarantines(self._database)
        self._database.run_many(
            self._sql["note-awaited"], sorted({(name, versions) for _, name, versions in jobs})
        )
        parked = self._database.run_many(self._sql["await"], [(one[0],) for one in jobs])
        return frozenset(row[0] for row in parked)

    # Inside the transaction that ends a lease

    def label(self, job_id: int, versions: str) -> None:
        """Note which versions can read a job that is pending again."""
        self._database.run(self._sql["label"], versions, job_id)

    # By others

    def continue_letting_go(self) -> bool:
        """Let go some jobs whose versions nobody has any more; False: there are none.

        It also forgets what no job waits for any more.
        """
        if not self._to_settle():
            return False
        with self._database.write(durable=False):
            lock_quarantines(self._database)
            for name, versions, is_held in self._to_settle():
                if not is_held:
                    self._let_go((name, versions))
                if not self._any_awaiting(name, versions):
                    self._database.run(self._sql["forget-awaited"], name, versions)
        return True

    def _to_settle(self) -> list[tuple[str, str, bool]]:
        return [
            (name, versions, bool(is_held))
            for name, versions, is_held in self._database.all(self._sql["all-awaited"])
            if not is_held or not self._any_awaiting(name, versions)
        ]

    def _any_awaiting(self, name: str, versions: str) -> bool:
        return self._database.one(self._sql["any-awaiting"], name, versions) is not None

    def _let_go(self, awaited: Awaited) -> None:
        rows = self._database.all(self._sql["some-awaiting"], *awaited, _MOST_AT_ONCE)
        self._database.run_many(self._sql["let-go"], rows)
        self._database.at_commit.unparked.extend(row[0] for row in rows)

    # Reading

    def awaiting_gone_hosts(self) -> list[str]:
        """Return the types of which jobs wait for code that only hosts have which are gone."""
        return [row[0] for row in self._database.all(self._sql["awaiting-gone-hosts"])]

    def lacks_reader(self, job_type: str, versions: str) -> bool:
        """Return whether no ready worker has one of these versions."""
        return self._database.one(self._sql["is-read"], job_type, versions) is None

    def is_newest(self, job_type: str, versions: str) -> bool:
        """Return whether the newest version of a type is one of these."""
        return self._database.one(self._sql["is-newest-read"], job_type, versions) is not None
