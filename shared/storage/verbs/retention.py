"""Deletes what is older than its rule allows: oldest first, in short transactions.

No transaction holds the write lock long: expired rows are found by reading, then a transaction
deletes as many as fit into 10 ms, hundreds of jobs by one statement. A job with a million log lines
loses them over several steps and is deleted in the last. Jobs are checked again under the write
lock: one that was retried since is kept.

A thousand jobs are read at once, from behind the thousand before. Those that are kept for others
are looked at again once a minute, from the beginning: there may be many of them.

Retention writes no events. `job.deleted` is the action of an operator; an event for each expired
job would push more useful events out of the bounded log. So the events, folded, give the jobs
table plus the expired jobs (`Maintenance.verify` allows for that).
"""

import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import Status
from orpheus.shared.storage.data import HOURS_KEPT, IDEMPOTENCY_MS, MINUTES_KEPT
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.past import HOUR_S, MINUTE_S

_STEP_MS = 10
_STEP_MS_OF_MANY = 30  # where others write meanwhile
_STEP_JOBS = 1_000
BITE = 100
"""So many rows, or pages of a file, are deleted between two looks at the clock."""
_LEAST_BITE = 100  # fewer take no less on a busy machine, where others have the processor
_MOST_BITE = 500
_QUICK_MS, _SLOW_MS = 4, 8
_BITE_BYTES = 1_000_000
"""Of payloads and results: their pages take longer than their rows."""
_MINUTE_MS = 60_000
_BEFORE_ALL = (-1, -1)


class _Rule(NamedTuple):
    """Which jobs are deleted: of a status, as a query finds them."""

    find: str
    status: Status


_DONE = _Rule("expired-jobs", Status.DONE)
_FAILED = _Rule("expired-jobs", Status.FAILED)
_CANCELLED = _Rule("expired-jobs", Status.CANCELLED)
_OWN = _Rule("expired-with-retention", Status.DONE)
"""Those that have a retention of their own."""


class _Expired(NamedTuple):
    """An expired job that no other job needs."""

    id: int
    finished_at_ms: int
    bytes: int


class _Bite:
    """How many rows one statement deletes: as many as it can in a few milliseconds."""

    def __init__(self, *, keeps_others_out: bool) -> None:
        self._least = _LEAST_BITE if keeps_others_out else _MOST_BITE
        self.rows = self._least

    def took(self, rows: int, took_ms: int) -> None:
        """Adapt to the time that it took to delete so many."""
        if took_ms > _SLOW_MS:
            self.rows = max(self._least, self.rows // 2)
        elif took_ms < _QUICK_MS and rows >= self.rows:
            self.rows = min(_MOST_BITE, 2 * self.rows)


class Retention:
    """Deletes what is older than its rule allows. The audit log is never deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._events_sql = database.sql("events.sql")
        self._oldest_seq = 0
        """All events before it are deleted."""
        self._until_ms = 0
        self.held_s = 0.0
        """For how long the last step that wrote had its transaction open."""
        self._sql = database.sql("retention.sql")
        self._keys_sql = database.sql("keys.sql")
        self._past_sql = database.sql("past.sql")
        self._timeline_sql = database.sql("timeline.sql")
        self._signals_sql = database.sql("signals.sql")
        self._found: dict[_Rule, Sequence[_Expired]] = {}
        """Expired jobs that were read and are not deleted yet."""
        self._positions: dict[_Rule, tuple[int, int]] = {}
        """The end and the id of the last that was read."""
        self._lags_ms: dict[_Rule | str, int] = {}
        """By kind, how long ago the first row that is expired should have been deleted."""
        self._began_ms: dict[_Rule, int] = {}
        """When the jobs of a rule were last read from the beginning, on the monotonic clock."""
        self._jobs_bite = _Bite(keeps_others_out=database.one_writer)
        self._events_bite = _Bite(keeps_others_out=database.one_writer)
        self._sweeps: deque[Callable[[RetentionRules], bool]] = deque(
            [
                lambda rules: self._jobs(_DONE, rules.done_s),
                lambda _: self._jobs(_OWN, 0),
                lambda rules: self._jobs(_FAILED, rules.failed_s),
                lambda rules: self._jobs(_CANCELLED, rules.cancelled_s),
                self._events,
                lambda _: self._idempotency_keys(),
                self._signals,
                lambda _: self._minutes(),
                lambda _: self._past(MINUTE_S, MINUTES_KEPT),
                lambda _: self._past(HOUR_S, HOURS_KEPT),
                lambda _: self._timeline(),
                lambda _: self._rates_of_keys(),
            ]
        )

    def step(self, rules: RetentionRules) -> bool:
        """Run one short transaction for one kind of row, the kinds in turn; False: nothing is left.

        If there is nothing to delete, nothing is written.
        """
        for _ in range(len(self._sweeps)):
            sweep = self._sweeps[0]
            self._sweeps.rotate(-1)
            if sweep(rules):
                return True
        return False

    @property
    def lag_s(self) -> float:
        """For how long the first of the jobs and events that are expired has been so, as last seen.

        0: none was expired.
        """
        return max(self._lags_ms.values(), default=0) / 1000

    # Each returns False if there was nothing to do.

    def _jobs(self, rule: _Rule, kept_s: float) -> bool:
        before_ms = self._database.clock.wall_ms() - round(kept_s * 1000)
        found = self._found.get(rule) or self._next_expired(rule, before_ms)
        self._lags_ms[rule] = before_ms - found[0].finished_at_ms if found else 0
        if not found:
            return False
        with self._short_write():
            while found and self._has_time():
                jobs = self._bite_of(found)
                if not self._delete([job.id for job in jobs], rule.status, before_ms):
                    break
                found = found[len(jobs) :]
        self._found[rule] = found
        return True

    def _next_expired(self, rule: _Rule, before_ms: int) -> Sequence[_Expired]:
        """Return the next expired jobs that no other needs; once a minute, from the first on."""
        now_ms, wall_ms = self._database.clock.monotonic_ms(), self._database.clock.wall_ms()
        began_ms = self._began_ms.setdefault(rule, now_ms)
        while True:
            position = self._positions.get(rule, _BEFORE_ALL)
            wanted = (rule.status.value, before_ms, *position, _STEP_JOBS)
            rows = self._database.all(self._sql[rule.find], wall_ms, *wanted)
            if rows:
                self._positions[rule] = (rows[-1][1], rows[-1][0])
            elif position > _BEFORE_ALL and now_ms - began_ms >= _MINUTE_MS:
                self._began_ms[rule] = began_ms = now_ms
                self._positions[rule] = _BEFORE_ALL
                continue
            found = [_Expired(*row[:-1]) for row in rows if not row[-1]]
            if found or not rows:
                return found

    def _bite_of(self, found: Sequence[_Expired]) -> Sequence[_Expired]:
        """Return the first jobs, as many as one statement deletes."""
        size = 0
        for n, job in enumerate(found[: self._jobs_bite.rows]):
            size += job.bytes
            if size > _BITE_BYTES:
                return found[: max(1, n)]
        return found[: self._jobs_bite.rows]

    def _delete(self, job_ids: Sequence[int], status: Status, before_ms: int) -> bool:
        """Delete jobs and what belongs to them; False if their logs take longer than this step.

        Those that were retried, or that another has locked, are passed over.
        """
        began_ms = self._database.clock.monotonic_ms()
        wanted = json.dumps(job_ids)
        rows = self._database.all(self._sql["lock-expired"], wanted, status.value, before_ms)
        locked = json.dumps([row[0] for row in rows])
        while self._database.run(self._sql["delete-log-lines"], locked, BITE) == BITE:
            if not self._has_time():
                return False
        queues = [row[0] for row in self._database.all(self._sql["delete-expired"], locked)]
        self._database.at_commit.count_jobs(queues, status, None)
        took_ms = self._database.clock.monotonic_ms() - began_ms
        self._jobs_bite.took(len(job_ids), took_ms)
        return True

    def _events(self, rules: RetentionRules) -> bool:
        # Without numbering events first, which `Events` does: others do, and it may take long.
        surplus = int(self._database.value(self._events_sql["last-seq"]) or 0) - rules.events
        oldest = self._database.value(self._sql["oldest-event"], self._oldest_seq)
        self._lags_ms["events"] = 0
        if oldest is None or oldest > surplus:
            return False
        too_old_since_ms = self._database.value(self._sql["event-time"], oldest + rules.events)
        if too_old_since_ms is not None:
            self._lags_ms["events"] = self._database.clock.wall_ms() - too_old_since_ms
        with self._short_write():
            while oldest <= surplus and self._has_time():
                began_ms, rows = self._database.clock.monotonic_ms(), self._events_bite.rows
                last = min(oldest + rows - 1, surplus)
                self._database.run(self._sql["delete-events"], oldest, last)
                oldest = last + 1
                self._events_bite.took(rows, self._database.clock.monotonic_ms() - began_ms)
        self._oldest_seq = oldest
        return True

    def _idempotency_keys(self) -> bool:
        before_ms = self._database.clock.wall_ms() - IDEMPOTENCY_MS
        if self._database.one(self._sql["expired-key"], before_ms) is None:
            return False
        with self._short_write():
            while self._database.run(self._sql["delete-keys"], before_ms, BITE) == BITE:
                if not self._has_time():
                    break
        return True

    def _signals(self, rules: RetentionRules) -> bool:
        before_ms = self._database.clock.wall_ms() - round(rules.signals_s * 1000)
        if self._database.one(self._signals_sql["expired"], before_ms) is None:
            return False
        with self._short_write():
            delete = self._signals_sql["delete-expired"]
            while (deleted := self._database.run(delete, before_ms, BITE)) == BITE:
                if not self._has_time():
                    break
        return deleted > 0

    def _minutes(self) -> bool:
        first_kept = self._database.clock.wall_ms() // _MINUTE_MS - MINUTES_KEPT
        row = self._database.one(self._sql["oldest-minute"])
        if row is None or row[0] is None or row[0] >= first_kept:
            return False
        with self._short_write():
            self._database.run(self._sql["delete-minutes"], min(row[0] + BITE, first_kept) - 1)
        return True

    def _past(self, step_s: int, kept: int) -> bool:
        first_kept_s = self._database.clock.wall_ms() // 1000 - kept * step_s
        oldest_s = self._database.value(self._past_sql["oldest-figures"], step_s)
        if oldest_s is None or oldest_s >= first_kept_s:
            return False
        with self._short_write():
            before_s = min(oldest_s + BITE * step_s, first_kept_s)
            self._database.run(self._past_sql["delete-figures"], step_s, before_s)
        return True

    def _timeline(self) -> bool:
        now_ms = self._database.clock.wall_ms()
        if self._database.one(self._timeline_sql["any-outlived"], now_ms) is None:
            return False
        with self._short_write():
            self._database.run(self._timeline_sql["delete-outlived"], now_ms, BITE)
        return True

    def _rates_of_keys(self) -> bool:
        now = (self._database.clock.boot_id, self._database.clock.monotonic_ms())
        found = self._database.all(self._keys_sql["full"], *now, BITE)
        if found:
            with self._short_write():
                rows = [(*key, *now) for key in found]
                self._database.run_many(self._keys_sql["delete-rate"], rows)
        return bool(found)

    @contextlib.contextmanager
    def _short_write(self) -> Iterator[None]:
        with self._database.write(durable=False):
            began_s = time.monotonic()
            step_ms = _STEP_MS if self._database.one_writer else _STEP_MS_OF_MANY
            self._until_ms = self._database.clock.monotonic_ms() + step_ms
            yield
        self.held_s = time.monotonic() - began_s

    def _has_time(self) -> bool:
        return self._database.clock.monotonic_ms() < self._until_ms
