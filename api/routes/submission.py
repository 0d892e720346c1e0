"""Turns the body of POST /jobs into a job for the store.

A field that the request lacks gets the default of its job type, else that of the configuration.
Nothing here uses the database. The store checks that the jobs on which a job depends exist, in the
transaction that inserts it.
"""

from collections.abc import Mapping, Sequence

from orpheus.api.contract.requests import BatchJob, SubmitBatch, SubmitJob
from orpheus.api.http.problems import Refusal, refused_fields
from orpheus.api.routes import listing
from orpheus.shared.domain.access import Scope
from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import FieldProblem, InvalidJob
from orpheus.shared.job_types.admission import (
    prepare_batch,
    readers_of,
    unknown_type,
    with_defaults,
)
from orpheus.shared.messages.encoding import encode
from orpheus.shared.storage import Store, TypeRow

Types = Mapping[str, TypeRow]


def seen(types: Types, sight: Scope | None) -> Types:
    """Return the types that a caller may see."""
    if sight is None:
        return types
    return {name: row for name, row in types.items() if sight.sees_type(name)}


def refuse_unseen(store: Store, sight: Scope, new_jobs: Sequence[NewJob]) -> None:
    """Raise Refusal for a job in a queue, or behind a job, that the caller may not see.

    Or with the unique key of such a job, which it could replace. A handler reads the results of the
    jobs that its own depends on. Call it in the transaction of the submission.
    """
    for new in new_jobs:
        if not sight.sees_queue(new.queue):
            raise Refusal(403, f"You may not submit into queue {new.queue}.")
    named = {id for new in new_jobs for id in new.depends_on if isinstance(id, int)}
    for job_id in listing.hidden(store, sight, named):
        raise refused_fields([FieldProblem("/depends_on", f"there is no job {job_id}")])
    holders = store.jobs.key_holders(new_jobs).values()
    if listing.hidden(store, sight, [holder.id for holder in holders]):
        raise Refusal(409, "Another job holds this unique_key.")


def new_job(request: SubmitJob, types: Types, defaults: JobDefaults) -> NewJob:
    """Return the job to store. Raises Refusal (422) if it is not valid."""
    try:
        return _job_of(request, types, defaults)
    except InvalidJob as refused:
        raise refused_fields(refused.problems) from None


def new_jobs(batch: SubmitBatch, types: Types, defaults: JobDefaults) -> list[NewJob]:
    """Return the jobs to store. Raises Refusal (422) if any of them is not valid."""
    try:
        return prepare_batch(batch.jobs, lambda request: _job_of(request, types, defaults))
    except InvalidJob as refused:
        raise refused_fields(refused.problems) from None


def _job_of(request: SubmitJob | BatchJob, types: Types, defaults: JobDefaults) -> NewJob:
    row = types.get(request.type)
    if row is None:
        raise InvalidJob.of([FieldProblem("/type", unknown_type(request.type, types))])
    row, versions = readers_of(row, request.payload)
    return with_defaults(
        row,
        defaults,
        payload=encode(request.payload).decode(),
        versions=versions,
        queue=request.queue,
        priority=request.priority,
        delay_s=request.delay or 0,
        run_at_ms=request.run_at,
        max_retries=request.max_retries,
        timeout_s=request.timeout,
        unique_key=request.unique_key,
        concurrency_key=request.concurrency_key,
        tags=request.tags,
        depends_on=request.depends_on,
        on_dependency_failure=request.on_dependency_failure,
        expires_s=request.expires,
        unique_for_s=request.unique_for,
        on_duplicate=request.on_duplicate,
        retention_s=request.retention,
        ref=request.ref if isinstance(request, BatchJob) else None,
    )
