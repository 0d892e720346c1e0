"""From the body of POST /jobs to a job the store can keep.

Pure but for the types it is handed. The defaults of a field are, in this order, the request's,
the job type's, the configuration's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError

from api.errors import MAX_FIELD_PROBLEMS, invalid, refused_fields
from api.schemas import SubmitBatch, SubmitJob
from shared.errors import FieldProblem
from shared.jobs import NewJob
from shared.storage import TypeRow
from shared.validation import JobDefaults, unknown_type, validate_payload

T = TypeVar("T")
Types = Mapping[str, TypeRow]


def read_job(body: Any) -> SubmitJob:
    """The request that `body`, a parsed JSON value, is. Raises Refusal (422)."""
    try:
        return SubmitJob.model_validate(body)
    except ValidationError as error:
        raise invalid(error) from None


def read_batch(body: Any) -> SubmitBatch:
    """The batch that `body` is. Raises Refusal (422)."""
    try:
        return SubmitBatch.model_validate(body)
    except ValidationError as error:
        raise invalid(error) from None


def new_job(request: SubmitJob, types: Types, defaults: JobDefaults) -> NewJob:
    """The job to store. Raises Refusal (422)."""
    job = _job_of(request, types, defaults)
    if isinstance(job, NewJob):
        return job
    raise refused_fields(job)


def new_jobs(batch: SubmitBatch, types: Types, defaults: JobDefaults) -> list[NewJob]:
    """The jobs to store. Raises Refusal (422) if any of them is not valid."""
    jobs: list[NewJob] = []
    problems: list[FieldProblem] = []
    for index, request in enumerate(batch.jobs):
        job = _job_of(request, types, defaults)
        if isinstance(job, NewJob):
            jobs.append(job)
            continue
        problems += [replace(p, pointer=f"/jobs/{index}{p.pointer}") for p in job]
        if len(problems) >= MAX_FIELD_PROBLEMS:
            break
    if problems:
        raise refused_fields(problems)
    return jobs


def _job_of(
    request: SubmitJob, types: Types, defaults: JobDefaults
) -> NewJob | Sequence[FieldProblem]:
    row = types.get(request.type)
    if row is None:
        return [FieldProblem("/type", unknown_type(request.type, types))]
    if problems := validate_payload(row, request.payload):
        return problems
    return NewJob(
        type=request.type,
        payload=orjson.dumps(request.payload).decode(),
        queue=request.queue or row.queue or "default",
        priority=request.priority,
        delay_ms=round((request.delay or 0) * 1000),
        run_at_ms=request.run_at,
        max_retries=_or(request.max_retries, _or(row.max_retries, defaults.max_retries)),
        timeout_s=_or(request.timeout, _or(row.timeout_s, defaults.timeout_s)),
        unique_key=request.unique_key,
        tags=tuple(dict.fromkeys(request.tags)),
    )


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
