"""What the policy decides about: frozen data, no behaviour, no I/O.

A `Slot` is a position (`default-1`, `api`); a `Life` is one process in it, named by its
incarnation. Everything that ends in `_s` is a point on the supervisor's own monotonic clock, but
for the durations of `Rules`: what a child says of time is never compared with it.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import LastExit, Role, SlotState


class Desired(StrEnum):
    """What should be of a slot: the only truth that a restart or a stop goes by."""

    UP = "up"
    DOWN = "down"
    """Stop now: finish within the stop timeout."""
    DRAINED = "drained"
    """Finish the job it is in, then be down."""
    REPLACE = "replace"
    """Finish the job it is in, then be started anew; a slot without a life is started at once."""


class OsStatus(StrEnum):
    """What the kernel says a process is doing, as far as it matters here."""

    RUNNING = "running"
    STOPPED = "stopped"
    UNINTERRUPTIBLE = "uninterruptible"


class Cause(StrEnum):
    """Why a life ended, in few words: what exits are counted by."""

    STOPPED = "stopped"
    REPLACED = "replaced"
    RECYCLED = "recycled"
    EXITED = "exited"
    CONFIGURATION = "configuration"
    CANNOT_START = "cannot_start"
    START_TIMEOUT = "start_timeout"
    HUNG = "hung"
    OVERDUE = "overdue"
    MEMORY_LIMIT = "memory_limit"
    OUT_OF_MEMORY = "out_of_memory"
    KILLED = "killed"
    CRASHED = "crashed"
    """By a signal of its own doing."""
    FAILED = "failed"
    """With an exit code."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The durations (in seconds) and bounds of the policy."""

    start_timeout_s: float = 60.0
    stop_timeout_s: float = 25.0
    stop_margin_s: float = 1.0
    """How much sooner than it is killed a stopping process gives up what is unfinished."""
    drain_timeout_s: float = 300.0
    beat_interval_s: float = 2.0
    beat_timeout_s: float = 15.0
    backoff_max_s: float = 30.0
    crash_loop_failures: int = 6
    crash_loop_window_s: float = 180.0
    backoff_base_s: float = 0.5
    fatal_retry_s: float = 300.0
    abort_wait_s: float = 2.0
    """How long a process may take to write its stack and die of SIGABRT."""
    kill_wait_s: float = 5.0
    """How long a process may stay after SIGKILL before it is called stuck."""
    stable_s: float = 5.0
    """A life that was ready for so long had started well: its crash is its own."""
    early_exit_s: float = 60.0
    """A life that exits with 0 sooner than this, unasked, counts as a failure."""
    recycle_limit: int = 3
    """So many lives in the window that were replaced without having done a job: a loop."""
    recycle_window_s: float = 60.0
    max_age_s: float = 0.0
    """A life that has been ready for so long is replaced, up to a tenth sooner; 0: never."""
    max_memory_bytes: int = 0
    """A life that has grown so large is replaced after its job; 0: never."""
    hard_memory_factor: float = 1.5
    """One that has grown so much larger than that is killed."""
    lock_hold_s: float = 5.0
    """Whoever holds the database's write lock for so long without a commit is killed."""
    trial_s: float = 15.0
    """When a pool fails to start, one slot tries alone until it has been ready for so long."""


@dataclass(frozen=True, slots=True)
class JobSeen:
    """The job a worker says it is in."""

    id: int
    type: str
    overdue: bool
    """Past its hard deadline: nothing inside the process stopped it."""


@dataclass(frozen=True, slots=True)
class Exit:
    """The confirmed end of a life: an exit code, a signal, or `error` if it never started."""

    code: int | None = None
    signal: int | None = None
    error: str | None = None
    evidence: str | None = None
    """What the process left in its crash file."""
    out_of_memory: bool | None = None
    """Of SIGKILL: whether the kernel has just killed for memory; None: that cannot be told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one slot's process since the last turn.

    `beat`, `loop` and `row_beat` are sequence numbers; None where nothing was seen yet. An
    observation of another incarnation than the slot's present life is ignored.
    """

    incarnation: str | None = None
    exit: Exit | None = None
    ready: bool = False
    recycle: str | None = None
    failed: str | None = None
    beat: int | None = None
    loop: int | None = None
    job: JobSeen | None = None
    jobs_done: int = 0
    database_ok: bool = True
    row_beat: int | None = None
    os_status: OsStatus = OsStatus.RUNNING
    cpu_percent: float | None = None
    rss_bytes: int = 0
    lock_held_s: float = 0.0
    """How long it has held the database's write lock without reaching a commit."""


@dataclass(frozen=True, slots=True)
class Life:
    """One process of a slot, from its start to its confirmed end."""

    incarnation: str
    started_s: float
    runs: str = ""
    """What it was started as: the slot's `runs` of then."""
    max_age_s: float = 0.0
    """Its own share of the pool's limit, so that lives that began together do not end together."""
    ready_s: float | None = None
    beat: int | None = None
    beat_s: float = 0.0
    """When `beat` last changed; likewise the two below."""
    loop: int | None = None
    loop_s: float = 0.0
    row_beat: int | None = None
    row_s: float = 0.0
    job: JobSeen | None = None
    jobs_done: int = 0
    database_ok: bool = True
    os_status: OsStatus = OsStatus.RUNNING
    cpu_percent: float | None = None
    rss_bytes: int = 0
    lock_held_s: float = 0.0
    continued_s: float | None = None
    """When it was found stopped and sent SIGCONT: done once in a life."""
    recycle: str | None = None
    """Why it is to be replaced: what it said itself, or the limit that it is past."""
    failed: str | None = None
    """What it said of its own failure before it exited."""
    condemned: str | None = None
    """Why it is being killed."""
    verdict: Cause | None = None
    """What it is being killed for, if that is its own fault."""
    killed: bool = False
    """SIGKILL was sent."""


@dataclass(frozen=True, slots=True)
class Timer:
    """When a slot's state has lasted too long. It means nothing to another life than its own."""

    at_s: float
    incarnation: str | None


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot and all that decisions about it rest on."""

    name: str
    pool: str | None
    role: Role
    runs: str = ""
    """What a life of it is to be: changes with its settings. A life that differs is outdated."""
    state: SlotState = SlotState.DOWN
    desired: Desired = Desired.UP
    reason: str = ""
    """Why it is in its state, in words; empty where the state says it all."""
    degraded: str = ""
    """What is wrong with a process that is left alive; empty: nothing."""
    not_before_s: float = 0.0
    """A slot that is down is not started earlier: staggers the first starts."""
    life: Life | None = None
    timer: Timer | None = None
    kill_at_s: float | None = None
    """Set by a shutdown: whatever lives then gets SIGKILL at once."""
    failures: int = 0
    """Counted exits in a row: the n of the restart backoff."""
    crashes_s: tuple[float, ...] = ()
    """Counted exits of the crash-loop window, lives that had been stable apart."""
    recycles_s: tuple[float, ...] = ()
    on_trial: bool = False
    """The present life is the one try of a fatal slot."""
    start_failure: str = ""
    """How its latest life ended, if that was before it was ready; empty once one stayed up."""
    held_back: str = ""
    """Why it is not started although it could be: another slot of its pool tries first."""
    trouble: str = ""
    """What is wrong with it that its own life does not show: its replacement does not start."""
    retired: bool = False
    """It goes once it has no life: its pool has shrunk, or another slot has taken its place."""
    starts: int = 0
    exits: tuple[LastExit, ...] = ()
    """The latest exits, the newest first."""

    @property
    def last_exit(self) -> LastExit | None:
        """How the latest life ended; None if none has."""
        return self.exits[0] if self.exits else None


@dataclass(frozen=True, slots=True)
class Chance:
    """Randomness and wall time as values, so that decisions stay pure."""

    uniform: float
    """In [0, 1)."""
    incarnation: str
    """A name that no life has had."""
    wall_ms: int
    """Milliseconds since 1970, only ever shown."""


class Deed(StrEnum):
    """What can be done to a process."""

    SPAWN = "spawn"
    DRAIN = "drain"
    TERMINATE = "terminate"
    ABORT = "abort"
    KILL = "kill"
    CONTINUE = "continue"
    DUMP = "dump"
    """Write the stacks of all threads to its stack file, and go on."""


@dataclass(frozen=True, slots=True)
class Act:
    """Do `deed` to the life named `incarnation`; nothing, if that is no longer the slot's."""

    deed: Deed
    incarnation: str
    within_s: float | None = None
    """Of TERMINATE: after so long the process is to give up what it has not finished."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Something an operator should know: an event, and a line in the log."""

    kind: Kind
    incarnation: str | None
    reason: str
    details: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bury:
    """A life has ended for certain: free its leases and forget it."""

    incarnation: str
    overdue: bool
    """It was killed because its job was past the hard deadline."""
    cause: Cause
    last_exit: LastExit


@dataclass(frozen=True, slots=True)
class Fence:
    """A life that SIGKILL did not end: it never runs code again, so its leases are free."""

    incarnation: str
    overdue: bool
    last_exit: LastExit


Action = Act | Tell | Bury | Fence
