"""What the policy decides about, and what it answers: frozen data, no behaviour, no I/O.

A `Slot` is a position (`default-1`, `api`); a `Process` runs in it, and its incarnation is its
name. Whatever ends in `_s` is a time on the supervisor's own monotonic clock, except for the
durations in `Rules`. A time that a child reports is never compared with it.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import LastExit, Role, SlotState
from orpheus.shared.domain.programs import RestartPolicy


class Desired(StrEnum):
    """What a slot should be. Restarts and stops set this and nothing else, so they cannot race."""

    UP = "up"
    DOWN = "down"
    """Stop now: finish within the stop timeout."""
    DRAINED = "drained"
    """Finish the running job, then stay down."""
    ENDED = "ended"
    """Stay down: the program has ended by itself, and its `restart` does not start it again."""
    REPLACE = "replace"
    """Finish the running job, then start again; a slot without a process starts at once."""


class OsStatus(StrEnum):
    """What the kernel says a process is doing, as far as it matters here."""

    RUNNING = "running"
    STOPPED = "stopped"
    UNINTERRUPTIBLE = "uninterruptible"


class Cause(StrEnum):
    """Why a process ended, in one word: exits are counted by it."""

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
    """By a signal such as SIGSEGV."""
    FAILED = "failed"
    """With an exit code."""


class Rules(msgspec.Struct, frozen=True):
    """The durations (in seconds) and limits of the policy."""

    start_timeout_s: float = 60.0
    stop_timeout_s: float = 25.0
    stop_margin_s: float = 1.0
    """How long before it is killed a stopping process releases its unfinished jobs."""
    drain_timeout_s: float = 300.0
    beat_interval_s: float = 2.0
    beat_timeout_s: float = 15.0
    backoff_max_s: float = 30.0
    crash_loop_failures: int = 6
    crash_loop_window_s: float = 180.0
    backoff_base_s: float = 0.5
    fatal_retry_s: float = 300.0
    database_retry_s: float = 1.0
    """How soon a process that found no usable database is started again."""
    abort_wait_s: float = 2.0
    """How long a process may take to write its stack and die of SIGABRT."""
    kill_wait_s: float = 5.0
    """How long a process may remain after SIGKILL before its slot is `stuck`."""
    stable_s: float = 5.0
    """A process that was ready for this long started well: its crash is not a failed start."""
    early_exit_s: float = 60.0
    """A process that exits with 0 sooner than this without being told to counts as a failure."""
    recycle_limit: int = 3
    """This many processes replaced within the window without a job done count as a failure."""
    recycle_window_s: float = 60.0
    max_age_s: float = 0.0
    """A process that has been ready for this long is replaced, up to a tenth sooner; 0: never."""
    max_memory_bytes: int = 0
    """A process that uses more is replaced after its job; 0: never."""
    hard_memory_factor: float = 1.5
    """A process that uses more than this many times max_memory_bytes is killed."""
    lock_hold_s: float = 5.0
    """A process that holds the write lock for this long without a commit is killed."""
    replacements_first: bool = False
    """An outdated worker goes once its replacement is ready, all at once: for development."""
    trial_s: float = 15.0
    """When a pool fails to start, one slot tries alone until it has been ready for this long."""
    ready_after_s: float | None = None
    """A program that has run for this long is ready; None: it shows it in another way."""
    restart: RestartPolicy = RestartPolicy.ALWAYS
    """When a program that has ended by itself is started again."""


class ObservedJob(msgspec.Struct, frozen=True):
    """The job that a worker reports to run."""

    id: int
    type: str
    overdue: bool
    """Past its hard deadline: nothing inside the process could stop it."""


class Exit(msgspec.Struct, frozen=True):
    """The confirmed end of a process: an exit code, a signal, or `error` if it never started."""

    code: int | None = None
    signal: int | None = None
    error: str | None = None
    evidence: str | None = None
    """What the process wrote to its crash file."""
    out_of_memory: bool | None = None
    """Of SIGKILL: whether the kernel has just killed for memory; None if it cannot be known."""
    in_job: bool = False
    """It had entered a job whose result it had not reported."""
    job_ended: bool = False
    """The code of some job had returned in it."""
    output: str | None = None
    """The last lines that its jobs wrote."""
    jobs: tuple[int, ...] = ()
    """The ids of the jobs that it was running."""


class Observation(msgspec.Struct, frozen=True):
    """Everything observed of one process so far.

    `beat`, `loop` and `row_beat` are sequence numbers, None until the first one is seen. `decide`
    ignores an observation of another incarnation than the slot's present process.
    """

    incarnation: str | None = None
    exit: Exit | None = None
    ready: bool = False
    recycle: str | None = None
    """Why the process asks to be replaced."""
    failed: str | None = None
    """What the process reported of its own failure before it exited."""
    evidence: str | None = None
    """The traceback of that failure."""
    beat: int | None = None
    loop: int | None = None
    job: ObservedJob | None = None
    jobs_done: int = 0
    database_ok: bool = True
    supervisor_writes: bool = False
    """The supervisor itself has just written to the database."""
    row_beat: int | None = None
    os_status: OsStatus = OsStatus.RUNNING
    rss_bytes: int = 0
    lock_held_s: float = 0.0
    """How long it has held the database's write lock without a commit."""
    unhealthy: str = ""
    """Why the checks of a program say that it is dead; empty: they do not."""
    unready: str = ""
    """What a program that is not ready waits for, and what its check found last."""


class Process(msgspec.Struct, frozen=True):
    """The process of a slot, from its start to its confirmed end."""

    incarnation: str
    started_s: float
    fingerprint: str = ""
    """The slot's `fingerprint` when the process was started."""
    max_age_s: float = 0.0
    """A random share of the limit, so that the processes of a pool do not all reach it at once."""
    seen: Observation = Observation()
    ready_s: float | None = None
    beat_s: float = 0.0
    """When `seen.beat` last changed; `loop_s` and `row_s` likewise."""
    loop_s: float = 0.0
    row_s: float = 0.0
    write_s: float = 0.0
    """When it could last write to the database, or the supervisor could not write either."""
    continued_s: float | None = None
    """When it was last found stopped and sent SIGCONT."""
    recycle: str | None = None
    """Why it is to be replaced: its own request, or the limit that it has passed."""
    kill_reason: str | None = None
    """Why it is being killed."""
    kill_cause: Cause | None = None
    """What its exit will be counted as if it is killed through its own fault."""
    killed: bool = False
    """SIGKILL was sent."""


class Timer(msgspec.Struct, frozen=True):
    """When a slot's state has lasted too long. It expires only for the process it was set for."""

    at_s: float
    incarnation: str | None


class Slot(msgspec.Struct, frozen=True):
    """A slot, and everything that decisions about it depend on."""

    name: str
    pool: str | None
    role: Role
    fingerprint: str = ""
    """Changes with the slot's settings. A process with another fingerprint is outdated."""
    state: SlotState = SlotState.DOWN
    desired: Desired = Desired.UP
    reason: str = ""
    """Why it is in its state, in words; empty where the state needs no reason."""
    degraded: str = ""
    """What is wrong with a process that is left running; empty: nothing."""
    not_before_s: float = 0.0
    """A slot that is down does not start before this: it staggers the first starts."""
    process: Process | None = None
    timer: Timer | None = None
    kill_at_s: float | None = None
    """Set by a shutdown: a process that still runs then is sent SIGKILL at once."""
    failures: int = 0
    """Failures in a row: the n of the restart backoff."""
    crashes_s: tuple[float, ...] = ()
    """Failures within the crash-loop window, without stable processes and deaths in jobs."""
    recycles_s: tuple[float, ...] = ()
    on_trial: bool = False
    """The present process is the retry of a fatal slot."""
    start_failure: str = ""
    """How the latest process ended, if it was never ready; empty once one stayed up."""
    held_back: str = ""
    """Why it does not start although it could: other slots come first, or leases are not freed."""
    trouble: str = ""
    """What is wrong with the slot but not with its process: the replacement does not start."""
    after: tuple[str, ...] = ()
    """The programs that must be ready before this one is started, and stop after it."""
    retired: bool = False
    """The slot is removed once it has no process: its pool shrank, or it was set aside."""
    starts: int = 0
    exits: tuple[LastExit, ...] = ()
    """The latest exits, the newest first, as `kept_exits` keeps them."""

    @property
    def last_exit(self) -> LastExit | None:
        """How the latest process ended; None if none has."""
        return self.exits[0] if self.exits else None


class Turn(msgspec.Struct, frozen=True):
    """The time of one turn of the main loop, and random values: the policy makes none itself."""

    now_s: float
    uniform: float
    """In [0, 1)."""
    incarnation: str
    """A name for a new process, never used before."""
    wall_ms: int
    """Milliseconds since 1970, only ever shown."""


class Trigger(StrEnum):
    """What moves a slot to another state, apart from the exit of its process."""

    WANTED = "wanted"
    UNWANTED = "not wanted"
    DRAIN = "to be drained"
    REPLACE = "to be replaced"
    READY = "ready"
    RECYCLE = "past a limit, or asks to be replaced"
    FAULT = "hung, past a hard limit, or holding the write lock"
    TIMEOUT = "the state has lasted too long"
    SURVIVED = "still there after SIGKILL"
    DEADLINE = "the shutdown's deadline has passed"


class Verdict(NamedTuple):
    """The trigger that applies now, and why; `cause` if the process is itself at fault."""

    trigger: Trigger
    why: str = ""
    cause: Cause | None = None


class ProcessCommand(StrEnum):
    """What the loop can do to a process."""

    SPAWN = "spawn"
    DRAIN = "drain"
    TERMINATE = "terminate"
    ABORT = "abort"
    KILL = "kill"
    CONTINUE = "continue"
    DUMP = "dump"
    """Write the stacks of all threads, and go on."""


class SendCommand(msgspec.Struct, frozen=True):
    """Do `command` to the process with this incarnation; ignored once the process has ended."""

    command: ProcessCommand
    incarnation: str
    within_s: float | None = None
    """With TERMINATE: after this long the process releases the jobs it has not finished."""


class Announce(msgspec.Struct, frozen=True):
    """Tell operators: write an event and a line in the log."""

    kind: Kind
    incarnation: str | None
    reason: str
    details: dict[str, object] = msgspec.field(default_factory=dict)


class ProcessEnded(msgspec.Struct, frozen=True):
    """A process that will run no more code: its leases are freed and its row is deleted."""

    slot: str
    incarnation: str
    last_exit: LastExit
    cause: Cause | None = None
    """What the exit is counted as. None: not seen to exit, so not counted (still there after
    SIGKILL, or left by an earlier supervisor)."""
    overdue: bool = False
    """Killed because its job was past the hard deadline."""
    was_stopped: bool = False
    """It was told to end, or somebody killed it, through no fault of its own."""


Action = SendCommand | Announce | ProcessEnded
