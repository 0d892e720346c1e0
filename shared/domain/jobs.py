"""Jobs, attempts and leases: immutable data without behaviour.

Times end in `_ms` (milliseconds since 1970 UTC) or `_mono_ms` (monotonic clock, this boot).
`payload` and `result` stay JSON text from the client to the handler and back, so that big
integers and key order survive; code that needs the value decodes it.
"""

from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from typing_extensions import TypeVar

Result_co = TypeVar("Result_co", covariant=True, default=Any)
"""What a job's function returns, for type checkers."""


class Status(StrEnum):
    """The status of a job. The last three are terminal: only an operator's retry leaves them."""

    BLOCKED = "blocked"
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    LOST = "lost"
    CANCELLED = "cancelled"
    RELEASED = "released"
    SNOOZED = "snoozed"


class JobError(msgspec.Struct, frozen=True):
    """Why an attempt failed, as text: exceptions are never stored as objects."""

    type: str
    message: str
    traceback: str | None = None


class NewJob(NamedTuple):
    """A job to submit, validated and with its type's defaults filled in.

    A tuple, because a batch makes ten thousand: a frozen dataclass takes three times as long.
    """

    type: str
    payload: str = "{}"
    queue: str = "default"
    priority: int = 0
    delay_ms: int = 0
    run_at_ms: int | None = None
    max_retries: int = 3
    timeout_s: float = 900.0
    unique_key: str | None = None
    tags: tuple[str, ...] = ()
    depends_on: tuple[int | str, ...] = ()
    """Ids of jobs, or the `ref` of another job of the same batch."""
    on_dependency_failure: str = "cancel"
    """`cancel`, `run` or `fail`: what happens to the job when one of them does not end `done`."""
    ref: str | None = None
    traceparent: str | None = None
    """The trace that it is part of."""
    concurrency_key: str | None = None
    """Jobs of a queue with the same key share the queue's limits per key."""
    versions: str | None = None
    """The versions of its type that can read the payload, separated by spaces; None: all."""
    scheduled_ms: int | None = None
    """The time of the schedule that it is made for; None: no schedule makes it."""
    expires_ms: int | None = None
    """How long after its time (`run_at`, or its submission) it may start; else it is cancelled."""
    unique_for_ms: int | None = None
    """How long after its submission its unique key stays taken, also if it has ended."""
    replaces: bool = False
    """If a job with its unique key has not started, that job gets this payload and time."""
    retention_ms: int | None = None
    """How long it is kept after it is done; None: as [retention] says."""


class Job(msgspec.Struct, frozen=True):
    """A job as it is now. `attempt` is the number of the newest attempt, 0 before the first."""

    id: int
    type: str
    payload: str
    status: Status
    queue: str
    priority: int
    result: str | None
    error: JobError | None
    attempt: int
    max_retries: int
    timeout_s: float
    progress: float | None
    message: str | None
    created_at_ms: int
    run_at_ms: int
    freed_at_ms: int | None
    """When it last became free to run, since it was submitted or retried: it left `blocked`, or
    `in_progress` after it was run, for `pending`."""
    started_at_ms: int | None
    finished_at_ms: int | None
    worker: str | None
    unique_key: str | None
    concurrency_key: str | None
    depends_on: tuple[int, ...]
    tags: tuple[str, ...]
    cancel_requested: bool
    on_dependency_failure: str = "cancel"
    ran_until_ms: int | None = None
    """When the last attempt of an ended job ended: long before `finished_at_ms` if its worker died
    while nobody was there to see it, or if the job was cancelled between two attempts."""
    scheduled_ms: int | None = None
    """See NewJob."""
    expires_ms: int | None = None
    """If it has not started by then, it is cancelled."""
    unique_until_ms: int | None = None
    """Until then its unique key stays taken, also if it has ended."""
    retention_ms: int | None = None

    @property
    def was_cancelled(self) -> bool:
        """Whether the job itself was cancelled, and did not just end with a job it depended on."""
        return self.status is Status.CANCELLED and self.cancel_requested


def waits_since_ms(run_at_ms: int, freed_at_ms: int | None) -> int:
    """Return since when a job has waited for a worker: it is due, and free to run.

    While it is blocked, delayed, backing off, running or held back by a quarantine it waits for no
    worker: with more of them it would start no earlier.
    """
    return run_at_ms if freed_at_ms is None else max(run_at_ms, freed_at_ms)


class Attempt(msgspec.Struct, frozen=True):
    """One run of a job. `outcome` and `finished_at_ms` are None while it runs.

    `cpu_s` (of its process and of programs that it waited for) and `max_rss_bytes` (the peak of
    either) are None where they were not measured: while it runs, if its process died, where jobs
    share a process, and for most jobs of less than a millisecond.
    """

    number: int
    outcome: Outcome | None
    worker: str
    pid: int
    started_at_ms: int
    finished_at_ms: int | None
    error: JobError | None
    cpu_s: float | None = None
    max_rss_bytes: int | None = None


class Dependency(msgspec.Struct, frozen=True):
    """A job that another depends on, as it is now.

    `ref` is what the other called it when both were submitted together.
    """

    id: int
    type: str
    status: Status
    result: str | None = None
    error: JobError | None = None
    ref: str | None = None


class Holder(msgspec.Struct, frozen=True):
    """The worker that holds a lease: one incarnation of one slot."""

    slot: str
    incarnation: str
    pid: int


class Lease(NamedTuple):
    """The right to run one job until `expires_mono_ms`, proven by `token`.

    Tokens come from one counter of the database and only grow, so among the leases of one
    holder their order is the order in which its worker enters the jobs. It is a tuple because one
    is made for each job: a frozen data class takes 1 us more.
    """

    job_id: int
    token: int
    attempt: int
    type: str
    payload: str
    queue: str
    timeout_s: float
    max_retries: int
    failures: int
    crashes: int
    started_at_ms: int
    expires_mono_ms: int
    cancel_requested: bool
    traceparent: str | None = None
    concurrency_key: str | None = None
    versions: str | None = None
    """See NewJob."""
    scheduled_ms: int | None = None
    """See NewJob."""


class RunningJob(msgspec.Struct, frozen=True):
    """The job that an incarnation runs: the first that it has leased and not reported.

    `in_progress`: how many it has leased and not reported, prefetched ones too.
    """

    id: int
    type: str
    worker: str
    incarnation: str
    started_at_ms: int
    progress: float | None
    message: str | None
    in_progress: int = 1
    crashes: int = 0
    """How often its worker died while it ran. After the first time, it runs alone."""


class LogLine(msgspec.Struct, frozen=True):
    """One line a job wrote. `fields` is a JSON object as text."""

    id: int
    attempt: int
    at_ms: int
    level: str
    line: str
    fields: str


class NewLine(msgspec.Struct, frozen=True):
    """A log line to append. `fields` is a JSON object as text."""

    at_ms: int
    level: str
    line: str
    fields: str = "{}"
