"""The job type verbs of the store: which types hosts have, in which versions.

What one host describes is a *build*: a set of job types, named by a digest of them. Hosts have
different builds during a deployment, or for good. A build is kept as long as a host has it, or a
worker that is still to be replaced. A host that nobody has heard of for minutes, while others go
on, does not count until it is back: so one that restarts takes nothing away. While nothing runs,
all stays as it is: only time in which the leader looks counts, whatever a clock says after it.

Two types of one name are different *versions* if their payloads have different schemas. The newest
is the one to which a host has changed last: it is shown, and its defaults count.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from orpheus.shared.process.host import own_host
from orpheus.shared.storage.database import Database, Row
from orpheus.shared.storage.type_row import TypeRow, build_of

_GONE_AFTER_MS = 5 * 60_000
"""A host that restarts, or a machine, is back within this time."""
_FORGOTTEN_AFTER_MS = 7 * 24 * 3_600_000
_NOTED_EVERY_MS = 10_000
_LONGEST_LOOK_MS = 30_000
"""If more than this is between two notes, nobody looked in between, or a clock was set."""


class Types:
    """What `python -m worker --describe` found, for programs that may not import job code."""

    def __init__(self, database: Database) -> None:
        self._database = database
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
                (build, one.version, known.get((one.name, one.code), now_ms), *one.described)
                for one in types
            ]
            self._database.run(self._sql["put-build"], host, build, self._database.clock.wall_ms())
            if not self._database.has_many_hosts:
                self._database.run(self._sql["forget-other-hosts"], host)
            self._database.run_many(self._sql["insert-type"], rows)
            self._forget_builds()
        return build

    def note_hosts(self) -> None:
        """Note which hosts are gone or back, and forget what nobody has."""
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
        self._database.at_commit.ring_api()

    def get(self, name: str) -> TypeRow | None:
        """Return the newest version of a type with its others, None if no host has one."""
        return next(_types_of(self._database.all(self._sql["get-type"], name)), None)

    def all(self) -> list[TypeRow]:
        """Return the newest version of every type with its others, by name."""
        return list(_types_of(self._database.all(self._sql["all-types"])))

    def versions_of(self, build: str) -> dict[str, str]:
        """Return the version of each type in a build, by name."""
        return dict(self._database.all(self._sql["versions-of-build"], build))


def _types_of(rows: Iterable[Row]) -> Iterator[TypeRow]:
    """Yield the type of each name, whose rows follow each other; its builds are counted last."""
    for _, same in groupby(rows, key=lambda row: row[0]):
        found = list(same)
        is_everywhere = len(found) == found[0][-1]
        versions: dict[str, TypeRow] = {}
        for row in found:
            one = TypeRow(*row[:-1])
            versions.setdefault(one.version, one)
        newest, *others = versions.values()
        yield replace(newest, others=tuple(others), is_everywhere=is_everywhere)
