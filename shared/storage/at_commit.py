"""What one transaction gathers for its commit: kept counts to write, doorbells to ring.

The counts are written just before the commit, in one statement for the whole transaction. The
bells are rung just after it, so that no process wakes before there is something to see.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from orpheus.shared.domain.jobs import Outcome, Status
from orpheus.shared.domain.serving import EVERY_QUEUE
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.storage.totals import ENDED, RETRIED, MeasuredAttempt, TotalOfMinute, rows_of

_MINUTE_MS = 60_000

_Rows = list[tuple[str | int, ...]]
_Ended = tuple[str, str, Status]
"""The queue and the type of jobs, and the terminal status that they have now."""
_JobCounts = Counter[tuple[str, Status]]


class AtCommit(msgspec.Struct):
    """What the verbs of a transaction gathered; a savepoint copies it, to restore it if undone."""

    changes: _JobCounts = msgspec.field(default_factory=Counter)
    """By queue and status: how many more jobs there are."""
    ended: Counter[_Ended] = msgspec.field(default_factory=Counter)
    """How many jobs ended."""
    ran_ms: Counter[_Ended] = msgspec.field(default_factory=Counter)
    """How long the done jobs among them ran."""
    attempts: list[MeasuredAttempt] = msgspec.field(default_factory=list)
    """Each attempt that ended."""
    retried: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    """By queue and type: how many attempts failed, or were lost, and another follows."""
    folded: list[TotalOfMinute] = msgspec.field(default_factory=list)
    """What the totals of all minutes that are in the history get."""
    queues_with_work: set[str] = msgspec.field(default_factory=set)
    queues_with_room: set[str] = msgspec.field(default_factory=set)
    """Those in which a running job ended."""
    unparked: list[int] = msgspec.field(default_factory=list)
    """Jobs that were unparked: they may be leased now."""
    cascaded: int = 0
    """How many jobs were looked at because a job that they depend on ended."""
    has_news: bool = False
    has_request: bool = False

    def copy(self) -> "AtCommit":
        """Return an independent copy."""
        return AtCommit(
            self.changes.copy(),
            self.ended.copy(),
            self.ran_ms.copy(),
            self.attempts.copy(),
            self.retried.copy(),
            self.folded.copy(),
            self.queues_with_work.copy(),
            self.queues_with_room.copy(),
            self.unparked.copy(),
            self.cascaded,
            self.has_news,
            self.has_request,
        )

    def count_job(self, queue: str, leaves: Status | None, enters: Status | None) -> None:
        """Note that a job of `queue` changed its status. None: it did not exist, or is deleted.

        For a job that has ended, call `count_ended` as well.
        """
        if leaves is enters:
            return
        if leaves is not None:
            self.changes[queue, leaves] -= 1
        if leaves is Status.IN_PROGRESS:
            self.queues_with_room.add(queue)
        if enters is not None:
            self.changes[queue, enters] += 1

    def count_jobs(
        self, queues: Iterable[str], leaves: Status | None, enters: Status | None
    ) -> None:
        """Note that a job of each of `queues` changed its status. None: see `count_job`."""
        for queue, n in Counter(queues).items():
            if leaves is not None:
                self.changes[queue, leaves] -= n
            if enters is not None:
                self.changes[queue, enters] += n
            if leaves is Status.IN_PROGRESS:
                self.queues_with_room.add(queue)

    def count_ended(self, queue: str, job_type: str, status: Status, ran_ms: int = 0) -> None:
        """Note that a job has ended with a terminal status; `ran_ms`: if it is done."""
        self.ended[queue, job_type, status] += 1
        self.ran_ms[queue, job_type, status] += max(0, ran_ms)

    def count_retried(self, queue: str, job_type: str) -> None:
        """Note that a job will have another attempt after one that failed or was lost."""
        self.retried[queue, job_type] += 1

    def count_attempt(
        self,
        queue: str,
        job_type: str,
        outcome: Outcome,
        times_ms: tuple[int, int, int],
        cpu_s: float | None,
        rss_bytes: int | None,
    ) -> None:
        """Note that an attempt ended: since when it waited, its start and end, and what it cost.

        The times are on the wall clock, which may jump back.
        """
        waits_since_ms, started_ms, ended_ms = times_ms
        waited_ms, ran_ms = max(0, started_ms - waits_since_ms), max(0, ended_ms - started_ms)
        cpu_us = None if cpu_s is None else round(cpu_s * 1_000_000)
        self.attempts.append(
            MeasuredAttempt(queue, job_type, outcome, waited_ms, ran_ms, cpu_us, rss_bytes)
        )

    def ring_workers(self, queue: str) -> None:
        """Ring the pools that serve `queue`: it has a job to run."""
        self.queues_with_work.add(queue)

    def ring_every_pool(self) -> None:
        """Ring every pool: the limits have changed."""
        self.queues_with_work.add(EVERY_QUEUE)

    def ring_api(self) -> None:
        """Ring the API: there is an event, a log line or progress."""
        self.has_news = True

    def ring_supervisor(self) -> None:
        """Ring the supervisor: an operator requests something of it."""
        self.has_request = True

    def take_counts(self, now_ms: int) -> list[tuple[str, _Rows]]:
        """Return (query of counts.sql, its rows) for the gathered counts, and forget them."""
        minute = now_ms // _MINUTE_MS  # of the commit: a job may have ended a moment before it
        totals = [
            *rows_of(self.attempts),
            *(
                (queue, job_type, ENDED, status, 0, n, self.ran_ms[queue, job_type, status], 0)
                for (queue, job_type, status), n in self.ended.items()
            ),
            *((*key, RETRIED, "", 0, n, 0, 0) for key, n in self.retried.items()),
        ]
        rows: list[tuple[str, _Rows]] = [
            ("change-count", [(*key, n) for key, n in self.changes.items() if n]),
            ("add-type-total", [*((minute, *row) for row in totals), *self.folded]),
        ]
        self.changes.clear()
        self.ended.clear()
        self.ran_ms.clear()
        self.attempts.clear()
        self.retried.clear()
        self.folded.clear()
        return [(name, values) for name, values in rows if values]

    def ring(self, bells: Doorbells) -> None:
        """Ring the bells that were noted."""
        if self.queues_with_work:
            bells.ring_pools_of(self.queues_with_work)
        if self.has_news:
            bells.ring_api()
        if self.has_request:
            bells.ring_supervisor()
