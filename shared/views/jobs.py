"""Rows of the database as the JSON of contract.md, the same from the API and the command line.

Times become RFC 3339 in UTC with milliseconds, durations seconds. Payloads and results go out as
the text that is stored, so that big integers stay exact.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from orpheus.shared.domain.events import Event
from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import Attempt, Job, JobError, LogLine, RunningJob
from orpheus.shared.storage import AuditRow, TypeRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at_ms: int) -> str:
    """Milliseconds since 1970 as `2026-01-31T12:00:00.000Z`."""
    at = _EPOCH + timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)


def job_json(job: Job) -> dict[str, Any]:
    """A whole job, without its attempts."""
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
        "started_at": _time(job.started_at_ms),
        "finished_at": _time(job.finished_at_ms),
        "worker": job.worker,
        "unique_key": job.unique_key,
        "depends_on": job.depends_on,
        "tags": job.tags,
        "cancel_requested": job.cancel_requested,
    }


def job_summary_json(job: Job) -> dict[str, Any]:
    """A job as events carry it: without payload, result and traceback."""
    summary = job_json(job)
    del summary["payload"], summary["result"]
    if job.error is not None:
        summary["error"] = {"type": job.error.type, "message": job.error.message}
    return summary


def running_job_json(job: RunningJob | None) -> dict[str, Any] | None:
    """What a worker is doing, in a few words; null if nothing."""
    if job is None:
        return None
    return {
        "id": job.id,
        "type": job.type,
        "progress": job.progress,
        "message": job.message,
        "started_at": _time(job.started_at_ms),
    }


def error_json(error: JobError | None) -> dict[str, Any] | None:
    """Why an attempt failed."""
    return None if error is None else asdict(error)


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """One attempt; `outcome` and `finished_at` are null while it runs."""
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "worker": attempt.worker,
        "pid": attempt.pid,
        "started_at": rfc3339(attempt.started_at_ms),
        "finished_at": _time(attempt.finished_at_ms),
        "error": error_json(attempt.error),
    }


def log_line_json(line: LogLine) -> dict[str, Any]:
    """One line a job wrote."""
    return {
        "id": line.id,
        "attempt": line.attempt,
        "at": rfc3339(line.at_ms),
        "level": line.level,
        "line": line.line,
        "fields": orjson.Fragment(line.fields),
    }


def type_json(row: TypeRow, defaults: JobDefaults) -> dict[str, Any]:
    """A job type; `defaults` holds what applies, its own or the configuration's."""
    return {
        "name": row.name,
        "schema": orjson.Fragment(row.schema),
        "defaults": {
            "queue": row.queue or "default",
            "max_retries": defaults.max_retries if row.max_retries is None else row.max_retries,
            "timeout": defaults.timeout_s if row.timeout_s is None else row.timeout_s,
        },
        "description": row.description,
    }


def audit_json(row: AuditRow) -> dict[str, Any]:
    """One action of an operator."""
    return {
        "id": row.id,
        "at": rfc3339(row.at_ms),
        "action": row.action,
        "target": row.target,
        "by": row.by,
        "reason": row.reason,
        "count": row.count,
    }


def event_json(event: Event) -> dict[str, Any]:
    """An event; its body stands under the first word of its kind (`job`, `worker`, `config`, …)."""
    subject = event.kind.partition(".")[0]
    return {
        "seq": event.seq,
        "at": rfc3339(event.at_ms),
        "kind": event.kind,
        subject: _body_json(orjson.loads(event.body)),
    }


def _body_json(body: Mapping[str, Any]) -> dict[str, Any]:
    """Stored names and units (`created_at_ms`, `timeout_s`) as those of the contract."""
    wire: dict[str, Any] = {}
    for name, value in body.items():
        if name.endswith(("_at_ms", "tick_ms")):
            wire[name.removesuffix("_ms")] = _time(value)
        else:
            wire["timeout" if name == "timeout_s" else name] = value
    return wire
