"""What the store must do, as a dictionary of jobs and the shortest code for each verb.

Time is one clock that does not jump; the backoff has no jitter.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from orpheus.shared.domain.jobs import Outcome, Status
from orpheus.shared.domain.lifecycle import LIVE, TERMINAL, Ending

TTL_MS = 10_000
BASE_MS = 1_000
LONGEST_MS = 8_000
QUARANTINE_AFTER = 2
QUARANTINE_WINDOW_MS = 600_000

_OUTCOMES = {
    Ending.SUCCEEDED: Outcome.SUCCEEDED,
    Ending.FAILED: Outcome.FAILED,
    Ending.FAILED_PERMANENTLY: Outcome.FAILED,
    Ending.TIMED_OUT: Outcome.TIMED_OUT,
    Ending.CANCELLED: Outcome.CANCELLED,
    Ending.SNOOZED: Outcome.SNOOZED,
    Ending.RELEASED: Outcome.RELEASED,
    Ending.CRASHED: Outcome.CRASHED,
    Ending.RESULT_LOST: Outcome.LOST,
    Ending.EXPIRED: Outcome.LOST,
}
_RETRIED = {Ending.FAILED, Ending.TIMED_OUT, Ending.CRASHED, Ending.EXPIRED}
_FOR_GOOD = {
    Ending.SUCCEEDED: Status.DONE,
    Ending.FAILED_PERMANENTLY: Status.FAILED,
    Ending.CANCELLED: Status.CANCELLED,
}
_END_OF = {"cancel": Status.CANCELLED, "fail": Status.FAILED}


@dataclass(slots=True)
class ModelJob:
    """A job as its user sees it, and what it has spent."""

    id: int
    queue: str
    priority: int
    run_at_ms: int
    max_retries: int
    unique_key: str | None
    concurrency_key: str | None
    depends_on: tuple[int, ...]
    on_failure: str
    type: str
    expires_ms: int | None = None
    unique_until_ms: int = 0
    status: Status = Status.PENDING
    outcomes: list[Outcome] = field(default_factory=list)
    failures: int = 0
    crashes: int = 0
    losses: int = 0
    cancel_requested: bool = False
    token: int = 0
    lease_ends_ms: int = 0
    holder: str = ""
    freed_at_ms: int | None = None


@dataclass(slots=True)
class Model:
    """Every verb that the state machine calls on the store too."""

    now_ms: int
    jobs: dict[int, ModelJob] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    max_running: dict[str, int] = field(default_factory=dict)
    max_running_per_key: dict[str, int] = field(default_factory=dict)
    crashes: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By type: when a job of it killed its worker, since one succeeded."""
    quarantined: set[str] = field(default_factory=set)

    # Reading

    def in_status(self, *statuses: Status) -> list[ModelJob]:
        return [job for job in self.jobs.values() if job.status in statuses]

    def counts(self) -> Counter[tuple[str, Status]]:
        return Counter((job.queue, job.status) for job in self.jobs.values())

    def live_holder_of(self, unique_key: str | None) -> ModelJob | None:
        held = [job for job in self.in_status(*LIVE) if job.unique_key == unique_key]
        return held[0] if unique_key is not None and held else None

    def holder_of(self, unique_key: str | None) -> ModelJob | None:
        """The live job, or the newest one if its key is still taken."""
        live = self.live_holder_of(unique_key)
        if live is not None or unique_key is None:
            return live
        jobs = [job for job in self.jobs.values() if job.unique_key == unique_key]
        newest = max(jobs, key=lambda job: job.id, default=None)
        return newest if newest and newest.unique_until_ms > self.now_ms else None

    def has_never_started(self, job: ModelJob) -> bool:
        return job.status in (Status.BLOCKED, Status.PENDING) and not job.outcomes

    def expired(self) -> list[ModelJob]:
        """Jobs that may not start any more, and that upkeep has not cancelled yet."""
        return [
            job
            for job in self.jobs.values()
            if self.has_never_started(job)
            and job.expires_ms is not None
            and job.expires_ms <= self.now_ms
        ]

    def waits_for(self, job: ModelJob) -> list[int]:
        return [one for one in job.depends_on if one in self.jobs and self.jobs[one].status in LIVE]

    # Coming in

    def add(self, jobs: Sequence[ModelJob]) -> None:
        """Jobs of one batch, with their ids; what they wait for may have ended already."""
        for job in jobs:
            self.jobs[job.id] = job
            job.status = Status.BLOCKED if job.depends_on else Status.PENDING
        for job in jobs:
            ends = [self.jobs[one].status for one in job.depends_on]
            in_vain = any(end in TERMINAL and end is not Status.DONE for end in ends)
            if job.status is not Status.BLOCKED:
                continue
            if in_vain and job.on_failure != "run":
                self._end(job, _END_OF[job.on_failure])
            elif not self.waits_for(job):
                self._unblock(job)

    def _end(self, job: ModelJob, status: Status) -> None:
        """And what it means to those that wait for it."""
        job.status = status
        for waiting in self.in_status(Status.BLOCKED):
            if job.id not in waiting.depends_on:
                continue
            if status is not Status.DONE and waiting.on_failure != "run":
                self._end(waiting, _END_OF[waiting.on_failure])
            elif not self.waits_for(waiting):
                self._unblock(waiting)

    def release(self, job_type: str, held: Sequence[int]) -> None:
        """`held`: those of its jobs that a lease has met."""
        self.quarantined.remove(job_type)
        for job in map(self.jobs.__getitem__, held):
            assert job.status is Status.PENDING and job.run_at_ms <= self.now_ms
            job.freed_at_ms = self.now_ms

    def _unblock(self, job: ModelJob) -> None:
        job.status, job.freed_at_ms = Status.PENDING, self.now_ms

    def replace(self, job: ModelJob, run_at_ms: int, expires_ms: int | None) -> None:
        if self.has_never_started(job):
            job.run_at_ms, job.expires_ms, job.freed_at_ms = run_at_ms, expires_ms, None

    def cancel_expired(self) -> None:
        expired = self.expired()
        for job in expired:
            job.status = Status.CANCELLED
        for job in expired:
            self._end(job, Status.CANCELLED)

    # Leasing

    def lease(self, queues: Sequence[str], limit: int) -> list[int]:
        """P5: the ids in order."""
        due = [
            job
            for job in self.in_status(Status.PENDING)
            if job.run_at_ms <= self.now_ms
            and ("*" in queues or job.queue in queues)
            and job.queue not in self.paused
            and job.type not in self.quarantined
        ]
        due.sort(key=lambda job: (-job.priority, job.run_at_ms, job.id))
        taken: list[ModelJob] = []
        leased = self.in_status(Status.IN_PROGRESS)
        running = Counter(job.queue for job in leased)
        of_key = Counter((job.queue, job.concurrency_key) for job in leased)
        for job in due:
            key = (job.queue, job.concurrency_key)
            most = self.max_running.get(job.queue, 0)
            most_of_key = job.concurrency_key and self.max_running_per_key.get(job.queue, 0)
            has_room = not most or running[job.queue] < most
            if len(taken) < limit and has_room and (not most_of_key or of_key[key] < most_of_key):
                running[job.queue] += 1
                of_key[key] += 1
                taken.append(job)
        expired = self.expired()
        started = [job for job in taken if job not in expired]
        for job in started:
            job.status, job.lease_ends_ms = Status.IN_PROGRESS, self.now_ms + TTL_MS
        return [job.id for job in started]

    def holds(self, job_id: int, token: int) -> bool:
        job = self.jobs.get(job_id)
        return (
            job is not None
            and job.status is Status.IN_PROGRESS
            and job.token == token
            and job.lease_ends_ms > self.now_ms
        )

    def end_lease(self, job: ModelJob, ending: Ending, snooze_ms: int = 0) -> None:
        """What follows when a lease ends, whoever ends it."""
        is_lost_again = ending is Ending.RESULT_LOST and (job.losses or not job.max_retries)
        is_retried = ending in _RETRIED or bool(is_lost_again)
        if ending in _OUTCOMES:
            job.outcomes.append(_OUTCOMES[ending])
            job.losses = job.losses + 1 if _OUTCOMES[ending] is Outcome.LOST else 0
        job.failures += is_retried or ending is Ending.FAILED_PERMANENTLY
        job.crashes += ending in (Ending.CRASHED, Ending.EXPIRED)
        if ending is Ending.CRASHED:
            self._count_crash(job.type)
        elif ending is Ending.SUCCEEDED:
            self.crashes[job.type].clear()
        if ending in _FOR_GOOD:
            self._end(job, _FOR_GOOD[ending])
        elif job.cancel_requested:
            self._end(job, Status.CANCELLED)
        elif is_retried and job.failures > job.max_retries:
            self._end(job, Status.FAILED)
        else:
            job.status = Status.PENDING
            if ending in _OUTCOMES:
                job.freed_at_ms = self.now_ms
            self._wait(job, ending, snooze_ms, is_retried=is_retried)

    def _count_crash(self, job_type: str) -> None:
        since_ms = self.now_ms - QUARANTINE_WINDOW_MS
        recent = [at_ms for at_ms in self.crashes[job_type] if at_ms > since_ms]
        self.crashes[job_type] = recent if job_type in self.quarantined else [*recent, self.now_ms]
        if len(self.crashes[job_type]) >= QUARANTINE_AFTER:
            self.quarantined.add(job_type)
            self.crashes[job_type].clear()

    def _wait(self, job: ModelJob, ending: Ending, snooze_ms: int, *, is_retried: bool) -> None:
        is_first_crash = ending in (Ending.CRASHED, Ending.EXPIRED) and job.crashes == 1
        if ending is Ending.SNOOZED:
            job.run_at_ms = self.now_ms + snooze_ms
        elif is_retried and not is_first_crash:
            job.run_at_ms = self.now_ms + min(LONGEST_MS, BASE_MS * 2 ** (job.failures - 1))

    # Operators

    def cancel(self, job: ModelJob) -> None:
        if job.status is Status.IN_PROGRESS:
            job.cancel_requested = True
        elif job.status in LIVE:
            self._end(job, Status.CANCELLED)

    def may_retry(self, job: ModelJob) -> bool:
        is_ended = job.status in (Status.FAILED, Status.CANCELLED)
        in_vain = job.on_failure != "run" and any(
            other.id in job.depends_on for other in self.in_status(Status.FAILED, Status.CANCELLED)
        )
        return is_ended and not in_vain and self.live_holder_of(job.unique_key) is None

    def retry(self, job: ModelJob) -> None:
        job.failures = job.crashes = job.losses = 0
        job.cancel_requested, job.expires_ms = False, None
        job.run_at_ms, job.freed_at_ms = self.now_ms, None
        job.status = Status.BLOCKED if self.waits_for(job) else Status.PENDING

    def run_now(self, job: ModelJob) -> None:
        job.run_at_ms = min(job.run_at_ms, self.now_ms)

    def may_delete(self, job: ModelJob) -> bool:
        undone = self.in_status(*set(Status) - {Status.DONE})
        return job.status in TERMINAL and not any(job.id in one.depends_on for one in undone)
