"""Turns the body of POST /jobs into a job for the store.

A field that the request lacks gets the default of its job type, or else of the configuration. Only
`submit` and `submit_many` use the database: they check that the jobs which a job depends on exist,
in the transaction that inserts it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import orjson

from orpheus.api.contract.requests import BatchJob, SubmitBatch, SubmitJob
from orpheus.api.http.problems import MAX_FIELD_PROBLEMS, refused_fields
from orpheus.shared.domain.dependencies import batch_problems
from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import FieldProblem
from orpheus.shared.job_types.admission import unknown_type, validate_payload
from orpheus.shared.storage import Store, Submitted, TypeRow

T = TypeVar("T")
Types = Mapping[str, TypeRow]


def new_job(request: SubmitJob, types: Types, defaults: JobDefaults) -> NewJob:
    """Return the job to store. Raises Refusal (422) if it is not valid."""
    job = _job_of(request, types, defaults)
    if isinstance(job, NewJob):
        return job
    raise refused_fields(job)


def new_jobs(batch: SubmitBatch, types: Types, defaults: JobDefaults) -> list[NewJob]:
    """Return the jobs to store. Raises Refusal (422) if any of them is not valid."""
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
    problems = problems or batch_problems(jobs)
    if problems:
        raise refused_fields(problems)
    return jobs


def submit(store: Store, job: NewJob) -> Submitted:
    """Insert a job. Raises Refusal (422) if it depends on one that does not exist."""
    _refuse_unknown_dependencies(store, {"": job})
    return store.jobs.submit(job)


def submit_many(store: Store, jobs: Sequence[NewJob]) -> list[int]:
    """Insert a batch and return its ids. Raises Refusal (422) if one depends on an unknown job."""
    _refuse_unknown_dependencies(store, {f"/jobs/{n}": job for n, job in enumerate(jobs)})
    return store.jobs.submit_many(jobs)


def _refuse_unknown_dependencies(store: Store, jobs: Mapping[str, NewJob]) -> None:
    named = {one for job in jobs.values() for one in job.depends_on if isinstance(one, int)}
    unknown = store.jobs.unknown_ids(named) if named else set()
    if unknown:
        raise refused_fields(
            [
                FieldProblem(f"{at}/depends_on/{position}", f"there is no job {one}")
                for at, job in jobs.items()
                for position, one in enumerate(job.depends_on)
                if one in unknown
            ]
        )


def _job_of(
    request: SubmitJob | BatchJob, types: Types, defaults: JobDefaults
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
        depends_on=tuple(request.depends_on),
        on_dependency_failure=request.on_dependency_failure,
        ref=request.ref if isinstance(request, BatchJob) else None,
    )


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
