"""What operators do to jobs: cancel, retry, run and delete, one job or many."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.answers import Changed
from orpheus.api.contract.openapi import answers, body, problems
from orpheus.api.contract.requests import BulkChange, Reason
from orpheus.api.http.calls import JobId, audit_actor, json_response, parse_job_id, read_body
from orpheus.api.http.problems import refused_fields
from orpheus.api.services import services_of
from orpheus.shared.errors import FieldProblem
from orpheus.shared.operations.audit import audited
from orpheus.shared.storage import JobFilter, Store
from orpheus.shared.views.jobs import Job, job_json

T = TypeVar("T")

router = APIRouter(tags=["actions"])

_ALL_JOBS = "is required with an empty filter, which means every job: count them with dry_run first"
_PROBLEMS = problems(403, 404, 409, 413, 415, 422, 507)
_REASON = body(Reason, required=False)
_ANSWERS = answers(Job) | _PROBLEMS


@router.post(
    "/jobs/{job_id}/cancel",
    responses=_ANSWERS | answers(Job, 202, description="It is leased and was asked to stop."),
    openapi_extra=_REASON,
)
async def cancel_job(request: Request, job_id: JobId) -> Response:
    """Cancel a job: at once if it waits (200), else its worker is asked to stop (202)."""
    job, at_once = await _change(request, "cancel", job_id, lambda s, job_id: s.jobs.cancel(job_id))
    return json_response(job_json(job), 200 if at_once else 202)


@router.post("/jobs/{job_id}/retry", responses=_ANSWERS, openapi_extra=_REASON)
async def retry_job(request: Request, job_id: JobId) -> Response:
    """Give a failed or cancelled job all its attempts again; its history stays."""
    job = await _change(request, "retry", job_id, lambda store, job_id: store.jobs.retry(job_id))
    return json_response(job_json(job))


@router.post("/jobs/{job_id}/run", responses=_ANSWERS, openapi_extra=_REASON)
async def run_job(request: Request, job_id: JobId) -> Response:
    """Make a pending job due now, whatever time it waits for."""
    job = await _change(request, "run", job_id, lambda store, job_id: store.jobs.run_now(job_id))
    return json_response(job_json(job))


@router.delete(
    "/jobs/{job_id}",
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS,
    openapi_extra=_REASON,
)
async def delete_job(request: Request, job_id: JobId) -> Response:
    """Delete a job that has ended, with its attempts and its log."""
    await _change(request, "delete", job_id, lambda store, job_id: store.jobs.delete(job_id))
    return Response(status_code=204)


async def _change(
    request: Request, action: str, job_id: str, change: Callable[[Store, int], T]
) -> T:
    """Return what `change` returns for the job, recorded in the audit log as `action`."""
    number, actor = parse_job_id(job_id), audit_actor(request)
    return await services_of(request).writer.write(
        lambda s: audited(s, actor, action, f"job {number}", lambda: change(s, number))
    )


@router.post(
    "/jobs/bulk",
    responses=answers(Changed) | problems(403, 409, 413, 415, 422, 507),
    openapi_extra=body(BulkChange),
)
async def change_many(request: Request) -> Response:
    """Cancel, retry or delete every job that matches and allows it; in steps, not all or none."""
    services, bulk = services_of(request), read_body(request, BulkChange)
    actor, chosen = audit_actor(request, bulk), bulk.filter
    matching = JobFilter(**chosen.model_dump())
    if matching == JobFilter() and bulk.expected_count is None and not bulk.dry_run:
        raise refused_fields([FieldProblem("/expected_count", _ALL_JOBS)])

    def change(store: Store) -> int:
        return store.bulk.change(
            bulk.action,
            matching,
            max_id=bulk.max_id,
            expected_count=bulk.expected_count,
            by=actor.name,
            reason=actor.reason,
        )

    if bulk.dry_run:
        changed = await services.readers.read(
            lambda store: store.bulk.count(bulk.action, matching, bulk.max_id)
        )
    else:
        # Many transactions: as one request of the writer they would be one, and block it.
        changed = await asyncio.to_thread(services.with_own_store, change)
    return json_response(Changed(changed=changed))
