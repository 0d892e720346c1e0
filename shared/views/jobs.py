"""Jobs, attempts, log lines and events as the API and the command line show them.

Payloads and results are sent as the text that is stored, so that big integers stay exact.
"""

from typing import Any, cast

import msgspec
import orjson
from typing_extensions import TypedDict

from orpheus.shared.domain import jobs
from orpheus.shared.domain.events import Event as StoredEvent
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.json_values import object_text
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import read_back
from orpheus.shared.views.values import AttemptNumber, Seconds, Time, optional_time


class ErrorSummary(TypedDict):
    """Why an attempt failed, in a line."""

    type: str
    message: str


class Error(ErrorSummary):
    """Why an attempt failed."""

    traceback: str | None


class _JobFields(TypedDict):
    id: int
    type: str
    status: jobs.Status
    queue: str
    priority: int
    attempt: AttemptNumber
    max_retries: int
    timeout: Seconds
    progress: float | None
    message: str | None
    created_at: Time
    run_at: Time
    freed_at: Time | None
    """When it last became free to run: all that it depends on had ended, or it went back to
    pending after it was run. null: it is blocked, or has been free since it was submitted or
    retried. It waits for a worker from then on, or from `run_at` if that is later."""
    started_at: Time | None
    """When the last attempt started; null: there is none, or the job was cancelled as it waited."""
    finished_at: Time | None
    worker: str | None
    unique_key: str | None
    concurrency_key: str | None
    depends_on: tuple[int, ...]
    tags: tuple[str, ...]
    cancel_requested: bool


class JobSummary(_JobFields):
    """A job as events carry it: as it was right after the event."""

    error: ErrorSummary | None


class Job(_JobFields):
    """A job as it stands."""

    payload: Any
    result: Any
    error: Error | None
    ran_until: Time | None
    """When the last attempt of an ended job ended. It is before `finished_at` if the job was
    cancelled while it waited for a retry, or if its worker died while no supervisor ran: then the
    attempt ended when the worker was last heard, and the job when its death was found. null: the
    job has not ended, or has no attempt."""
    on_dependency_failure: str
    """`cancel`, `run` or `fail`: what becomes of it when a job it depends on does not end done."""


class Attempt(TypedDict):
    """One run of a job."""

    number: int
    outcome: jobs.Outcome | None
    """null while it runs."""
    worker: str
    pid: int
    started_at: Time
    finished_at: Time | None
    error: Error | None
    cpu_s: float | None
    """CPU time of the worker and of programs that it waited for; null: not measured."""
    max_rss_bytes: int | None
    """The most memory that the worker, or a program that it waited for, had in use."""


class JobWithAttempts(Job):
    """A job with its attempts, oldest first."""

    attempts: list[Attempt]


class RunningJob(TypedDict):
    """What a worker is doing."""

    id: int
    type: str
    progress: float | None
    message: str | None
    started_at: Time | None


class LogLine(TypedDict):
    """One line a job wrote."""

    id: int
    attempt: int
    at: Time
    level: str
    line: str
    fields: dict[str, Any]


class Event(TypedDict):
    """A change, with the job as it was right after it."""

    seq: int
    at: Time
    kind: Kind
    job: JobSummary


def job_json(job: jobs.Job) -> Job:
    """Return a whole job, without its attempts."""
    return {
        "id": job.id,
        "type": job.type,
        "payload": orjson.Fragment(job.payload),
        "status": job.status,
        "queue": job.queue,
        "priority": job.priority,
        "result": None if job.result is None else orjson.Fragment(job.result),
        "error": error_json(job.error),
        "attempt": job.attempt,
        "max_retries": job.max_retries,
        "timeout": job.timeout_s,
        "progress": job.progress,
        "message": job.message,
        "created_at": rfc3339(job.created_at_ms),
        "run_at": rfc3339(job.run_at_ms),
        "freed_at": optional_time(job.freed_at_ms),
        "started_at": optional_time(job.started_at_ms),
        "finished_at": optional_time(job.finished_at_ms),
        "ran_until": optional_time(job.ran_until_ms),
        "worker": job.worker,
        "unique_key": job.unique_key,
        "concurrency_key": job.concurrency_key,
        "depends_on": job.depends_on,
        "tags": job.tags,
        "cancel_requested": job.cancel_requested,
        "on_dependency_failure": job.on_dependency_failure,
    }


def job_preview_json(job: jobs.Job) -> Job:
    """Return a job whose payload and result are the beginning of their JSON, as text."""
    return {**job_json(job), "payload": job.payload, "result": job.result}


def job_summary_json(job: jobs.Job) -> JobSummary:
    """Return a job as events carry it: without payload, result and traceback."""
    summary: dict[str, Any] = {**job_json(job)}
    for name in ("payload", "result", "ran_until", "on_dependency_failure"):
        del summary[name]
    if job.error is not None:
        summary["error"] = ErrorSummary(type=job.error.type, message=job.error.message)
    return cast("JobSummary", summary)


def running_job_json(job: jobs.RunningJob | None) -> RunningJob | None:
    """Return what a worker is doing; None if nothing."""
    if job is None:
        return None
    return {
        "id": job.id,
        "type": job.type,
        "progress": job.progress,
        "message": job.message,
        "started_at": optional_time(job.started_at_ms),
    }


def error_json(error: jobs.JobError | None) -> Error | None:
    """Return why an attempt failed; None if it did not."""
    return None if error is None else cast("Error", msgspec.to_builtins(error))


def attempt_json(attempt: jobs.Attempt) -> Attempt:
    """Return one attempt; `outcome` and `finished_at` are None while it runs."""
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "worker": attempt.worker,
        "pid": attempt.pid,
        "started_at": rfc3339(attempt.started_at_ms),
        "finished_at": optional_time(attempt.finished_at_ms),
        "error": error_json(attempt.error),
        "cpu_s": attempt.cpu_s,
        "max_rss_bytes": attempt.max_rss_bytes,
    }


def log_line_json(line: jobs.LogLine) -> LogLine:
    """Return one line a job wrote."""
    return {
        "id": line.id,
        "attempt": line.attempt,
        "at": rfc3339(line.at_ms),
        "level": line.level,
        "line": line.line,
        "fields": cast("dict[str, Any]", orjson.Fragment(object_text(line.fields))),
    }


def event_json(event: StoredEvent) -> dict[str, Any]:
    """Return an event; its body stands under the first word of its kind (`job`, `config`, …).

    Raises DatabaseUnusable if the body is damaged.
    """
    subject = event.kind.partition(".")[0]
    return {
        "seq": event.seq,
        "at": rfc3339(event.at_ms),
        "kind": event.kind,
        subject: read_back(_body_json, event.body),
    }


def _body_json(text: str) -> dict[str, Any]:
    """Return a body with the API's names in place of the stored `created_at_ms`, `timeout_s`."""
    body: dict[str, Any] = orjson.loads(text)
    wire: dict[str, Any] = {}
    for name, value in body.items():
        if name.endswith(("_at_ms", "tick_ms")):
            wire[name.removesuffix("_ms")] = optional_time(value)
        else:
            wire["timeout" if name == "timeout_s" else name] = value
    return wire
