"""Quarantines: job types that are held back as a whole, as their jobs kill their workers.

A crash is noted in the transaction that ends the lease, whoever does that. If there are as many as
allowed within ten minutes, without a success of that type between, the type is quarantined in the
same transaction. The kept count of attempts that succeeded tells whether there was a success, so a
success costs nothing.

A lease reads which types are quarantined in the statement that reads the jobs. It parks the jobs of
such a type that it meets, as it does those of a full key (shared/storage/verbs/keys.py), so each is
met once. After the release they are let go, some in a transaction; upkeep does the rest.

On PostgreSQL, whoever parks such jobs or releases a type holds one lock. Otherwise a job could be
parked after the last look at the jobs of a type that is released, and stay so. It is the last lock
that a transaction takes, after those of the limits and of jobs.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.quarantine import LONGEST_EVIDENCE, WINDOW_MS, Crash, Quarantine
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.shared.storage.database import Database, read_back
from orpheus.shared.storage.verbs.events import Events

_MOST_AT_ONCE = 250
_NEW_CODE = "new job code"


class Quarantines:
    """Counts crashes, quarantines job types and releases them."""

    def __init__(self, database: Database, events: Events, after: int) -> None:
        """`after`: how many crashes quarantine a type; 0: no type is quarantined."""
        self.after = after
        self.most_at_once = _MOST_AT_ONCE
        """How many jobs one transaction lets go."""
        self._database = database
        self._events = events
        self._sql = database.sql("quarantines.sql")

    # Counting

    def note_crash(self, job_type: str, job_id: int, token: int, evidence: str) -> None:
        """Count a crash against a type, after its attempt was recorded.

        The transaction holds the lock of the limits, so no two count at once.
        """
        if not self.after or self._database.one(self._sql["is-quarantined"], job_type):
            return
        clock = self._database.clock
        self._database.flush_counts()
        successes = int(self._database.value(self._sql["successes"], job_type))
        mono_ms = clock.monotonic_ms()
        since = (successes, clock.boot_id, mono_ms - WINDOW_MS)
        self._database.run(self._sql["forget-crashes"], job_type, *since)
        now = (mono_ms, clock.boot_id, evidence[:LONGEST_EVIDENCE], successes)
        self._database.run(self._sql["note-crash"], job_type, *now, job_id, token)
        crashes = [Crash(*row) for row in self._database.all(self._sql["crashes"], job_type)]
        if len(crashes) >= self.after:
            self._quarantine(job_type, crashes)

    def _quarantine(self, job_type: str, crashes: Sequence[Crash]) -> None:
        lock_quarantines(self._database)
        now_ms = self._database.clock.wall_ms()
        evidence = json.dumps([msgspec.to_builtins(crash) for crash in crashes])
        self._database.run(self._sql["quarantine"], job_type, now_ms, evidence)
        self._database.run(self._sql["forget-all-crashes"], job_type)
        self._events.record(Kind.TYPE_QUARANTINED, _body(job_type, crashes))

    # Reading

    def all(self) -> list[Quarantine]:
        """Return the quarantined types, by name."""
        rows = self._database.all(self._sql["all"])
        return [_quarantine_of(*row) for row in rows]

    def of(self, job_type: str) -> Quarantine | None:
        """Return what holds jobs of a type back, also after a release until all jobs are let go."""
        row = self._database.one(self._sql["of-type"], job_type)
        return None if row is None else _quarantine_of(*row)

    # Releasing

    def release(self, job_type: str) -> Quarantine:
        """Let the jobs of a type run again, counting anew; return what held them back.

        Raises NotFound for a type that does not exist, TransitionRefused if it is not quarantined.
        """
        with self._database.write(durable=True):
            lock_quarantines(self._database)
            quarantine = self.of(job_type)
            if quarantine is None or quarantine.is_released:
                known = self._database.one(
                    self._database.sql("job_types.sql")["get-type"], job_type
                )
                if known is None and quarantine is None:
                    raise NotFound(f"there is no job type {job_type}")
                raise TransitionRefused(f"job type {job_type} is not quarantined")
            self._release(job_type, {})
            return quarantine

    def changed(self) -> dict[str, int]:
        """Return the quarantined types that have other code now, and since when: see `Types`."""
        return dict(self._database.all(self._sql["changed-code"]))

    def release_changed(self, job_type: str) -> None:
        """Release a type because it has other code now, if it still has."""
        with self._database.write(durable=True):
            lock_quarantines(self._database)
            if job_type in self.changed():
                self._release(job_type, {"by": _NEW_CODE})

    def _release(self, job_type: str, body: Mapping[str, Any]) -> None:
        now_ms = self._database.clock.wall_ms()
        self._database.run(self._sql["release"], job_type, now_ms)
        self._events.record(Kind.TYPE_RELEASED, {"name": job_type, **body})
        self._let_go(job_type)

    def continue_releases(self) -> bool:
        """Let go some jobs of released types; False: there are none, and nothing is written."""
        if self._database.one(self._sql["any-released"]) is None:
            return False
        with self._database.write(durable=False):
            lock_quarantines(self._database)
            row = self._database.one(self._sql["any-released"])
            if row is not None:
                self._let_go(row[0])
        return True

    def _let_go(self, job_type: str) -> None:
        now_ms = self._database.clock.wall_ms()
        rows = self._database.all(self._sql["held-jobs"], job_type, self.most_at_once)
        self._database.run_many(self._sql["let-go"], [(now_ms, row[0]) for row in rows])
        freed = [row[0] for row in rows]
        self._database.at_commit.unparked.extend(freed)
        if freed:
            # An event for each job: its last event tells since when it waits for a worker.
            self._events.record_jobs(Kind.JOB_UNBLOCKED, freed, now_ms)
        if len(rows) < self.most_at_once:
            self._database.run(self._sql["end-quarantine"], job_type)


def lock_quarantines(database: Database) -> None:
    """Keep others from holding jobs back, quarantining or releasing until this transaction ends."""
    database.lock("quarantines", [""])


def _quarantine_of(
    job_type: str, since_ms: int, crashes: str, released_ms: int | None = None
) -> Quarantine:
    found = read_back(_crashes_of, crashes)
    return Quarantine(job_type, since_ms, found, is_released=released_ms is not None)


def _crashes_of(text: str) -> list[Crash]:
    return [Crash(**crash) for crash in json.loads(text)]


def _body(job_type: str, crashes: Sequence[Crash]) -> Mapping[str, Any]:
    """Return what the event tells. Each crash is an attempt, which has its time."""
    named = ("job", "attempt", "worker", "evidence")
    told = [{name: getattr(crash, name) for name in named} for crash in crashes]
    return {"name": job_type, "crashes": told}
