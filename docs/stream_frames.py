"""The messages of `/ws`, from which docs/stream.md is made.

The API does not use them, because it encodes each message once for all clients
(api/stream/messages.py). A test checks every message that it sees against them.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from orpheus.shared.messages.encoding import Time
from orpheus.shared.messages.job_types import JobType
from orpheus.shared.messages.jobs import JobInEvent, LogLine
from orpheus.shared.messages.queues import Counts
from orpheus.shared.messages.workers import WorkerSummary

Seq = Annotated[int, Meta(ge=0, description="Where in the stream: the events are 1, 2, 3, …")]


class _Event(Struct, kw_only=True):
    at: Time


class _Stored(_Event, kw_only=True):
    seq: Seq


class JobEvent(_Stored, kw_only=True):
    """Something happened to a job."""

    kind: Literal[
        "job.enqueued",
        "job.started",
        "job.retrying",
        "job.snoozed",
        "job.released",
        "job.reclaimed",
        "job.done",
        "job.failed",
        "job.cancelled",
        "job.unblocked",
        "job.cancel_requested",
        "job.requeued",
        "job.deleted",
    ]
    job: JobInEvent


class JobProgress(_Event, kw_only=True):
    """How far a running job is. Not stored: it has no seq, and only the newest one comes."""

    kind: Literal["job.progress"]
    job: JobInEvent


class SlotProcess(Struct, kw_only=True, omit_defaults=True):
    """A slot, and the process in it. What is not known is left out."""

    host: str
    slot: str
    pool: str | None
    incarnation: str | None
    reason: str
    pid: int | None = None
    cause: str | None = None
    """`worker.exited`: what GET /metrics counts it as."""
    signal: str | None = None
    code: int | None = None
    uptime_s: float | None = None
    out_of_memory: bool | None = None
    evidence: str | None = None
    """What is known of why: a stack, a line."""


class WorkerEvent(_Stored, kw_only=True):
    """Something happened to a process of the supervisor, the API included."""

    kind: Literal[
        "worker.started",
        "worker.ready",
        "worker.exited",
        "worker.hung",
        "worker.fatal",
    ]
    worker: SlotProcess


class Reloaded(Struct, kw_only=True):
    """A configuration that is in force now on a host."""

    host: str
    source: str
    """The file; empty if there is none."""
    why: str
    changed: list[str]
    """The settings that are not what they were; of several tables, which of them: `schedules:
    nightly`. Secrets of alerts are not compared."""
    restarts: list[str]
    """The slots that are replaced for it."""


class ConfigReloaded(_Stored, kw_only=True):
    """A new configuration is in force."""

    kind: Literal["config.reloaded"]
    config: Reloaded


class Rejected(Struct, kw_only=True):
    """A configuration that does not check."""

    host: str
    source: str
    """The file; empty if there is none."""
    why: str
    reason: str


class ConfigRejected(_Stored, kw_only=True):
    """A new configuration does not check; the old one stays in force."""

    kind: Literal["config.rejected"]
    config: Rejected


class PausedQueue(Struct, kw_only=True):
    """A queue, and whether its jobs wait."""

    name: str
    paused: bool


class QueueEvent(_Stored, kw_only=True):
    """A queue was paused or resumed."""

    kind: Literal["queue.paused", "queue.resumed"]
    queue: PausedQueue


class KilledWorker(Struct, kw_only=True):
    """A job that killed its worker."""

    job: int
    attempt: int
    worker: str
    evidence: str
    """How the process ended."""


class JobTypeChange(Struct, kw_only=True, omit_defaults=True):
    """A job type that is held back, or no more."""

    name: str
    crashes: list[KilledWorker] = []
    """`type.quarantined`: why."""
    by: str | None = None
    """`type.released`: `new job code`, if that did it."""


class TypeEvent(_Stored, kw_only=True):
    """A job type was quarantined or released."""

    kind: Literal["type.quarantined", "type.released"]
    type: JobTypeChange


class FiredSchedule(Struct, kw_only=True):
    """A schedule, the time it fired for, and its job."""

    name: str
    tick: Time
    job_id: int


class ScheduleEvent(_Stored, kw_only=True):
    """A schedule enqueued its job."""

    kind: Literal["schedule.fired"]
    schedule: FiredSchedule


class Supervisor(Struct, kw_only=True, omit_defaults=True):
    """The process of a host's supervisor."""

    host: str
    slot: str
    pid: int
    reason: str | None = None
    """Why it stops."""


class SupervisorEvent(_Stored, kw_only=True):
    """The supervisor started, or begins to stop."""

    kind: Literal["supervisor.started", "supervisor.stopping"]
    supervisor: Supervisor


Event = Annotated[dict[str, Any], Meta(title="an event, below")]


class Hello(Struct, kw_only=True, tag_field="type", tag="hello"):
    """Always first, and again after each `reset`."""

    epoch: str
    """The history of the database that the seqs belong to; a restored backup has another one. After
    `?after=N&epoch=E`: E."""
    seq: Seq
    """The last event; after `?after=N`: N. The next one is seq + 1."""
    counts: Counts
    """Jobs by status, at this moment."""
    workers: list[WorkerSummary]
    types: list[JobType]
    job: JobInEvent | UnsetType | None = UNSET
    """Of `?job=ID` only: the job now, as events carry it; null if it was deleted. If it has ended,
    no event tells that again."""


class Events(Struct, kw_only=True, tag_field="type", tag="events"):
    """What happened, in the order of commits, without a gap; progress comes last.

    One at once while little happens; else several to a frame, and a frame in 250 ms.
    """

    events: list[Event]


class Heartbeat(Struct, kw_only=True, tag_field="type", tag="heartbeat"):
    """Each second: what no event tells of."""

    at: Time
    counts: Counts
    workers: list[WorkerSummary]


class Reset(Struct, kw_only=True, tag_field="type", tag="reset"):
    """Events are missing here: forget what you know. A hello follows, of the present.

    They are no longer kept, or were never there (another epoch), or the client was too slow.
    """

    oldest: int
    """The oldest seq that is kept; GET /jobs has the rest."""


class Log(Struct, kw_only=True, tag_field="type", tag="log"):
    """With `?job=ID`: what the job wrote; first what it had written already."""

    job: int
    lines: list[LogLine]


Frame = Hello | Events | Heartbeat | Reset | Log
FRAMES = (Hello, Events, Heartbeat, Reset, Log)
EVENTS: tuple[Any, ...] = (
    JobEvent,
    JobProgress,
    WorkerEvent,
    QueueEvent,
    TypeEvent,
    ScheduleEvent,
    ConfigReloaded,
    ConfigRejected,
    SupervisorEvent,
)
