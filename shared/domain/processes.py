"""Processes as the database records them.

A *slot* (`default-1`, `api`, `supervisor`) is a position on a *host*; an *incarnation* is the
random name of one process in it. A process writes its own heartbeat row (ProcessRecord); the
supervisor writes the state of each slot of its host (SlotRecord).
"""

import signal
from enum import StrEnum

import msgspec

API_SLOT = "api"
FAILURES_WITHIN_S = 600.0
"""How far back failed exits of a slot are counted."""
RECENT_EXITS = 5
"""So many of the latest exits of a slot are kept whole; of failures before them, less is known."""
MOST_EXITS = 100
SILENT_MS = 60_000
"""A process that cannot be seen from here is taken for dead once it is silent for longer."""


class Role(StrEnum):
    """The program that a process runs."""

    SUPERVISOR = "supervisor"
    API = "api"
    WORKER = "worker"
    PROGRAM = "program"
    """A foreign program, as `[[programs]]` says."""


class SlotState(StrEnum):
    """The states of a slot; supervisor/policy/state_machine.py has the transitions."""

    DOWN = "down"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPING = "stopping"
    KILLING = "killing"
    STUCK = "stuck"
    BACKOFF = "backoff"
    FATAL = "fatal"


class Order(StrEnum):
    """What is to become of a slot, or has become of it, beside its state."""

    DRAINED = "drained"
    """An operator takes its process away, and none is started until it is restarted."""
    REPLACED = "replaced"
    """Its process ends so that another one starts."""
    SCALED_AWAY = "scaled_away"
    """It is not wanted any more, and goes with its process."""
    KEPT_DOWN = "kept_down"
    """It is a program that has ended by itself, and is not started until it is restarted."""
    LOST = "lost"
    """Nothing is heard of its host. This is never stored."""


class ProcessRecord(msgspec.Struct, frozen=True):
    """A heartbeat row, written by the process itself.

    `beat` counts up with every heartbeat; `last_beat_mono_ms` is on the monotonic clock of
    `boot_id`. `create_time_s` (seconds after boot, see shared/process/clock.py) tells a recycled
    pid apart.
    """

    host: str
    incarnation: str
    slot: str
    pool: str | None
    role: Role
    pid: int
    create_time_s: float
    boot_id: str
    started_at_ms: int
    ready: bool
    beat: int
    last_beat_mono_ms: int
    job_id: int | None = None
    jobs_done: int = 0
    places: int = 1
    """How many jobs it runs at once, if it is a worker."""
    build: str = ""
    """The build of the job code that it was started with, if it is a worker: see `Types`."""


class LastExit(msgspec.Struct, frozen=True):
    """How one process of a slot ended.

    `evidence`: a stack or a line that shows why. `out_of_memory`: whether the kernel killed it for
    lack of memory; None if this is unknown. `failed`: whether it counted as a failure; one that was
    wanted did not, whatever its code, nor did one while the database was away. `output`: the last
    lines that its jobs wrote, whether by `ctx.log`, `print` or from C; None if there are none.
    `jobs`: the ids of the jobs that it was running.
    """

    at_ms: int
    reason: str
    signal: str | None
    code: int | None
    evidence: str | None
    uptime_s: float = 0.0
    out_of_memory: bool | None = None
    failed: bool = False
    output: str | None = None
    jobs: tuple[int, ...] = ()


def is_silent(state: SlotState, silent_s: float | None, dead_after_s: float) -> bool:
    """Return whether a slot says nothing any more, before it is taken for dead."""
    return state is SlotState.READY and (silent_s or 0.0) >= dead_after_s / 2


def rejection(reason: str) -> str:
    """Return the sentence that tells an operator why a configuration is not in force."""
    return f"configuration rejected: {reason}"


class SlotRecord(msgspec.Struct, frozen=True):
    """A slot as the supervisor of its host sees it, written by that supervisor."""

    host: str
    slot: str
    pool: str | None
    role: Role
    state: SlotState
    degraded: bool
    reason: str
    """Why it is in its state, or what is wrong with it; without its order and what it waits for."""
    pid: int | None
    incarnation: str | None
    cpu_percent: float | None = None
    rss_bytes: int | None = None
    started_at_ms: int | None = None
    restarts: int = 0
    exits: tuple[LastExit, ...] = ()
    """The newest first: the latest `RECENT_EXITS`, then failures before them."""
    rejected: str | None = None
    """Why the newest configuration is not in force, of the supervisor alone; None: it is."""
    until_ms: int | None = None
    """When a process that drains or stops releases its jobs at the latest, or a supervisor that
    stops has ended; when a slot in backoff or fatal is started; or when a program that starts is
    stopped unless it is ready. None: nothing of these."""
    order: Order | None = None
    waits: str = ""
    """Why it does not start although it could: `waits for db-1`."""

    @property
    def leaves(self) -> bool:
        """Whether it is scaled away: it does not count, and only its process has yet to end."""
        return self.order is Order.SCALED_AWAY

    @property
    def has_ended(self) -> bool:
        """Whether it is a program that did its work: it ended as its `restart` says, and well."""
        return self.order is Order.KEPT_DOWN and not self.degraded

    @property
    def last_exit(self) -> LastExit | None:
        """How the latest process ended; None if none has."""
        return self.exits[0] if self.exits else None


def signal_name(number: int) -> str:
    """Return `SIGKILL` for 9; `signal 40` where there is no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
