"""The states of a job: which verb moves it from which status to which, and what follows an attempt.

Pure: no clock, no random number, no database. The SQL in shared/storage repeats the `leaves` of
each transition as its guard; a contract test checks that they are equal. docs/state_machine.md is
generated from these tables, and a test checks it.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import JobError, Lease, NewJob, Outcome, Status
from orpheus.shared.domain.steps import NewSignal, Suspension

TERMINAL = frozenset({Status.DONE, Status.FAILED, Status.CANCELLED})
LIVE = frozenset(Status) - TERMINAL
WAITING = frozenset({Status.BLOCKED, Status.PENDING})
"""Jobs of these may still have the start of an earlier attempt."""


class Verb(StrEnum):
    """What can happen to a job."""

    LEASE = "lease"
    FINISH = "finish"
    RELEASE = "release"
    RECLAIM = "reclaim"
    CANCEL = "cancel"
    REQUEST_CANCEL = "request cancel"
    RETRY = "retry"


class Transition(msgspec.Struct, frozen=True):
    """`verb` moves a job out of each status in `leaves` into one of `enters`."""

    verb: Verb
    leaves: frozenset[Status]
    enters: frozenset[Status]
    events: frozenset[Kind]
    needs_token: bool = False


TRANSITIONS: dict[Verb, Transition] = {
    t.verb: t
    for t in (
        Transition(
            Verb.LEASE,
            frozenset({Status.PENDING}),
            frozenset({Status.IN_PROGRESS}),
            frozenset({Kind.JOB_STARTED}),
        ),
        Transition(
            Verb.FINISH,
            frozenset({Status.IN_PROGRESS}),
            frozenset(
                {Status.DONE, Status.FAILED, Status.CANCELLED, Status.PENDING, Status.BLOCKED}
            ),
            frozenset(
                {
                    Kind.JOB_DONE,
                    Kind.JOB_FAILED,
                    Kind.JOB_CANCELLED,
                    Kind.JOB_RETRYING,
                    Kind.JOB_SNOOZED,
                    Kind.JOB_RELEASED,
                }
            ),
            needs_token=True,
        ),
        Transition(
            Verb.RELEASE,
            frozenset({Status.IN_PROGRESS}),
            frozenset({Status.PENDING, Status.CANCELLED}),
            frozenset({Kind.JOB_RELEASED, Kind.JOB_CANCELLED}),
            needs_token=True,
        ),
        Transition(
            Verb.RECLAIM,
            frozenset({Status.IN_PROGRESS}),
            frozenset({Status.PENDING, Status.FAILED, Status.CANCELLED}),
            frozenset({Kind.JOB_RECLAIMED, Kind.JOB_FAILED, Kind.JOB_CANCELLED, Kind.JOB_RELEASED}),
            needs_token=True,
        ),
        Transition(
            Verb.CANCEL,
            frozenset({Status.BLOCKED, Status.PENDING}),
            frozenset({Status.CANCELLED}),
            frozenset({Kind.JOB_CANCELLED}),
        ),
        Transition(
            Verb.REQUEST_CANCEL,
            frozenset({Status.IN_PROGRESS}),
            frozenset({Status.IN_PROGRESS}),
            frozenset({Kind.JOB_CANCEL_REQUESTED}),
        ),
        Transition(
            Verb.RETRY,
            frozenset({Status.FAILED, Status.CANCELLED}),
            frozenset({Status.PENDING}),
            frozenset({Kind.JOB_REQUEUED}),
        ),
    )
}


class Ending(StrEnum):
    """Why a lease ended. It has more values than Outcome because it decides what follows."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    FAILED_PERMANENTLY = "failed_permanently"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SNOOZED = "snoozed"
    RELEASED = "released"
    """Released unfinished by a stopping worker."""
    UNENTERED = "unentered"
    """Released before the job was entered, by its worker or after the worker's death."""
    CRASHED = "crashed"
    """The process died, or was killed, while it ran the job."""
    CRASHED_TOGETHER = "crashed_together"
    """The process died while it ran this job and others: one of them may be the reason."""
    KILLED_AT_DEADLINE = "killed_at_deadline"
    """The supervisor killed the process because the job was past its hard deadline."""
    KILLED_AT_CANCEL = "killed_at_cancel"
    """The process was killed because the job did not stop when it was cancelled."""
    RESULT_LOST = "result_lost"
    """The job had run, but its worker died before the result was committed."""
    REBOOTED = "rebooted"
    """The machine was rebooted, and it is not known whether the job had been entered."""
    EXPIRED = "expired"
    """The lease was not renewed, for an unknown reason."""


_LEAST_SET_BACK_MS = 1_000
"""A clock that went back by at least this much was set."""


class RunTimes(NamedTuple):
    """How long ago the code of an attempt was entered, and how long ago it returned.

    Jobs are leased in groups, and their ends are stored in groups, so each attempt has times of its
    own. They are durations, so the worker's clock is compared with no other, and may be changed.
    """

    started_ago_ms: int
    ended_ago_ms: int = 0

    def times_ms(self, leased_ms: int, now_ms: int) -> tuple[int, int]:
        """Return when it started and ended, by the clock of the database.

        Neither is before the lease, unless that clock was set back since: what is rounded, or read
        a moment later on another host, differs by less.
        """
        started_ms, ended_ms = now_ms - self.started_ago_ms, now_ms - self.ended_ago_ms
        if leased_ms - started_ms < _LEAST_SET_BACK_MS:
            return max(leased_ms, started_ms), max(leased_ms, ended_ms)
        return started_ms, ended_ms


class Finished(NamedTuple):
    """How a leased job ended. `result` (JSON text) with SUCCEEDED, `snooze_ms` with SNOOZED.

    A tuple for the reason that Lease gives.
    """

    lease: Lease
    ending: Ending
    result: str | None = None
    error: JobError | None = None
    snooze_ms: int = 0
    children: tuple[NewJob, ...] = ()
    """Jobs to enqueue if the success is accepted, in the same transaction."""
    cpu_s: float | None = None
    max_rss_bytes: int | None = None
    """What the attempt cost; None: it was not measured."""
    run: RunTimes | None = None
    """None: it counts from the lease until its end is stored."""
    versions: str | None = None
    """With UNENTERED: this worker cannot read the job, but these versions of its type can.

    None: nothing new is known of that.
    """
    wait: Suspension | None = None
    """With SNOOZED: what a durable function waits for."""
    signals: tuple[NewSignal, ...] = ()
    """Signals to send if the success is accepted, in the same transaction."""
    retry_ms: int | None = None
    """With FAILED: how long a retry waits; None: for the backoff of the type."""

    @property
    def new_jobs(self) -> tuple[NewJob, ...]:
        """The jobs that its end inserts."""
        return self.children if self.wait is None else self.wait.children

    @property
    def locked_signals(self) -> list[tuple[str, str]]:
        """The names and keys of the signals that its end sends, or begins to wait for."""
        names = [(signal.name, signal.key) for signal in self.signals]
        if self.wait is not None and self.wait.step.signal is not None:
            names.append((self.wait.step.signal, self.wait.step.key or ""))
        return names


class Wait(StrEnum):
    """When a job that goes back to pending is due again."""

    NONE = "at once"
    BACKOFF = "after backoff"
    CRASH_BACKOFF = "at once the first time, then after backoff"
    LOSS_BACKOFF = "at once, or after backoff if it spends a retry"
    AS_ASKED = "when the handler asked for"


class EndingRule(msgspec.Struct, frozen=True):
    """What an ending does. `outcome` None: no attempt is stored, and its number is used again.

    An ending with the outcome `lost` that does not spend a retry by itself spends one if the
    attempt before it was lost too: otherwise a job whose worker dies at each commit would run for
    ever. A crash that does not spend one by itself, as others may be the reason, spends one if the
    job has crashed before.
    """

    outcome: Outcome | None
    goes_to: Status
    wait: Wait
    spends_retry: bool
    is_crash: bool
    event: Kind


def _rule(
    outcome: Outcome | None,
    goes_to: Status,
    event: Kind,
    wait: Wait = Wait.NONE,
    *,
    spends: bool = False,
    crash: bool = False,
) -> EndingRule:
    return EndingRule(outcome, goes_to, wait, spends, crash, event)


ENDINGS: dict[Ending, EndingRule] = {
    Ending.SUCCEEDED: _rule(Outcome.SUCCEEDED, Status.DONE, Kind.JOB_DONE),
    Ending.FAILED: _rule(
        Outcome.FAILED, Status.PENDING, Kind.JOB_RETRYING, Wait.BACKOFF, spends=True
    ),
    Ending.FAILED_PERMANENTLY: _rule(Outcome.FAILED, Status.FAILED, Kind.JOB_FAILED, spends=True),
    Ending.TIMED_OUT: _rule(
        Outcome.TIMED_OUT, Status.PENDING, Kind.JOB_RETRYING, Wait.BACKOFF, spends=True
    ),
    Ending.CANCELLED: _rule(Outcome.CANCELLED, Status.CANCELLED, Kind.JOB_CANCELLED),
    Ending.SNOOZED: _rule(Outcome.SNOOZED, Status.PENDING, Kind.JOB_SNOOZED, Wait.AS_ASKED),
    Ending.RELEASED: _rule(Outcome.RELEASED, Status.PENDING, Kind.JOB_RELEASED),
    Ending.UNENTERED: _rule(None, Status.PENDING, Kind.JOB_RELEASED),
    Ending.CRASHED: _rule(
        Outcome.CRASHED,
        Status.PENDING,
        Kind.JOB_RECLAIMED,
        Wait.CRASH_BACKOFF,
        spends=True,
        crash=True,
    ),
    Ending.CRASHED_TOGETHER: _rule(
        Outcome.CRASHED, Status.PENDING, Kind.JOB_RECLAIMED, Wait.CRASH_BACKOFF, crash=True
    ),
    Ending.KILLED_AT_DEADLINE: _rule(
        Outcome.TIMED_OUT, Status.PENDING, Kind.JOB_RECLAIMED, Wait.BACKOFF, spends=True
    ),
    Ending.KILLED_AT_CANCEL: _rule(Outcome.CANCELLED, Status.CANCELLED, Kind.JOB_CANCELLED),
    Ending.RESULT_LOST: _rule(Outcome.LOST, Status.PENDING, Kind.JOB_RECLAIMED, Wait.LOSS_BACKOFF),
    Ending.REBOOTED: _rule(Outcome.LOST, Status.PENDING, Kind.JOB_RECLAIMED, Wait.LOSS_BACKOFF),
    Ending.EXPIRED: _rule(
        Outcome.LOST,
        Status.PENDING,
        Kind.JOB_RECLAIMED,
        Wait.CRASH_BACKOFF,
        spends=True,
        crash=True,
    ),
}


class Spent(msgspec.Struct, frozen=True):
    """The retries that a job has spent, and whether its cancel was requested.

    `losses`: how many of its attempts were lost in a row, up to the last one.
    """

    failures: int
    crashes: int
    max_retries: int
    cancel_requested: bool
    losses: int = 0


class Next(msgspec.Struct, frozen=True):
    """What happens to a job when a lease ends.

    `backoff_failures` is the n of the backoff to wait for before the next attempt, 0 for none.
    """

    status: Status
    event: Kind
    outcome: Outcome | None
    failures: int
    crashes: int
    losses: int
    backoff_failures: int


def after(ending: Ending, spent: Spent) -> Next:
    """Decide what follows `ending` for a job that had spent `spent` before it."""
    rule = ENDINGS[ending]
    spends = rule.spends_retry or _is_counted(ending, spent)
    failures = spent.failures + spends
    crashes = spent.crashes + rule.is_crash
    losses = spent.losses + 1 if rule.outcome is Outcome.LOST else 0
    if rule.outcome is None:
        losses = spent.losses
    status, event, waits = rule.goes_to, rule.event, False
    if rule.goes_to is Status.PENDING and spent.cancel_requested:
        status, event = Status.CANCELLED, Kind.JOB_CANCELLED
    elif rule.goes_to is Status.PENDING and spends and failures > spent.max_retries:
        status, event = Status.FAILED, Kind.JOB_FAILED
    else:
        waits = (
            rule.wait is Wait.BACKOFF
            or (rule.wait is Wait.CRASH_BACKOFF and crashes > 1)
            or (rule.wait is Wait.LOSS_BACKOFF and spends)
        )
    return Next(status, event, rule.outcome, failures, crashes, losses, failures if waits else 0)


def _is_counted(ending: Ending, spent: Spent) -> bool:
    """Return whether a loss, or a crash beside other jobs, spends a retry: from the second one on.

    With `max_retries` 0 the first one does too: a job that has run is not run again unless an
    operator wants it. A first loss by a reboot does not: whether the job had run is not known.
    """
    if ending is Ending.CRASHED_TOGETHER:
        return spent.crashes > 0 or spent.max_retries == 0
    if ending is Ending.RESULT_LOST:
        return spent.losses > 0 or spent.max_retries == 0
    return ending is Ending.REBOOTED and spent.losses > 0
