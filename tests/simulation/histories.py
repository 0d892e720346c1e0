"""The three histories that a schedule keeps, each without the help of the others.

The client's log: what was asked for, and what was answered. The effect log: what workers' code
did, and the leases that workers were given, timed by the engine's clock. The events table, folded
into what the jobs must be; each event is checked as it is folded.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orpheus.shared.domain.jobs import Lease, NewJob
from orpheus.shared.domain.lifecycle import Finished, RunTimes
from orpheus.shared.domain.rates import Rate
from tests.simulation.buckets import Bucket, OfBucket
from tests.simulation.engine import Violation
from tests.simulation.world import BACKOFF, SimulatedClock

LIVE = frozenset({"blocked", "pending", "in_progress"})
TERMINAL = frozenset({"done", "failed", "cancelled"})


def is_function(job_type: str) -> bool:
    """Whether a job of the simulation keeps steps, from which its retries count anew."""
    return job_type.endswith("function")


def check(holds: object, invariant: str, *detail: object) -> None:
    """Raise Violation unless it holds."""
    if not holds:
        raise Violation(f"{invariant}: {', '.join(map(repr, detail))}")


# What clients asked for


@dataclass(slots=True)
class Request:
    """Jobs that a client asked for. `state`: sent, undecided, answered, refused."""

    number: int
    jobs: tuple[NewJob, ...]
    key: str | None = None
    state: str = "sent"
    ids: tuple[int, ...] = ()


@dataclass(slots=True)
class ClientLog:
    """Every request; `deleted`: ids of jobs that a client may have deleted."""

    requests: list[Request] = field(default_factory=list)
    deleted: set[int] = field(default_factory=set)

    def known_ids(self) -> list[int]:
        """Jobs that clients have been told of."""
        return [job_id for request in self.requests for job_id in request.ids]


# What workers did


@dataclass(slots=True)
class Run:
    """The code of one attempt. `has_ended`: it returned, whatever became of the report."""

    job_id: int
    token: int
    incarnation: str
    key: tuple[str, str | None]
    """Its queue and its concurrency key."""
    began_ms: int
    ended_ms: int = 0
    has_ended: bool = False
    has_effect: bool = False
    was_killed: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease as the engine's clock times it."""

    job_id: int
    boot_id: str
    expires_mono_ms: int


@dataclass(slots=True)
class EffectLog:
    """Every run of a job's code and every lease given, by token."""

    clock: SimulatedClock
    most_of_a_key: dict[str, int] = field(default_factory=dict)
    """By queue: how many jobs of a key may ever run at once."""
    runs: dict[int, Run] = field(default_factory=dict)
    grants: dict[int, Grant] = field(default_factory=dict)

    def granted(self, leases: Iterable[Lease], ttl_ms: int) -> None:
        """Leases that are committed: a token that is rolled back is given again."""
        for lease in leases:
            self.renewed(lease.job_id, lease.token, ttl_ms)

    def renewed(self, job_id: int, token: int, ttl_ms: int) -> None:
        expires = self.clock.monotonic_ms() + ttl_ms
        self.grants[token] = Grant(job_id, self.clock.boot_id, expires)

    def is_valid(self, token: int) -> bool:
        """Whether the time of a lease is not over, by the engine's clock."""
        grant = self.grants.get(token)
        return (
            grant is not None
            and grant.boot_id == self.clock.boot_id
            and grant.expires_mono_ms > self.clock.monotonic_ms()
        )

    def entered(self, lease: Lease, incarnation: str) -> Run:
        """A job's code begins. I3: no other attempt of it runs with a valid lease."""
        others = [
            run
            for run in self.runs.values()
            if run.job_id == lease.job_id
            and not (run.has_ended or run.was_killed)
            and self.is_valid(run.token)
        ]
        check(not others, "I3 two live attempts of a job", lease.job_id, others)
        key = (lease.queue, lease.concurrency_key)
        run = Run(lease.job_id, lease.token, incarnation, key, self.clock.now_ms)
        self.runs[lease.token] = run
        self._check_key(run)
        return run

    def _check_key(self, new: Run) -> None:
        queue, key = new.key
        if key is None or queue not in self.most_of_a_key:
            return
        running = [
            run.job_id
            for run in self.runs.values()
            if run.key == new.key
            and not (run.has_ended or run.was_killed)
            and self.is_valid(run.token)
        ]
        at_most = len(running) <= self.most_of_a_key[queue]
        check(at_most, "too many jobs of a key run at once", new.key, running)

    def ended(self, run: Run) -> None:
        """A job's code has returned."""
        run.has_ended, run.ended_ms = True, self.clock.now_ms

    def told(self, finished: Finished) -> Finished:
        """Return it with how long ago the code began and returned, as a worker reports it."""
        run, now_ms = self.runs[finished.lease.token], self.clock.now_ms
        return finished._replace(run=RunTimes(now_ms - run.began_ms, now_ms - run.ended_ms))

    def killed(self, incarnation: str) -> None:
        for run in self.runs.values():
            if run.incarnation == incarnation and not run.has_ended:
                run.was_killed = True


# What the events tell

_ENTERS = {  # kind -> the statuses after it
    "job.enqueued": {"blocked", "pending"},
    "job.started": {"in_progress"},
    "job.retrying": {"pending"},
    "job.snoozed": {"pending", "blocked"},
    "job.released": {"pending"},
    "job.reclaimed": {"pending"},
    "job.done": {"done"},
    "job.failed": {"failed"},
    "job.cancelled": {"cancelled"},
    "job.unblocked": {"pending"},
    "job.cancel_requested": {"in_progress"},
    "job.requeued": {"blocked", "pending"},
    "job.deleted": TERMINAL,
}
_LEAVES = {  # kind -> the statuses before it, if not in_progress; "": there was no job
    "job.enqueued": {""},
    "job.started": {"pending"},
    "job.failed": {"in_progress", "blocked"},
    "job.cancelled": LIVE,
    "job.unblocked": {"blocked", "pending"},  # held back, as its type was quarantined
    "job.requeued": {"failed", "cancelled", "pending", "blocked"},
    "job.deleted": TERMINAL,
}
WHOLE_PAYLOAD = (
    "CASE WHEN jobs.payload <> '' THEN jobs.payload "
    "ELSE (SELECT payload FROM large_payloads WHERE job_id = jobs.id) END"
)
_SPENDS = {"WorkerCrashed", "HardTimeout", "LeaseExpired"}
_IS_CRASH = {"WorkerCrashed", "LeaseExpired"}
LOST = {"LeaseExpired", "ResultLost", "Rebooted"}
PERMANENT = "PermanentError"
RETRY_ON = "RetriedOn"
"""The type of an error with a wait of its own, which is its message (ms)."""
TOGETHER = "this job and others"
"""In the error of a crash of which nobody knows which job is to blame."""


@dataclass(slots=True)
class FoldedJob:
    """A job as its events tell it."""

    body: dict[str, Any]
    numbered: int = 0
    """Attempts that have kept their number."""
    spent: int = 0
    crashes: int = 0
    losses: int = 0
    """Attempts lost in a row."""
    first_attempt: int = 1
    """Of this life: an operator's retry begins another."""
    retried: int = 0
    """How often by an operator."""
    due_ms: int | None = None
    """The wall time it waits for; None: for none."""
    waits_since_seq: int = 0

    @property
    def status(self) -> str:
        return str(self.body["status"])


@dataclass(slots=True)
class Fold:
    """The events, folded from zero."""

    clock: SimulatedClock
    ended_ms: Mapping[tuple[int, int], int] | None = None
    """When attempts ended, by job and number. An event is timed later than that was decided, as the
    transaction may wait in between. None: a simulated clock stands still meanwhile."""
    clock_error_ms: int = 0
    """How much two readings of the clock at the same moment may differ: each host estimates the
    database's clock from an answer that was on its way for some time."""
    rates: dict[str, Rate] = field(default_factory=dict)
    rates_of_keys: dict[str, Rate] = field(default_factory=dict)
    most_of_a_key: dict[str, int] = field(default_factory=dict)
    """The limits in force, by queue."""
    buckets: dict[OfBucket, Bucket] = field(default_factory=dict)
    jobs: dict[int, FoldedJob] = field(default_factory=dict)
    holders: dict[str, int] = field(default_factory=dict)
    """Unique key -> the live job that holds it."""
    last_seq: int = 0
    has_one_writer: bool = True
    """Else a lease that began before a pause may be committed after it."""
    paused: dict[str, int] = field(default_factory=dict)
    """Queue -> when it was paused."""
    quarantined: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)  # at any time
    outlived: set[int] = field(default_factory=set)
    """Jobs that were deleted as their retention was over."""
    ticks: list[tuple[str, int, int]] = field(default_factory=list)
    """Schedule, tick, seq of the event."""
    wall_peaks: list[tuple[int, int]] = field(default_factory=list)
    """The last event before the wall clock was set back, and the time it was."""

    def take(self, seq: int, at_ms: int, kind: str, job_id: int | None, text: str) -> None:
        """One event."""
        check(seq == self.last_seq + 1, "I11 a gap between events", self.last_seq, seq)
        self.last_seq = seq
        body = json.loads(text)
        if job_id is not None:
            self._take_job(at_ms, kind, job_id, body)
        elif kind == "queue.paused":
            self.paused[body["name"]] = at_ms
        elif kind == "queue.resumed":
            self.paused.pop(body["name"], None)
        elif kind == "type.quarantined":
            check(body["name"] not in self.quarantined, "quarantined twice", body)
            self.quarantined.add(body["name"])
        elif kind == "type.released":
            self.quarantined.remove(body["name"])
            self.released.add(body["name"])
        elif kind == "config.reloaded" and "max_running_per_key" in body:
            self.most_of_a_key = {k: v for k, v in body["max_running_per_key"].items() if v}
        elif kind == "schedule.fired":
            self.ticks.append((body["name"], body["tick_ms"], seq))

    def _take_job(self, at_ms: int, kind: str, job_id: int, body: dict[str, Any]) -> None:
        job = self.jobs.get(job_id)
        before, after = "" if job is None else job.status, body["status"]
        may_move = before in _LEAVES.get(kind, {"in_progress"}) and after in _ENTERS[kind]
        may_move &= kind != "job.requeued" or before in {*TERMINAL, after}
        check(may_move, "I12 no such transition", job_id, kind, before, after)
        if job is None:
            job = self.jobs[job_id] = FoldedJob(body)
        self._check_key(job_id, body)
        self._attempt(kind, job, body)
        if kind == "job.started":
            self._start(at_ms, job_id, job, body)
        self._wait(at_ms, kind, job, body)
        if kind in ("job.unblocked", "job.requeued") and body["status"] == "pending":
            waits_for = [one for one in body["depends_on"] if self._is_live(one)]
            may_wait = before == "pending" or (is_function(body["type"]) and body["attempt"] > 0)
            check(may_wait or not waits_for, "unblocked too early", job_id, waits_for)
            was_held = kind == "job.unblocked" and before == "pending"
            check(not was_held or body["type"] in self.released, "let go too early", job_id)
        elif kind == "job.deleted":
            del self.jobs[job_id]
        job.body = body

    def _is_live(self, job_id: int) -> bool:
        return job_id in self.jobs and self.jobs[job_id].status in LIVE

    def _check_key(self, job_id: int, body: dict[str, Any]) -> None:
        key = body["unique_key"]
        if key is None:
            return
        if body["status"] in LIVE:
            holder = self.holders.setdefault(key, job_id)
            check(holder == job_id, "two live jobs with one unique key", key, holder, job_id)
        elif self.holders.get(key) == job_id:
            del self.holders[key]

    def _attempt(self, kind: str, job: FoldedJob, body: dict[str, Any]) -> None:
        """I4 numbers 1, 2, 3…; I7 no more than max_retries + 1 that spend a retry."""
        before, number = job.status, body["attempt"]
        if kind == "job.started":
            check(number == job.numbered + 1, "I4 an attempt's number", body, job.numbered)
            return
        if before == "in_progress" and kind in ("job.released", "job.cancelled"):
            check(number - job.numbered in (0, 1), "I4 an attempt's number", body, job.numbered)
            job.losses = job.losses if number == job.numbered else 0
            if number == job.numbered:
                for bucket in self._buckets_of(body).values():
                    bucket.refund()
            job.numbered = number
        elif before == "in_progress" and kind != "job.cancel_requested":
            check(number == job.numbered + 1, "I4 an attempt's number", body, job.numbered)
            job.numbered = number
            self._spend(kind, job, body)
        elif kind == "job.requeued" and before in TERMINAL:
            job.spent, job.crashes, job.losses, job.first_attempt = 0, 0, 0, number + 1
            job.retried += 1

    def _spend(self, kind: str, job: FoldedJob, body: dict[str, Any]) -> None:
        error = (body["error"] or {}).get("type")
        message = (body["error"] or {}).get("message", "")
        is_free = kind == "job.reclaimed" and not job.crashes and TOGETHER in message
        spends = (
            kind == "job.retrying"
            or kind == "job.failed"
            or (
                kind == "job.reclaimed"
                and ((error in _SPENDS and not is_free) or (error in LOST and job.losses > 0))
            )
        )
        is_lost = kind in ("job.reclaimed", "job.failed") and error in LOST
        job.losses = job.losses + 1 if is_lost else 0
        job.spent += spends
        job.crashes += is_free or (spends and error in _IS_CRASH)
        if is_function(body["type"]):
            return  # no event tells of a kept step: see retries_are_counted
        limit = body["max_retries"] + 1
        if body["status"] == "pending" and spends:
            check(job.spent < limit, "I7 retried past its limit", body, job.spent)
        elif kind == "job.failed" and error != PERMANENT:
            check(job.spent == limit, "I7 failed, but not at its limit", body, job.spent)

    def _wait(self, at_ms: int, kind: str, job: FoldedJob, body: dict[str, Any]) -> None:
        """What a pending job waits for; I8 a backoff is not shorter than its lower bound."""
        if kind == "job.enqueued":
            is_delayed = body["run_at_ms"] > body["created_at_ms"]
            self._waits_until(job, body["run_at_ms"] if is_delayed else None)
        elif is_function(body["type"]) and kind == "job.requeued":
            self._waits_until(job, body["run_at_ms"] if body["run_at_ms"] > at_ms else None)
        elif is_function(body["type"]) and kind == "job.reclaimed":
            self._waits_until(job, at_ms)  # no event tells which of its retries this is
        elif kind == "job.requeued" and body["run_at_ms"] > at_ms:
            self._waits_until(job, body["run_at_ms"])  # replaced
        elif kind in ("job.started", "job.requeued"):
            self._waits_until(job, None)
        elif kind == "job.snoozed":
            self._waits_until(job, None if body["status"] == "blocked" else body["run_at_ms"])
        elif kind == "job.retrying" and body["error"]["type"] == RETRY_ON:
            waits_ms, asked_ms = body["run_at_ms"] - at_ms, int(body["error"]["message"])
            check(waits_ms == asked_ms, "I33 not the wait of its error", body, waits_ms)
            self._waits_until(job, body["run_at_ms"])
        elif kind in ("job.retrying", "job.reclaimed"):
            error = body["error"]["type"]
            is_first_crash = error in _IS_CRASH and job.crashes == 1
            spends = error in _SPENDS or job.losses > 1
            if kind == "job.retrying" or (spends and not is_first_crash):
                spent = 1 if is_function(body["type"]) else job.spent
                steps = BACKOFF.base_s * BACKOFF.factor ** (spent - 1)
                shortest = min(BACKOFF.max_s, steps) * (1 - BACKOFF.jitter) * 1000
                if self.ended_ms is not None:
                    at_ms = self.ended_ms.get((body["id"], body["attempt"]), at_ms)
                waits_ms = body["run_at_ms"] - at_ms
                check(waits_ms >= int(shortest), "I8 too short a wait", body, waits_ms, shortest)
                self._waits_until(job, body["run_at_ms"])

    def _waits_until(self, job: FoldedJob, due_ms: int | None) -> None:
        job.due_ms, job.waits_since_seq = due_ms, self.last_seq

    def _start(self, at_ms: int, job_id: int, job: FoldedJob, body: dict[str, Any]) -> None:
        """Not before its time, by a wall clock that may have been set back since."""
        queue = body["queue"]
        began_before = not self.has_one_writer and self.paused.get(queue) == at_ms
        is_open = queue not in self.paused or began_before
        check(is_open, "a job of a paused queue started", job_id)
        if job.due_ms is not None:
            peaks = [wall for seq, wall in self.wall_peaks if seq >= job.waits_since_seq]
            latest = max([at_ms, *peaks]) + self.clock_error_ms
            check(latest >= job.due_ms, "I8 started before its time", job_id, latest, job.due_ms)
        for of, bucket in self._buckets_of(body).items():
            bucket.take(self.clock, of)
        self._check_room(job_id, queue, body["concurrency_key"])

    def _buckets_of(self, body: dict[str, Any]) -> dict[OfBucket, Bucket]:
        """The buckets that a start of this job takes a token from; a new one is full."""
        queue, key = body["queue"], body["concurrency_key"]
        rates: dict[OfBucket, Rate | None] = {(queue, None): self.rates.get(queue)}
        if key is not None:
            rates[queue, key] = self.rates_of_keys.get(queue)
        clock = self.clock
        return {
            of: self.buckets.setdefault(
                of, Bucket(rate, rate.burst, clock.monotonic_ms(), clock.boot_id)
            )
            for of, rate in rates.items()
            if rate is not None
        }

    def _check_room(self, job_id: int, queue: str, key: str | None) -> None:
        """No more leases of a key than its limit is now; more may be left from a higher one."""
        if key is None or queue not in self.most_of_a_key:
            return
        others = [
            one
            for one, job in self.jobs.items()
            if one != job_id
            and job.status == "in_progress"
            and (job.body["queue"], job.body["concurrency_key"]) == (queue, key)
        ]
        has_room = len(others) < self.most_of_a_key[queue]
        check(has_room, "more jobs of a key are leased than its limit", queue, key, others)
