"""What a verdict is made of (`Facts`), and what it says (`Concern`)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.rates import Rate

FAILING_MINUTES = 60
"""How far back jobs that failed count."""
START_S = 15.0
"""A worker starts or restarts in less time, so a job may wait so long while none is ready."""
LATE_S = 60.0
"""A job that has been due for longer waits for too long."""
STANDSTILL_MINUTES = 15
"""A queue with `max_running` that has workers enough stands still if no job of it runs, and none
ended for so long."""
MOST_REFUSED = 1000
"""At most so many refused rows of an outbox are counted."""
_MOST_AT_ONCE = 10
"""A proposed command names at most so many slots: a longer one is hard to read."""


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
    QUEUE_PAUSED = "queue_paused"
    NO_POOL = "no_pool"
    POOL_EMPTY = "pool_empty"
    POOL_NOT_READY = "pool_not_ready"
    QUEUE_LATE = "queue_late"
    TYPE_QUARANTINED = "type_quarantined"
    TYPE_FAILING = "type_failing"
    TYPE_AWAITS_HOST = "type_awaits_host"
    SCHEDULE_LATE = "schedule_late"
    OUTBOX_ROWS_REFUSED = "outbox_rows_refused"
    ALERT_UNDELIVERED = "alert_undelivered"
    RETENTION_LATE = "retention_late"
    LITTLE_SPACE = "little_space"
    LARGE_LOG = "large_log"


class About(NamedTuple):
    """What a concern is about and its name.

    It is a `queue`, `type`, `slot`, `schedule`, `outbox` or `alert`.
    """

    kind: str
    name: str


class Concern(msgspec.Struct, frozen=True):
    """One thing that needs a person.

    `text` is a sentence; `command` is what may mend it, or tells more, as one types it.
    """

    code: ConcernCode
    text: str
    command: str | None = None
    about: About | None = None


class Standstill(NamedTuple):
    """Nobody can write to the database: a process holds its write lock, or `why`."""

    for_s: float | None
    """How long nobody has written; None: unknown, as the clock was set back since."""
    pid: int | None
    """That process; None: it cannot be seen from here, as one of another container."""
    command: str = ""
    """What it runs, if that is known."""
    why: str = ""
    """What else keeps everybody from writing: the disk is full, the file was moved away."""


class SlotFacts(msgspec.Struct, frozen=True):
    """A slot, or a process without one."""

    name: str
    """With its host, if there are several."""
    role: Role
    pool: str | None
    state: SlotState
    degraded: bool
    reason: str
    target: str = ""
    """The slot, as commands name it: `default-1 --host ada`."""
    ready: bool = False
    """It does its work, as `is_ready` says."""
    rejects: bool = False
    """It is degraded only because it has rejected the configuration."""
    leaves: bool = False
    """It is scaled away: it goes with its process."""
    drained_by: str | None = None
    """Who drained it, and why: " by cli:ada (disk swap)"; None: nobody did."""
    runs_alone: bool = False
    """It runs one job in the place of several: that job crashed a worker before."""
    silent: bool = False
    """It says nothing any more, before it is taken for dead."""
    silent_s: float | None = None
    failed_exits: int = 0
    """How often its processes failed within `FAILURES_WITHIN_S`."""
    last_exit: str = ""
    """How one of them failed most recently."""
    last_exit_ago_s: float | None = None
    watched_s: float | None = None
    """For how long its supervisor has run, which counts these."""
    left_s: float | None = None
    """How long a supervisor that is stopping may go on doing so."""


class QueueFacts(msgspec.Struct, frozen=True):
    """A queue with the jobs that wait in it."""

    name: str
    waiting: int
    """How many are pending; of a paused queue, which may hold jobs of next week, only those due."""
    running: int = 0
    oldest_s: float | None = None
    """How long the first of its due jobs has waited; None: none is due."""
    paused: bool = False
    paused_by: str = ""
    """Who, and why: "by cli:ada (a release)"."""
    max_running: int = 0
    rate: Rate | None = None
    waits_for_rate: bool = False
    """Its rate lets no job start at this moment."""
    ended: int = 0
    """How many of its jobs were done or failed in the last `STANDSTILL_MINUTES`."""
    ended_lately: int = 0
    """The same of the last `LATELY_MINUTES`."""
    runs_per_s: float = 0.0
    """How many of its jobs were done or failed in a second, in this minute and the last."""


class RefusedRows(NamedTuple):
    """Rows of an outbox that stay until a person corrects or deletes them."""

    rows: int
    """How many; `MOST_REFUSED`: there may be more."""
    first_id: str
    reason: str
    """Why the first was refused."""


class AlertFacts(msgspec.Struct, frozen=True):
    """A rule of `[[alerts]]` whose alerts reach nobody."""

    name: str
    since_s: float
    """How long the first of them has waited."""
    alerts: int = 1
    """How many they are."""
    job_id: int | None = None
    """The job of the newest; None: none could be made."""
    has_failed: bool = False
    """A job of them has failed for good; else all are still tried."""
    reason: str = ""
    """What the newest job failed with."""

    @property
    def needs_person(self) -> bool:
        """Whether it may not get there by itself."""
        return self.has_failed or self.since_s >= LATE_S


class Facts(msgspec.Struct, frozen=True):
    """What the verdict is made of."""

    slots: Sequence[SlotFacts]
    queues: Sequence[QueueFacts] = ()
    pools: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    """The queues that each pool of the configuration serves."""
    scaled_to_0: Mapping[str, str] = msgspec.field(default_factory=dict)
    """The pools that an operator scaled to 0, and who and why: " by cli:ada (night load)"."""
    ended: Mapping[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    """By type, of the last `LATELY_MINUTES`: how often jobs ended done, and how often failed.

    A job that is retried ends more than once.
    """
    failing: Mapping[str, int] = msgspec.field(default_factory=dict)
    """The types whose jobs all failed in the last `FAILING_MINUTES`, and how often."""
    quarantined: Sequence[tuple[str, str]] = ()
    """Types that are held back, each with the evidence: a clause."""
    awaiting_gone_hosts: Sequence[str] = ()
    """Types of which jobs wait for code that only hosts have which are gone."""
    late_schedules: Sequence[tuple[str, float]] = ()
    """Schedules whose tick has passed, and by how many seconds."""
    refused_rows: Mapping[str, RefusedRows] = msgspec.field(default_factory=dict)
    """By outbox; of those without any, nothing."""
    undelivered: Sequence[AlertFacts] = ()
    retention_lag_s: float = 0.0
    """How long ago the oldest expired row should have been deleted, if that grows; else 0."""
    standstill: Standstill | None = None
    moved: str = ""
    """Where the database was moved to, so that nothing can be started on it; empty: it was not."""
    gone: int | None = None
    """The process of a supervisor that is gone and has not said so."""
    left: Sequence[str] = ()
    """The slots that it has left behind, whose processes are about to end."""
    silent_after_s: float = 30.0
    """After so long without a heartbeat, a process is taken for dead."""
    free_bytes: int | None = None
    database: str = ""
    """What tells it from others: the path of its file."""
    log_bytes: int = 0
    has_jobs: bool = False
    """There is a job, however it stands."""

    @property
    def workers(self) -> list[SlotFacts]:
        """The slots of workers."""
        return [slot for slot in self.slots if slot.role is Role.WORKER]

    @property
    def staying(self) -> list[SlotFacts]:
        """The slots of workers that are wanted: those scaled away only finish their jobs."""
        return [slot for slot in self.workers if not slot.leaves]

    @property
    def are_unwanted(self) -> bool:
        """Whether operators have drained or scaled away all workers: none gets ready by itself."""
        is_by_operator = bool(self.staying or self.scaled_to_0)
        return is_by_operator and all(slot.drained_by is not None for slot in self.staying)

    @property
    def is_any_ready(self) -> bool:
        """Whether a worker is ready."""
        return any(slot.ready for slot in self.workers)


def waits_for_workers_s(oldest_s: float, workers: Sequence[SlotFacts]) -> float:
    """Return for how long a job has waited while these could run it.

    While no supervisor ran, they could not: that time is no fault of theirs.
    """
    known_s = [slot.watched_s for slot in workers if slot.watched_s is not None]
    return min(oldest_s, max(known_s)) if known_s else oldest_s


def restart_of(targets: Sequence[str]) -> str:
    """Return the command that restarts slots, a few of many: it takes those of one host."""
    parts = [target.partition(" --host ") for target in targets]
    _, option, host = parts[0]
    names = [name for name, _, of in parts if of == host]
    return f"orpheus restart {' '.join(names[:_MOST_AT_ONCE])}{option}{host}"
