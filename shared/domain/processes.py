"""What the database knows of processes.

A *slot* (`default-1`, `api`, `supervisor`) is a position; an *incarnation* is one life of a
process in it, named by a random text. A process writes its own heartbeat row (ProcessRecord);
the supervisor writes what it thinks of each slot (SlotRecord).
"""

import signal
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Which program a process is."""

    SUPERVISOR = "supervisor"
    API = "api"
    WORKER = "worker"


class SlotState(StrEnum):
    """The states of a slot; what moves between them is supervisor/policy/state_machine.py."""

    DOWN = "down"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPING = "stopping"
    KILLING = "killing"
    STUCK = "stuck"
    BACKOFF = "backoff"
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A heartbeat row, written by the process itself.

    `beat` counts up with every heartbeat; `last_beat_mono_ms` is on the monotonic clock of
    `boot_id`. `create_time_s` (seconds after boot, see shared/process/clock.py) tells a recycled
    pid apart.
    """

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
    job_id: int | None
    jobs_done: int


@dataclass(frozen=True, slots=True)
class LastExit:
    """How one life of a slot ended.

    `evidence`: what is known of why (a stack, a line). `out_of_memory`: whether the kernel killed
    it for memory; None where that cannot be told.
    """

    at_ms: int
    reason: str
    signal: str | None
    code: int | None
    evidence: str | None
    uptime_s: float = 0.0
    out_of_memory: bool | None = None


def rejection(reason: str) -> str:
    """Return the sentence that tells an operator why a configuration is not in force."""
    return f"configuration rejected: {reason}"


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """A slot as the supervisor sees it, written by the supervisor."""

    slot: str
    pool: str | None
    role: Role
    state: SlotState
    degraded: bool
    reason: str
    pid: int | None
    incarnation: str | None
    cpu_percent: float | None
    rss_bytes: int | None
    started_at_ms: int | None
    restarts: int
    exits: tuple[LastExit, ...]
    """The latest exits, the newest first."""
    rejected: str | None = None
    """Why the newest configuration is not in force, of the supervisor alone; None: it is."""

    @property
    def last_exit(self) -> LastExit | None:
        """How the latest life ended; None if none has."""
        return self.exits[0] if self.exits else None


def signal_name(number: int) -> str:
    """Return `SIGKILL` for 9; `signal 40` where there is no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
