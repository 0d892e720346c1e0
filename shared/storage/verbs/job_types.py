"""The job type verbs of the store: which types hosts have, in which versions.

What one host describes is a *build*: a set of job types, named by a digest of them. Hosts have
different builds during a deployment, or for good. A build is kept as long as a host has it, or a
worker that is still to be replaced. A host that nobody has heard of for minutes, while others go
on, does not count until it is back: so one that restarts takes nothing away. While nothing runs,
all stays as it is: only time in which the leader looks counts, whatever a clock says after it.

Two types of one name are different *versions* if their payloads have different schemas. The newest
is the one to which a host has changed last: it is shown, and its defaults count.

A job may name the versions of its type that can read its payload (`jobs.versions`): whoever submits
it knows from the schemas, or a worker that could not read it has said so. A lease of another worker
parks it (`is_parked = 3`). What parked jobs wait for is noted, and a lease reads that with the
jobs. A worker that has such a version offers the first of these jobs to its own lease, with all
others, and parks again what it did not lease: all in one transaction, so no other worker sees it.
Once no host has any of the versions, upkeep lets the jobs go, some in a transaction; whoever leases
one then judges it anew. Parking and forgetting what is awaited hold the lock of the quarantines.
"""

import heapq
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice

from msgspec.structs import replace

from orpheus.shared.domain.hidden import NOTHING_HIDDEN, Hidden, Rules, hidden_by
from orpheus.shared.domain.limits import PRIORITIES
from orpheus.shared.domain.rooms import FREE, Room
from orpheus.shared.domain.serving import EVERY_QUEUE
from orpheus.shared.process.host import own_host
from orpheus.shared.storage.data import TypeRow, build_of
from orpheus.shared.storage.database import Database, Row
from orpheus.shared.storage.verbs.quarantines import lock_quarantines

_GONE_AFTER_MS = 5 * 60_000
"""A host that restarts, or a machine, is back within this time."""
_FORGOTTEN_AFTER_MS = 7 * 24 * 3_600_000
_NOTED_EVERY_MS = 10_000
_LONGEST_LOOK_MS = 30_000
"""If more than this is between two notes, nobody looked in between, or a clock was set."""


class HiddenFields:
    """Which fields of which jobs are masked for all but the job.

    A type keeps its rules when no host has it any more: its jobs are still there.
    """

    def __init__(self, database: Database, hide: Sequence[str] | None) -> None:
        """`hide`: the rules of this process's configuration; None: nothing is hidden from it."""
        self._database = database
        self._sql = database.sql("job_types.sql")
        self._own = hide

    def rules(self) -> Hidden:
        """Return the rules of the configuration, of the supervisor's and of each type together."""
        if self._own is None:
            return NOTHING_HIDDEN
        stored = {
            name: hide.split() for name, hide in self._database.all(self._sql["hidden-fields"])
        }
        return hidden_by([*self._own, *stored.pop(_EVERY_TYPE, ())], stored)

    def of_job(self, job_id: int) -> Rules:
        """Return the rules for one job; all rules if it is not there any more."""
        hidden = self.rules()
        row = self._database.one(self._sql["type-of-job"], job_id)
        return hidden.of_all if row is None else hidden.of(row[0])

    def configure(self, hide: Iterable[str]) -> None:
        """Store the rules of the supervisor's configuration."""
        with self._database.write(durable=False):
            self._put(_EVERY_TYPE, set(hide))

    def note_types(self) -> None:
        """Store the rules of the types that are described now."""
        found: dict[str, set[str]] = {}
        for name, hide in self._database.all(self._sql["hidden-of-types"]):
            found.setdefault(name, set()).update(hide.split())
        for name, paths in found.items():
            self._put(name, paths)

    def _put(self, name: str, paths: Collection[str]) -> None:
        if paths:
            self._database.run(self._sql["put-hidden"], name, " ".join(sorted(paths)))
        else:
            self._database.run(self._sql["forget-hidden"], name)


_EVERY_TYPE = ""


class Types:
    """What `python -m worker --describe` found, for programs that may not import job code."""

    def __init__(self, database: Database, hidden: HiddenFields) -> None:
        self._database = database
        self._hidden = hidden
        self._sql = database.sql("job_types.sql")

    def replace(
        self, types: Sequence[TypeRow], since_ms: int | None = None, host: str | None = None
    ) -> str:
        """Note what the job modules of a host define now, and return the name of that build.

        `since_ms`: workers of this host that were started then or later have this code; None: now.
        `host`: None: this one.
        """
        now_ms = self._database.own_clock.wall_ms() if since_ms is None else since_ms
        host, build = own_host() if host is None else host, build_of(types)
        with self._database.write(durable=False):
            self._database.lock("job types", [""])
            row = self._database.one(self._sql["build-of-host"], host)
            if row is not None and row[0] == build:
                return build
            known = {(name, code): ms for name, code, ms in self._database.all(self._sql["codes"])}
            rows = [
                (build, kind.version, known.get((kind.name, kind.code), now_ms), *kind.described)
                for kind in types
            ]
            self._database.run(self._sql["put-build"], host, build, self._database.clock.wall_ms())
            if not self._database.has_many_hosts:
                self._database.run(self._sql["forget-other-hosts"], host)
            self._database.run_many(self._sql["insert-type"], rows)
            self._forget_builds()
        return build

    def note_hosts(self) -> None:
        """Note which hosts are gone or back, and forget what no host has."""
        now_ms = self._database.clock.wall_ms()
        noted: list[tuple[int | None, int, int, str]] = []
        forgotten: list[tuple[str]] = []
        counts_anew = self._database.one(self._sql["any-unheld"]) is not None
        for host, looked_at_ms, counted_ms, was_gone, is_known in self._database.all(
            self._sql["hosts"]
        ):
            if is_known:
                if looked_at_ms is not None:
                    noted.append((None, 0, 0, host))
                    counts_anew |= bool(was_gone)
                continue
            passed_ms = _LONGEST_LOOK_MS + 1 if looked_at_ms is None else now_ms - looked_at_ms
            if 0 <= passed_ms < _NOTED_EVERY_MS:
                continue
            silent_ms = counted_ms + (passed_ms if 0 <= passed_ms <= _LONGEST_LOOK_MS else 0)
            if silent_ms >= _FORGOTTEN_AFTER_MS:
                forgotten.append((host,))
                continue
            is_gone = bool(was_gone) or silent_ms >= _GONE_AFTER_MS
            noted.append((now_ms, silent_ms, int(is_gone), host))
            counts_anew |= is_gone != bool(was_gone)
        if not (noted or forgotten or counts_anew):
            return
        with self._database.write(durable=False):
            self._database.lock("job types", [""])
            self._database.run_many(self._sql["note-silent"], noted)
            self._database.run_many(self._sql["forget-host"], forgotten)
            if forgotten or counts_anew:
                self._forget_builds()

    def _forget_builds(self) -> None:
        self._database.run(self._sql["forget-builds"])
        self._database.run(self._sql["mark-newest"])
        self._hidden.note_types()
        self._database.at_commit.ring_api()

    def get(self, name: str) -> TypeRow | None:
        """Return the newest version of a type with its others, None if no host has one."""
        return next(self._types_of(self._database.all(self._sql["get-type"], name)), None)

    def all(self) -> list[TypeRow]:
        """Return the newest version of every type with its others, by name."""
        return list(self._types_of(self._database.all(self._sql["all-types"])))

    def versions_of(self, build: str) -> dict[str, str]:
        """Return the version of each type in a build, by name."""
        return dict(self._database.all(self._sql["versions-of-build"], build))

    def _types_of(self, rows: Sequence[Row]) -> Iterator[TypeRow]:
        """Yield the type of each name. Its rows are adjacent; the last column counts the builds."""
        hidden = self._hidden.rules() if rows else NOTHING_HIDDEN
        for name, same in groupby(rows, key=lambda row: row[0]):
            found = list(same)
            is_everywhere = len(found) == found[0][-1]
            versions: dict[str, TypeRow] = {}
            for row in found:
                version = TypeRow(*row[:-1])
                versions.setdefault(version.version, version)
            newest, *others = versions.values()
            yield replace(
                newest,
                hide=" ".join(hidden.of(name).written),
                others=tuple(others),
                is_everywhere=is_everywhere,
            )


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
        found = (pair.partition(" ") for pair in awaited.split(","))
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
            (pair, queue, left)
            for pair in awaited
            for queue in (self._queues(pair) if EVERY_QUEUE in queues else set(queues))
            if (left := rooms.get(queue, FREE).left) != 0
        ]
        chunk = max(2, most // max(1, len(found)))
        streams = [islice(self._awaiting(*pair, queue, chunk), left) for pair, queue, left in found]
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
        ids = json.dumps([job_id for job_id, _, _ in jobs])
        parked = self._database.all(self._sql["await"], ids)
        return frozenset(row[0] for row in parked)

    # Inside the transaction that ends a lease

    def label(self, job_id: int, versions: str) -> None:
        """Note which versions can read a job that is pending again."""
        self._database.run(self._sql["label"], versions, job_id)

    # By others

    def continue_letting_go(self) -> bool:
        """Let go some jobs whose versions no host has any more; False: there are none.

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

    def lacks_reader(self, job_type: str, versions: str) -> bool:
        """Return whether no ready worker has one of these versions."""
        return self._database.one(self._sql["is-read"], job_type, versions) is None

    def is_newest(self, job_type: str, versions: str) -> bool:
        """Return whether the newest version of a type is one of these."""
        return self._database.one(self._sql["is-newest-read"], job_type, versions) is not None
