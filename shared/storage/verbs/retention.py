"""Deletes what is older than its rule allows: oldest first, in short transactions.

No transaction holds the write lock long: expired rows are found by reading, then a transaction
deletes as many as fit into 10 ms. A job with a million log lines loses them over several steps and
is deleted in the last. It is checked again under the write lock: a job retried since is kept.

Retention writes no events. `job.deleted` is the action of an operator; an event for each expired
job would push more useful events out of the bounded log. So the events, folded, give the jobs
table plus the expired jobs (`Maintenance.verify` allows for that).
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.retention import RetentionRules
from orpheus.shared.storage.data import IDEMPOTENCY_MS, MINUTES_KEPT
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.events import Events

_STEP_MS = 10
_STEP_JOBS = 1_000
BITE = 100
"""So many rows, or pages of a file, are deleted between two looks at the clock."""
_MINUTE_MS = 60_000
_BEFORE_ALL = (-1, -1)


class Retention:
    """Deletes what is older than its rule allows. The audit log is never deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._events_log = Events(database)
        self._until_ms = 0
        self._sql = database.sql("retention.sql")
        self._keys_sql = database.sql("keys.sql")
        self._positions: dict[Status, tuple[int, int]] = {}
        self._deleted: set[Status] = set()
        """Statuses of which this pass deleted a job; if none, the next would find the same jobs."""
        self._sweeps: deque[Callable[[RetentionRules], bool]] = deque(
            [
                lambda rules: self._jobs(Status.DONE, rules.done_s),
                lambda rules: self._jobs(Status.FAILED, rules.failed_s),
                lambda rules: self._jobs(Status.CANCELLED, rules.cancelled_s),
                self._events,
                lambda _: self._idempotency_keys(),
                lambda _: self._minutes(),
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

    # Each returns False if there was nothing to do.

    def _jobs(self, status: Status, kept_s: float) -> bool:
        before_ms = self._database.clock.wall_ms() - round(kept_s * 1000)
        position = self._positions.get(status, _BEFORE_ALL)
        found = self._database.all(
            self._sql["expired-jobs"], status.value, before_ms, *position, _STEP_JOBS
        )
        if not found:  # the next pass looks again at those that were kept for others
            self._positions[status] = _BEFORE_ALL
            is_worth_it = status in self._deleted
            self._deleted.discard(status)
            return is_worth_it and self._jobs(status, kept_s)
        with self._short_write():
            for job_id, finished_at_ms in found:
                if not (self._has_time() and self._job(job_id, status, before_ms)):
                    break
                self._positions[status] = (finished_at_ms, job_id)
        return True

    def _job(self, job_id: int, status: Status, before_ms: int) -> bool:
        """Delete a job and what belongs to it; False if its log takes longer than this step.

        One that was retried, or that another has locked, is passed over.
        """
        if self._database.one(self._sql["lock-expired"], job_id, status.value, before_ms) is None:
            return True
        while self._database.run(self._sql["delete-log-lines"], job_id, BITE) == BITE:
            if not self._has_time():
                return False
        for (queue,) in self._database.all(self._sql["delete-expired"], job_id):
            self._database.at_commit.count_job(queue, status, None)
            self._deleted.add(status)
        return True

    def _events(self, rules: RetentionRules) -> bool:
        surplus = self._events_log.last_seq() - rules.events
        oldest = self._events_log.oldest_seq()
        if oldest > surplus:
            return False
        with self._short_write():
            while oldest <= surplus and self._has_time():
                oldest += BITE
                self._database.run(self._sql["delete-events"], min(oldest - 1, surplus))
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

    def _minutes(self) -> bool:
        first_kept = self._database.clock.wall_ms() // _MINUTE_MS - MINUTES_KEPT
        row = self._database.one(self._sql["oldest-minute"])
        if row is None or row[0] is None or row[0] >= first_kept:
            return False
        with self._short_write():
            self._database.run(self._sql["delete-minutes"], min(row[0] + BITE, first_kept) - 1)
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
            self._until_ms = self._database.clock.monotonic_ms() + _STEP_MS
            yield

    def _has_time(self) -> bool:
        return self._database.clock.monotonic_ms() < self._until_ms
