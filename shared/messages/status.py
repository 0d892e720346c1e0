"""How the system is: figures, and what needs a person."""

from enum import StrEnum

import msgspec

from orpheus.shared.messages.encoding import Time
from orpheus.shared.messages.queues import Counts


class ConcernCode(StrEnum):
    """What needs a person."""

    NO_WRITES = "no_writes"
    STOPPING = "stopping"
    NOTHING_RUNS = "nothing_runs"
    CONFIGURATION_REJECTED = "configuration_rejected"
    NO_WORKER_READY = "no_worker_ready"
    SLOT = "slot"
    RESTLESS = "restless"
    SILENT = "silent"
    TYPE_QUARANTINED = "type_quarantined"
    TYPE_FAILING = "type_failing"
    QUEUE_PAUSED = "queue_paused"
    NO_POOL = "no_pool"
    NO_WORKER = "no_worker"
    QUEUE_LATE = "queue_late"
    SCHEDULE_LATE = "schedule_late"
    WAITS_LONG = "waits_long"
    RETENTION_LATE = "retention_late"
    LITTLE_SPACE = "little_space"


class About(msgspec.Struct, frozen=True):
    """What a concern is about and its name."""

    kind: str
    """`queue`, `pool`, `type`, `slot`, `schedule` or `job`."""
    name: str


class Severity(StrEnum):
    """What a problem does, the worst first."""

    STOPS_WORK = "stops_work"
    LOSES_MONEY = "loses_money"
    COSMETIC = "cosmetic"


class Acknowledged(msgspec.Struct, frozen=True):
    """An operator knows of a problem, until a time or until it gets worse."""

    by: str
    until: Time
    reason: str


class Concern(msgspec.Struct, frozen=True):
    """One thing that needs a person."""

    code: ConcernCode
    severity: Severity
    text: str
    """A sentence."""
    command: str | None = None
    """What may mend it, or tells more: `orpheus resume mail`."""
    about: About | None = None
    acknowledged: Acknowledged | None = None
    since: Time | None = None
    """Null: not known."""


class Verdict(msgspec.Struct, frozen=True):
    """How the system is."""

    headline: str
    concerns: list[Concern]
    """By severity; those that are acknowledged last."""


class FinishedSince(msgspec.Struct, frozen=True):
    """How many jobs ended since a time: exact, from counts by whole minutes."""

    since: Time
    done: int
    failed: int
    cancelled: int


class Minute(msgspec.Struct, frozen=True):
    """How many jobs ended in one minute; `at` is when it began."""

    at: Time
    done: int
    failed: int
    cancelled: int


class Throughput(msgspec.Struct, frozen=True):
    """Jobs that ended."""

    ended_per_minute: float
    """Of the last 5 minutes."""
    last_5_min: FinishedSince
    last_hour: FinishedSince
    by_minute: list[Minute]
    """The last 60 minutes, oldest first."""


class Latency(msgspec.Struct, frozen=True):
    """Percentiles over the newest 1,000 jobs that ended, in seconds."""

    p50: float | None
    p95: float | None


class Stats(msgspec.Struct, frozen=True):
    """Figures of the whole system, and what needs a person."""

    counts: Counts
    throughput: Throughput
    wait_s: Latency
    """From due, and free to run, to started."""
    run_s: Latency
    """The last attempt."""
    oldest_pending_s: float | None
    """How long the due job that has waited longest waits; null: none is due."""
    oldest_pending_queue: str | None
    database_bytes: int
    wal_bytes: int
    verdict: Verdict
