"""What the policy decides about: frozen data, no behaviour, no I/O.

A `Slot` is a position (`default-1`, `api`); a `Life` is one process in it, named by its
incarnation. Everything that ends in `_s` is a point on the supervisor's own monotonic clock, but
for the durations of `Rules`: what a child says of time is never compared with it.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from shared.events import Kind
from shared.processes import LastExit, Role, SlotState


class Desired(StrEnum):
    """What should be of a slot: the only truth that a restart or a stop goes by."""

    UP = "up"
    DOWN = "down"


class OsStatus(StrEnum):
    """What the kernel says a process is doing, as far as it matters here."""

    RUNNING = "running"
    STOPPED = "stopped"
    UNINTERRUPTIBLE = "uninterruptible"


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
    recycle_window_s: float = 60.0


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
    database_ok: bool = True
    row_beat: int | None = None
    os_status: OsStatus = OsStatus.RUNNING


@dataclass(frozen=True, slots=True)
class Life:
    """One process of a slot, from its start to its confirmed end."""

    incarnation: str
    started_s: float
    ready_s: float | None = None
    beat: int | None = None
    beat_s: float = 0.0
    """When `beat` last changed; likewise the two below."""
    loop: int | None = None
    loop_s: float = 0.0
    row_beat: int | None = None
    row_s: float = 0.0
    job: JobSeen | None = None
    database_ok: bool = True
    os_status: OsStatus = OsStatus.RUNNING
    continued_s: float | None = None
    """When it was found stopped and sent SIGCONT: done once in a life."""
    recycle: str | None = None
    """Why it asked to be replaced."""
    failed: str | None = None
    """What it said of its own failure before it exited."""
    condemned: str | None = None
    """Why it is being killed."""
    overdue: bool = False
    """It is being killed because its job was past the hard deadline."""
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
    last_exit: LastExit


Action = Act | Tell | Bury
