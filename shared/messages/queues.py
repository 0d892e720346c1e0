"""Queues, and why a job or a queue waits."""

from enum import StrEnum

import msgspec
from typing_extensions import TypedDict

from orpheus.shared.messages.audit import By
from orpheus.shared.messages.encoding import Time


class Code(StrEnum):
    """What holds a job back, or needs a person."""

    ENDED = "ended"
    WORKER_GONE = "worker_gone"
    WORKER_SILENT = "worker_silent"
    PREFETCHED = "prefetched"
    DEPENDENCY = "dependency"
    SIGNAL = "signal"
    CHILDREN = "children"
    SLEEP = "sleep"
    RUN_AT = "run_at"
    BACKOFF = "backoff"
    SNOOZED = "snoozed"
    QUARANTINED = "quarantined"
    NEWER_CODE = "newer_code"
    QUEUE_PAUSED = "queue_paused"
    NO_POOL = "no_pool"
    NO_WORKER = "no_worker"
    QUEUE_LIMIT = "queue_limit"
    QUEUE_RATE = "queue_rate"
    KEY_LIMIT = "key_limit"
    KEY_RATE = "key_rate"
    RUNS_ALONE = "runs_alone"
    WORKERS_BUSY = "workers_busy"


class Counts(TypedDict):
    """Jobs by status."""

    blocked: int
    pending: int
    in_progress: int
    done: int
    failed: int
    cancelled: int


class WhyReason(msgspec.Struct, frozen=True):
    """One reason why a job does not run, or why the next job of a queue does not start."""

    code: Code
    text: str
    """A clause: `it depends on job 7 (resize, in progress)`."""
    until: Time | None = None
    """When it ends, if that is known."""
    by: str | None = None
    """Who holds the job back: `job 7`, `default-1`, `cli:ada`."""


class Why(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a job does not run."""

    runs: bool
    """It runs, or only others go before it: then there is no reason."""
    reasons: list[WhyReason]
    has_steps: bool = False
    """It is a durable function that has kept something (GET /jobs/{id}/steps)."""


class Limits(msgspec.Struct, frozen=True):
    """The limits of a queue. 0 and empty text: no limit."""

    max_running: int
    rate: str
    """`10/s`"""
    burst: int
    """How many jobs may start at once after a pause, of both rates."""
    max_running_per_key: int
    rate_per_key: str


class ServingPool(msgspec.Struct, frozen=True):
    """A pool whose workers lease jobs of a queue."""

    name: str
    workers: int
    ready: int


class Queue(msgspec.Struct, frozen=True):
    """A queue that has had a job, is paused or has a limit, and who runs its jobs."""

    name: str
    paused: By | None
    counts: Counts
    due: int
    """Pending jobs whose time has come and that no quarantine holds back. If they are 10,000 or
    more, it is the number of all pending jobs."""
    oldest_due_s: float | None
    """How long the oldest of the first due jobs has waited."""
    in_per_minute: float
    """Jobs submitted in this minute and the last, per minute."""
    out_per_minute: float
    """Jobs that ended in this minute and the last, per minute."""
    limits: Limits
    pools: list[ServingPool]
    """Empty: no pool of the configuration serves it."""
    reason: WhyReason | None
    """Why its next due job does not start; null: it starts, or none is due."""
    empty_in_s: float | None
    """Due and running jobs divided by how many more end than come; null: it is not shrinking."""
    empty_in_s_with: dict[str, float]
    """When it is empty with 1 and 3 more workers that run only its jobs, from how long one ran
    lately; empty: none was done in the last quarter of an hour."""


class Queues(msgspec.Struct, frozen=True):
    """Every queue that has had a job, is paused or has a limit, by name."""

    items: list[Queue]
