"""The messages of `/ws` as models, from which docs/stream.md is made.

The API does not use them, because it encodes each message once for all clients
(api/stream/messages.py). A test checks every message that it sees against them.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from orpheus.shared.domain.events import Kind
from orpheus.shared.views.job_types import JobType
from orpheus.shared.views.jobs import JobSummary, LogLine
from orpheus.shared.views.queues import Counts
from orpheus.shared.views.workers import WorkerSummary

Seq = Annotated[int, Field(ge=0, description="Where in the stream: the events are 1, 2, 3, …")]


class _Event(BaseModel):
    at: datetime


class _Stored(_Event):
    seq: Seq


class JobEvent(_Stored):
    """Something happened to a job."""

    kind: Literal[
        Kind.JOB_ENQUEUED,
        Kind.JOB_STARTED,
        Kind.JOB_RETRYING,
        Kind.JOB_SNOOZED,
        Kind.JOB_RELEASED,
        Kind.JOB_RECLAIMED,
        Kind.JOB_DONE,
        Kind.JOB_FAILED,
        Kind.JOB_CANCELLED,
        Kind.JOB_UNBLOCKED,
        Kind.JOB_CANCEL_REQUESTED,
        Kind.JOB_REQUEUED,
        Kind.JOB_DELETED,
    ]
    job: JobSummary


class JobProgress(_Event):
    """How far a running job is. Not stored: it has no seq, and only the newest one comes."""

    kind: Literal[Kind.JOB_PROGRESS]
    job: JobSummary


class SlotProcess(BaseModel):
    """A slot, and the process in it. What is not known is left out."""

    host: str
    slot: str
    pool: str | None
    incarnation: str | None
    reason: str
    pid: int | None = None
    cause: str | None = Field(None, description="`worker.exited`: what GET /metrics counts it as.")
    signal: str | None = None
    code: int | None = None
    uptime_s: float | None = None
    out_of_memory: bool | None = None
    evidence: str | None = Field(None, description="What is known of why: a stack, a line.")


class WorkerEvent(_Stored):
    """Something happened to a process of the supervisor, the API included."""

    kind: Literal[
        Kind.WORKER_STARTED,
        Kind.WORKER_READY,
        Kind.WORKER_EXITED,
        Kind.WORKER_HUNG,
        Kind.WORKER_FATAL,
    ]
    worker: SlotProcess


class Reloaded(BaseModel):
    """A configuration that is in force now on a host."""

    host: str
    source: str = Field(description="The file; empty if there is none.")
    why: str
    changed: list[str] = Field(
        description="The settings that are not what they were; of several tables, which of them: "
        "`schedules: nightly`. Secrets of alerts are not compared."
    )
    restarts: list[str] = Field(description="The slots that are replaced for it.")


class ConfigReloaded(_Stored):
    """A new configuration is in force."""

    kind: Literal[Kind.CONFIG_RELOADED]
    config: Reloaded


class Rejected(BaseModel):
    """A configuration that does not check."""

    host: str
    source: str = Field(description="The file; empty if there is none.")
    why: str
    reason: str


class ConfigRejected(_Stored):
    """A new configuration does not check; the old one stays in force."""

    kind: Literal[Kind.CONFIG_REJECTED]
    config: Rejected


class PausedQueue(BaseModel):
    """A queue, and whether its jobs wait."""

    name: str
    paused: bool


class QueueEvent(_Stored):
    """A queue was paused or resumed."""

    kind: Literal[Kind.QUEUE_PAUSED, Kind.QUEUE_RESUMED]
    queue: PausedQueue


class KilledWorker(BaseModel):
    """A job that killed its worker."""

    job: int
    attempt: int
    worker: str
    evidence: str = Field(description="How the process ended.")


class JobTypeChange(BaseModel):
    """A job type that is held back, or no more."""

    name: str
    crashes: list[KilledWorker] = Field([], description="`type.quarantined`: why.")
    by: str | None = Field(None, description="`type.released`: `new job code`, if that did it.")


class TypeEvent(_Stored):
    """A job type was quarantined or released."""

    kind: Literal[Kind.TYPE_QUARANTINED, Kind.TYPE_RELEASED]
    type: JobTypeChange


class FiredSchedule(BaseModel):
    """A schedule, the time it fired for, and its job."""

    name: str
    tick: datetime
    job_id: int


class ScheduleEvent(_Stored):
    """A schedule enqueued its job."""

    kind: Literal[Kind.SCHEDULE_FIRED]
    schedule: FiredSchedule


class Supervisor(BaseModel):
    """The process of a host's supervisor."""

    host: str
    slot: str
    pid: int
    reason: str | None = Field(None, description="Why it stops.")


class SupervisorEvent(_Stored):
    """The supervisor started, or begins to stop."""

    kind: Literal[Kind.SUPERVISOR_STARTED, Kind.SUPERVISOR_STOPPING]
    supervisor: Supervisor


Event = Annotated[
    JobEvent
    | JobProgress
    | WorkerEvent
    | QueueEvent
    | TypeEvent
    | ScheduleEvent
    | ConfigReloaded
    | ConfigRejected
    | SupervisorEvent,
    Field(discriminator="kind"),
]


class Hello(BaseModel):
    """Always first, and again after each `reset`."""

    type: Literal["hello"]
    epoch: str = Field(
        description="The history of the database that the seqs belong to; a restored backup has "
        "another one. After `?after=N&epoch=E`: E."
    )
    seq: Seq = Field(description="The last event; after `?after=N`: N. The next one is seq + 1.")
    counts: Counts = Field(description="Jobs by status, at this moment.")
    workers: list[WorkerSummary]
    types: list[JobType]
    job: JobSummary | None = Field(
        None,
        description="Of `?job=ID` only: the job now, as events carry it; null if it was deleted. "
        "If it has ended, no event tells that again.",
    )


class Events(BaseModel):
    """What happened, in the order of commits, without a gap; progress comes last.

    One at once while little happens; else several to a frame, and a frame in 250 ms.
    """

    type: Literal["events"]
    events: list[Event]


class Heartbeat(BaseModel):
    """Each second: what no event tells of."""

    type: Literal["heartbeat"]
    at: datetime
    counts: Counts
    workers: list[WorkerSummary]


class Reset(BaseModel):
    """Events are missing here: forget what you know. A hello follows, of the present.

    They are no longer kept, or were never there (another epoch), or the client was too slow.
    """

    type: Literal["reset"]
    oldest: int = Field(description="The oldest seq that is kept; GET /jobs has the rest.")


class Log(BaseModel):
    """With `?job=ID`: what the job wrote; first what it had written already."""

    type: Literal["log"]
    job: int
    lines: list[LogLine]


class Summary(BaseModel):
    """With `?mode=summary`: what many events say together."""

    type: Literal["summary"]
    after: Seq = Field(description="It is about the events after this seq,")
    seq: Seq = Field(description="and up to this one.")
    counts: dict[str, dict[str, int]] = Field(
        description="How many events of jobs there were, by kind and job type."
    )
    changed: dict[str, list[int | list[int]]] = Field(
        description="Each job that they are about, under the kind of its newest event: an id, or "
        "the first and the last one of a run."
    )
    events: list[Event] = Field(
        description="The newest event of each of the 20 newest jobs, and up to 100 events that are "
        "not about jobs; the newest of them, as far as 200 KB hold them. Progress comes last."
    )


Frame = Annotated[Hello | Events | Heartbeat | Reset | Log | Summary, Field(discriminator="type")]
FRAME: TypeAdapter[Any] = TypeAdapter(Frame)
"""Any frame."""
FRAMES: tuple[type[BaseModel], ...] = (Hello, Events, Heartbeat, Reset, Log, Summary)
EVENTS: tuple[type[BaseModel], ...] = (
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
