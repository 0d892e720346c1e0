"""Jobs, their attempts, log lines and events, and the graph around a job.

The clients return these objects, too: what they have from the database is encoded and decoded like
an answer of the API, so both kinds of client return the same.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Generic, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from orpheus.shared.domain import graph, jobs
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.hidden import Hidden, Rules, masked, masked_anywhere
from orpheus.shared.domain.jobs import JobError, Outcome, Result_co, Status
from orpheus.shared.domain.json_values import object_text
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.messages.encoding import (
    AttemptNumber,
    Seconds,
    Time,
    finished_json,
    optional_time,
    time_of,
)


class JobState(Struct, frozen=True, kw_only=True):
    """What each message about a job has. Times are in UTC."""

    id: int
    type: str
    status: Status
    queue: str
    priority: int
    attempt: AttemptNumber
    max_retries: int
    timeout: Seconds
    """The most that one attempt may take, in seconds."""
    progress: float | None
    message: str | None
    created_at: Time
    run_at: Time
    freed_at: Time | None = None
    """When it last became free to run: all that it depends on had ended, or it went back to
    pending after it was run. null: it is blocked, or has been free since it was submitted or
    retried. It waits for a worker from then on, or from `run_at` if that is later."""
    started_at: Time | None
    """When the last attempt started; null: there is none, or the job was cancelled as it waited."""
    finished_at: Time | None
    worker: str | None
    unique_key: str | None
    concurrency_key: str | None = None
    depends_on: tuple[int, ...]
    tags: tuple[str, ...]
    cancel_requested: bool

    @property
    def ended(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.status in TERMINAL


class ErrorSummary(Struct, frozen=True):
    """Why an attempt failed, in a line."""

    type: str
    message: str


class JobInEvent(JobState, frozen=True, kw_only=True):
    """A job as it was right after an event."""

    error: ErrorSummary | None


class ListedJob(JobState, Generic[Result_co], frozen=True, kw_only=True):
    """A job as it is now."""

    payload: Any
    result: Result_co | None
    """What its function returned, as JSON; null: it is not done, or returned nothing."""
    error: JobError | None
    """Why its last attempt failed; null once it is done."""
    ran_until: Time | None = None
    """When the last attempt of an ended job ended. It is before `finished_at` if the job was
    cancelled while it waited for a retry, or if its worker died while no supervisor ran: then the
    attempt ended when the worker was last heard, and the job when its death was found. null: the
    job has not ended, or has no attempt."""
    on_dependency_failure: str = "cancel"
    """`cancel`, `run` or `fail`: what becomes of it when a job it depends on does not end done."""
    scheduled_at: Time | None = None
    """The time of the schedule that it was made for; null: no schedule has made it."""
    expires_at: Time | None = None
    """If it has not started by then, it is cancelled."""
    unique_until: Time | None = None
    """Until then its unique key stays taken, also if it has ended."""
    retention: Seconds | None = None
    """How long it is kept after it is done, in seconds; null: as [retention] says."""


class Attempt(Struct, frozen=True):
    """One run of a job."""

    number: int
    outcome: Outcome | None
    """null while it runs."""
    worker: str
    pid: int
    started_at: Time
    finished_at: Time | None
    error: JobError | None
    cpu_s: float | None = None
    """CPU time of the worker and of programs that it waited for; null: not measured."""
    max_rss_bytes: int | None = None
    """The most memory that the worker, or a program that it waited for, had in use."""


class Job(ListedJob[Result_co], Generic[Result_co], frozen=True, kw_only=True):
    """A job with its attempts."""

    attempts: tuple[Attempt, ...] = ()
    """Oldest first. Of a client's methods, only `get` and `wait` read them."""
    has_steps: bool | UnsetType = UNSET
    """true: it is a durable function that has kept something (GET /jobs/{id}/steps)."""


class RunningJob(Struct, frozen=True):
    """What a worker is doing."""

    id: int
    type: str
    progress: float | None
    message: str | None
    started_at: Time


class LogLine(Struct, frozen=True):
    """One line that a job wrote."""

    id: int
    attempt: int
    at: Time
    level: str
    line: str
    fields: dict[str, Any]


class LogLines(Struct, frozen=True):
    """Lines of a job's log, oldest first."""

    items: list[LogLine]


class Event(Struct, frozen=True):
    """A change of a job, and the job as it was right after it."""

    seq: int
    at: Time
    kind: Annotated[str, Meta(extra_json_schema={"enum": [*Kind]})]
    """`job.enqueued`, `job.started`, `job.done` and so on."""
    job: JobInEvent


class Events(Struct, frozen=True):
    """Events of a job, oldest first."""

    items: list[Event]


class Total(Struct, frozen=True):
    """How many match: exactly (`eq`), or at least so many (`gte`)."""

    value: int
    relation: Literal["eq", "gte"]


class SearchedJobs(Struct, frozen=True):
    """How far a page looked that ended before it was full, as its time was over."""

    jobs: int
    """How many jobs it looked at."""
    back_to: Time | None
    """When the last of them was submitted or, in the order of their ends, ended; null: unknown."""


class JobPage(Struct, frozen=True):
    """Jobs, newest first."""

    items: list[ListedJob]
    next_cursor: str | None
    """null on the last page."""
    total: Total
    """Of a text or payload field only what this page has is counted."""
    by_status: dict[str, Total] | None
    """By status, if `by_status` asked for it; a status that no such job can have is left out."""
    searched: SearchedJobs | None
    """null: the page is full, or nothing is left to look at."""
    quarantined: list[str]
    """The types whose jobs are held back now, on whichever page they are."""


class Ids(Struct, frozen=True):
    """The ids of a batch, in its order."""

    ids: list[int]


class Changed(Struct, frozen=True):
    """How many jobs were changed; with `dry_run`, how many would be."""

    changed: int


class GraphNode(Struct, frozen=True):
    """A job of a graph, as it is now."""

    id: int
    type: str
    status: Status
    attempt: AttemptNumber
    progress: float | None


class GraphEdge(Struct, frozen=True):
    """One job waits for another. Both are nodes of the graph."""

    job: int
    depends_on: int


class JobGraph(Struct, frozen=True):
    """A job, the jobs that it waits for and those that wait for it, directly or through others."""

    nodes: list[GraphNode]
    """By id. Jobs that were deleted are left out."""
    edges: list[GraphEdge]
    complete: bool
    """false: there are more than 200. The nearest are shown, of both directions."""


def listed_job_of(job: jobs.Job, hidden: Hidden) -> ListedJob:
    """Return a job without its attempts."""
    return ListedJob(**_whole(job, hidden))


def job_of(
    job: jobs.Job, attempts: Iterable[jobs.Attempt], hidden: Hidden, *, has_steps: bool = False
) -> Job:
    """Return a job with its attempts."""
    return Job(
        **_whole(job, hidden),
        attempts=tuple(map(attempt_of, attempts)),
        has_steps=has_steps or UNSET,
    )


def job_preview_of(job: jobs.Job, hidden: Hidden, chars: int) -> ListedJob:
    """Return a job without a traceback, and with the start of its payload and result as text."""
    payload, result = shown_texts(job, hidden)
    preview = {
        "payload": payload[:chars],
        "result": None if result is None else result[:chars],
        "error": None if job.error is None else replace(job.error, traceback=None),
    }
    return ListedJob(**_whole(job, hidden) | preview)


def shown_texts(job: jobs.Job, hidden: Hidden) -> tuple[str, str | None]:
    """Return a job's payload and result as JSON, with the mask in place of what is hidden."""
    rules = hidden.of(job.type)
    result = None if job.result is None else masked(job.result, rules.result)
    return masked(job.payload, rules.payload), result


def job_in_event_of(job: jobs.Job) -> JobInEvent:
    """Return a job without its payload, result and traceback."""
    error = None if job.error is None else ErrorSummary(job.error.type, job.error.message)
    return JobInEvent(**_state(job), error=error)


def _whole(job: jobs.Job, hidden: Hidden) -> dict[str, Any]:
    payload, result = shown_texts(job, hidden)
    return {
        **_state(job),
        "payload": finished_json(payload),
        "result": None if result is None else finished_json(result),
        "error": job.error,
        "ran_until": optional_time(job.ran_until_ms),
        "on_dependency_failure": job.on_dependency_failure,
        "scheduled_at": optional_time(job.scheduled_ms),
        "expires_at": optional_time(job.expires_ms),
        "unique_until": optional_time(job.unique_until_ms),
        "retention": None if job.retention_ms is None else job.retention_ms / 1000,
    }


def _state(job: jobs.Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "type": job.type,
        "status": job.status,
        "queue": job.queue,
        "priority": job.priority,
        "attempt": job.attempt,
        "max_retries": job.max_retries,
        "timeout": job.timeout_s,
        "progress": job.progress,
        "message": job.message,
        "created_at": time_of(job.created_at_ms),
        "run_at": time_of(job.run_at_ms),
        "freed_at": optional_time(job.freed_at_ms),
        "started_at": optional_time(job.started_at_ms),
        "finished_at": optional_time(job.finished_at_ms),
        "worker": job.worker,
        "unique_key": job.unique_key,
        "concurrency_key": job.concurrency_key,
        "depends_on": job.depends_on,
        "tags": job.tags,
        "cancel_requested": job.cancel_requested,
    }


def attempt_of(attempt: jobs.Attempt) -> Attempt:
    """Return one attempt."""
    return Attempt(
        attempt.number,
        attempt.outcome,
        attempt.worker,
        attempt.pid,
        time_of(attempt.started_at_ms),
        optional_time(attempt.finished_at_ms),
        attempt.error,
        attempt.cpu_s,
        attempt.max_rss_bytes,
    )


def running_job_of(job: jobs.RunningJob | None) -> RunningJob | None:
    """Return what a worker is doing; None if nothing."""
    if job is None:
        return None
    return RunningJob(job.id, job.type, job.progress, job.message, time_of(job.started_at_ms))


def log_line_of(line: jobs.LogLine, rules: Rules) -> LogLine:
    """Return one line that a job wrote; `rules`: those of its type."""
    fields = finished_json(masked_anywhere(object_text(line.fields), rules))
    return LogLine(line.id, line.attempt, time_of(line.at_ms), line.level, line.line, fields)


def graph_of(found: graph.Graph) -> JobGraph:
    """Return a graph as nodes and edges."""
    return JobGraph(
        [GraphNode(job.id, job.type, job.status, job.attempt, job.progress) for job in found.jobs],
        [GraphEdge(job, other) for job, other in found.links],
        found.is_complete,
    )
