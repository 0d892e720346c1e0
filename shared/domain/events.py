"""All kinds of events, and what an event is.

An event is written in the transaction of the change that it reports. SQLite has one writer, so the
order of `seq` is the order of commits: a reader that has read up to N continues at N+1 and misses
nothing.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """Every kind of event. All are stored but `job.progress`."""

    JOB_ENQUEUED = "job.enqueued"
    JOB_STARTED = "job.started"
    JOB_RETRYING = "job.retrying"
    JOB_SNOOZED = "job.snoozed"
    JOB_RELEASED = "job.released"
    JOB_RECLAIMED = "job.reclaimed"
    JOB_DONE = "job.done"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    JOB_UNBLOCKED = "job.unblocked"
    JOB_CANCEL_REQUESTED = "job.cancel_requested"
    JOB_REQUEUED = "job.requeued"
    JOB_DELETED = "job.deleted"
    JOB_PROGRESS = "job.progress"
    WORKER_STARTED = "worker.started"
    WORKER_READY = "worker.ready"
    WORKER_EXITED = "worker.exited"
    WORKER_HUNG = "worker.hung"
    WORKER_FATAL = "worker.fatal"
    CONFIG_RELOADED = "config.reloaded"
    CONFIG_REJECTED = "config.rejected"
    QUEUE_PAUSED = "queue.paused"
    QUEUE_RESUMED = "queue.resumed"
    SCHEDULE_FIRED = "schedule.fired"
    TYPE_QUARANTINED = "type.quarantined"
    TYPE_RELEASED = "type.released"
    SUPERVISOR_STARTED = "supervisor.started"
    SUPERVISOR_STOPPING = "supervisor.stopping"


class Event(msgspec.Struct, frozen=True):
    """One stored event.

    `body` is a JSON object as text: for `job.…` kinds the job right after the change, without
    payload, result and traceback, its times in milliseconds (`created_at_ms`, …, `timeout_s`);
    for the others the thing that the kind's first word names (`{"slot": "default-1", "pid": 7}`).
    """

    seq: int
    at_ms: int
    kind: Kind
    job_id: int | None
    body: str
