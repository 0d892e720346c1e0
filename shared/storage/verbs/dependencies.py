"""Jobs that wait for other jobs.

The row of a waiting job counts the dependencies that it waits for (`waits_for`); each dependency
says whether it is one of them (`waits`). The row of a dependency has the flag `has_dependents`, so
that the end of any other job costs nothing.

The transaction that ends a job also changes its dependents. If one of these ends too, the same
transaction goes on with the dependents of that one: a cascade. A long cascade would hold the write
lock for seconds, so one transaction changes `most_at_once` dependents at most. It stores the ended
jobs that others still wait for (table `cascades`), and `continue_cascades` goes on with them, even
if this process is killed. Until then the dependents are blocked, so they do not run.

A new job that depends on another marks it, and so locks it until the commit. A transaction of an
application may stay open for long, and the worker that has leased the other could neither renew its
lease nor end it. So there, the new job is stored among the cascades itself, and `continue_cascades`
does the rest after the commit. Until then it is blocked, whatever became of the other.
"""

import json
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Dependency, Status
from orpheus.shared.storage.data import BulkAction
from orpheus.shared.storage.database import Database, Row
from orpheus.shared.storage.verbs.events import Events
from orpheus.shared.storage.verbs.keys import Keys
from orpheus.shared.storage.verbs.rows import dependency_of

_MOST_AT_ONCE = 500


class WaitingJob(NamedTuple):
    """A job that waits for another one, as `waiting-for` reads it."""

    id: int
    status: str
    on_dependency_failure: str
    queue: str
    waits_for: int
    has_dependents: int
    type: str


class Dependencies:
    """Links jobs, and unblocks, cancels or fails those that wait when a dependency ends."""

    def __init__(self, database: Database, events: Events, keys: Keys) -> None:
        self.most_at_once = _MOST_AT_ONCE
        """How many dependents one transaction unblocks, cancels or fails."""
        self._database = database
        self._events = events
        self._keys = keys
        self._sql = database.sql("dependencies.sql")
        self._jobs_sql = database.sql("jobs.sql")

    def link(
        self,
        links: Sequence[tuple[int, Sequence[int]]],
        made: Collection[int],
        named: Sequence[tuple[str, int, int]] = (),
    ) -> None:
        """Make new blocked jobs wait for what their rows name; an end before now counts at once.

        `links`: each with those that it waits for. `made`: all jobs of this insert. `named`: what
        some of the jobs call those they wait for (ref, job, the one it waits for).
        """
        job_ids = [job_id for job_id, _ in links]
        self._database.run(self._sql["insert-dependencies"], json.dumps(job_ids))
        if named:
            self._database.run_many(self._sql["name-dependency"], named)
        if self._database.commits_late:
            new = set(made)
            later = [job_id for job_id, others in links if not new.issuperset(others)]
            self._database.run_many(self._sql["begin-cascade"], [(job_id,) for job_id in later])
            job_ids = [job_id for job_id, others in links if new.issuperset(others)]
        if job_ids:
            self._wait(job_ids)

    def _wait(self, job_ids: Sequence[int]) -> None:
        """Let blocked jobs be found when the jobs that they depend on end."""
        ids = json.dumps(job_ids)
        self._database.run(self._sql["mark-dependents"], ids)
        ended = self._database.all(self._sql["ended-dependencies"], ids)
        self.ended((job_id, Status(status)) for job_id, status in ended)

    def lock_dependents(self, job_ids: Sequence[int]) -> None:
        """Lock the jobs that wait for these, which end together, in the order of their ids.

        The ends of other jobs may lock the same ones in another order.
        """
        if len(job_ids) > 1 and not self._database.one_writer:
            ids = json.dumps(sorted(job_ids))
            self._database.all(self._sql["lock-dependents"], ids, self.most_at_once)

    def ended(self, jobs: Iterable[tuple[int, Status]]) -> None:
        """Unblock, cancel or fail the jobs that wait for these, which have ended."""
        queue = deque(jobs)
        held_up: list[tuple[int, Status]] = []
        while queue and (room := self.most_at_once - self._database.at_commit.cascaded) > 0:
            job_id, status = queue.popleft()
            rows = self._database.all(self._sql["waiting-for"], job_id, room)
            waiting = [WaitingJob._make(row) for row in rows]
            self._database.at_commit.cascaded += max(1, len(waiting))
            queue.extend(self._dependency_ended(job_id, status, waiting))
            left = room - len(waiting)
            if status is Status.CANCELLED and left:
                left -= self._cancel_children(job_id, left, queue)
                if left and self._database.one(self._sql["has-child-to-cancel"], job_id):
                    held_up.append((job_id, status))  # others have locked it: upkeep goes on
            if not left:
                queue.append((job_id, status))  # there may be more
        queue.extend(held_up)
        if queue:
            self._database.run_many(self._sql["begin-cascade"], [(job_id,) for job_id, _ in queue])

    def continue_cascades(self) -> bool:
        """Run one transaction for the jobs that still wait for ended ones.

        Return False if there are none (then nothing is written), or if others have locked them all.
        """
        if self._database.one(self._sql["any-cascade"]) is None:
            return False
        with self._database.write(durable=False):
            has_linked = self._link_late()
            rows = self._database.all(self._sql["first-cascades"], self.most_at_once)
            self._database.run_many(self._sql["end-cascade"], [(row[0],) for row in rows])
            self.lock_dependents([row[0] for row in rows])
            self.ended((job_id, Status(status)) for job_id, status in rows)
        return has_linked or bool(rows)

    def _link_late(self) -> bool:
        """Link jobs that committed transactions of applications inserted; False: there are none.

        Lock the jobs that they depend on before any ended job of this transaction, in the order
        that all use. A new job that ended meanwhile stays stored: it has a cascade of its own now.
        """
        rows = self._database.all(self._sql["first-late"], self.most_at_once)
        if not rows:
            return False
        late = [row[0] for row in rows]
        self._wait(late)
        return self._database.run(self._sql["end-late"], json.dumps(late)) > 0

    # When a job is retried or deleted

    def live_again(self, job_id: int) -> None:
        """Let the blocked jobs that depend on a retried job wait for it again."""
        self._database.run(self._sql["end-cascade"], job_id)
        rows = self._database.all(self._sql["blocked-by"], job_id)
        blocked = json.dumps([row[0] for row in rows])
        self._database.run(self._sql["wait-again"], blocked)
        self._database.run(self._sql["wait-for-retried"], job_id, blocked)

    def wait_for_live(self, job_id: int) -> int:
        """Let a retried job wait for its live dependencies; return how many."""
        self._database.run(self._sql["mark-dependents"], json.dumps([job_id]))
        self._database.run(self._sql["wait-for-live"], job_id)
        return int(self._database.value(self._sql["waits-for"], job_id) or 0)

    def failed_dependency(self, job_id: int) -> tuple[int, Status] | None:
        """Return a job that must be done before this one, and that failed or was cancelled."""
        return _one(self._database.one(self._sql["failed-dependency"], job_id))

    def needed_by(self, job_id: int) -> tuple[int, Status] | None:
        """Return a job that depends on this one and may still run, at once or after a retry."""
        return _one(self._database.one(self._sql["needed-by"], job_id))

    def order_of(self, action: BulkAction, job_ids: Sequence[int]) -> list[tuple[int, int, bool]]:
        """Return (job, another to act on before it, whether it must be) for a bulk action."""
        rows = self._database.all(self._sql[_ORDER_OF[action]], json.dumps(job_ids))
        return [(job_id, before, bool(must)) for job_id, before, must in rows]

    def of(self, job_id: int) -> list[Dependency]:
        """Return the jobs that a job depends on, as they are now, by id."""
        rows = self._database.all(self._sql["dependencies-of"], job_id)
        return [dependency_of(row) for row in rows]

    def _cancel_children(self, job_id: int, room: int, ended: deque[tuple[int, Status]]) -> int:
        """Cancel live children of a cancelled function, up to `room`; return how many.

        Those that have ended are added to `ended`; those that run are asked to stop.
        """
        rows = self._database.all(self._sql["children-to-cancel"], job_id, room)
        running = [(row[0],) for row in rows if row[1] == Status.IN_PROGRESS]
        waiting = [row for row in rows if row[1] != Status.IN_PROGRESS]
        self._database.at_commit.cascaded += len(rows)
        if running:
            self._database.run_many(self._jobs_sql["request-cancel"], running)
            self._events.record_jobs(Kind.JOB_CANCEL_REQUESTED, [row[0] for row in running])
        if waiting:
            now_ms = self._database.clock.wall_ms()
            values = [(now_ms, row[0]) for row in waiting]
            self._database.run_many(self._jobs_sql["cancel-waiting"], values)
            for _, status, queue, job_type, _ in waiting:
                self._database.at_commit.count_job(queue, Status(status), Status.CANCELLED)
                self._database.at_commit.count_ended(queue, job_type, Status.CANCELLED)
            keys = [(row[2], row[4]) for row in waiting if row[4] is not None]
            if keys:
                self._keys.look_at(keys)
            self._events.record_jobs(Kind.JOB_CANCELLED, [row[0] for row in waiting])
            ended.extend((row[0], Status.CANCELLED) for row in waiting)
        return len(rows)

    # The end of a dependency

    def _dependency_ended(
        self, job_id: int, status: Status, waiting: Sequence[WaitingJob]
    ) -> list[tuple[int, Status]]:
        """Act on jobs that wait for an ended one; return those that end too and have dependents."""
        self._database.run_many(
            self._sql["stop-waiting"], [(waiter.id, job_id) for waiter in waiting]
        )
        end_of = {} if status is Status.DONE else _END_OF
        blocked = [waiter for waiter in waiting if waiter.status == Status.BLOCKED]
        self.one_less([waiter for waiter in blocked if waiter.on_dependency_failure not in end_of])
        why = f"it depended on a job: job {job_id} is {status}"
        for on_failure, ends in end_of.items():
            those = [waiter for waiter in blocked if waiter.on_dependency_failure == on_failure]
            self._end_blocked(those, ends, why)
        return [
            (waiter.id, end_of[waiter.on_dependency_failure])
            for waiter in blocked
            if waiter.on_dependency_failure in end_of and waiter.has_dependents
        ]

    def one_less(self, waiting: Sequence[WaitingJob]) -> None:
        """Let blocked jobs wait for one job or signal less; those that wait for none may run."""
        now_ms = self._database.clock.wall_ms()
        self._database.run_many(
            self._sql["dependency-done"], [(now_ms, waiter.id) for waiter in waiting]
        )
        unblocked = [waiter for waiter in waiting if waiter.waits_for == 1]
        for waiter in unblocked:
            self._database.at_commit.count_job(waiter.queue, Status.BLOCKED, Status.PENDING)
            self._database.at_commit.ring_workers(waiter.queue)
        if unblocked:
            self._events.record_jobs(
                Kind.JOB_UNBLOCKED, [waiter.id for waiter in unblocked], now_ms
            )

    def _end_blocked(self, waiting: Sequence[WaitingJob], status: Status, why: str) -> None:
        """Cancel or fail jobs whose dependency failed."""
        if not waiting:
            return
        now_ms = self._database.clock.wall_ms()
        self._database.run_many(
            self._sql["dependency-failed"],
            [(status.value, now_ms, "DependencyFailed", why, waiter.id) for waiter in waiting],
        )
        for waiter in waiting:
            self._database.at_commit.count_job(waiter.queue, Status.BLOCKED, status)
            self._database.at_commit.count_ended(waiter.queue, waiter.type, status)
        kind = Kind.JOB_CANCELLED if status is Status.CANCELLED else Kind.JOB_FAILED
        self._events.record_jobs(kind, [waiter.id for waiter in waiting], now_ms)


_ORDER_OF = {
    BulkAction.CANCEL: "order-of-cancel",
    BulkAction.RETRY: "order-of-retry",
    BulkAction.DELETE: "order-of-delete",
}
_END_OF = {"cancel": Status.CANCELLED, "fail": Status.FAILED}


def _one(row: Row | None) -> tuple[int, Status] | None:
    return None if row is None else (row[0], Status(row[1]))
