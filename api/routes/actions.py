"""What operators do to jobs: cancel, retry, run, delete, one or many; and the trail of it."""

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orpheus.api.contract import schemas
from orpheus.api.contract.openapi import body, problems
from orpheus.api.http.calls import JobId, actor_for, actor_of, answer, checked, job_id_of
from orpheus.api.http.cursors import before_id_of, cursor_of
from orpheus.api.http.guard import json_of
from orpheus.api.services import services_of
from orpheus.shared.operations.audit import audited
from orpheus.shared.storage import JobFilter, Store
from orpheus.shared.views.jobs import audit_json, job_json

T = TypeVar("T")

router = APIRouter(tags=["actions"])

_TRAIL = "audit"
_REFUSALS = problems(403, 404, 409, 413, 415, 422, 507)
_WHY = body(schemas.Reason, required=False)


@router.post(
    "/jobs/{job_id}/cancel",
    response_model=schemas.Job,
    responses={
        202: {"model": schemas.Job, "description": "It is leased and was asked to stop."},
        **_REFUSALS,
    },
    openapi_extra=_WHY,
)
async def cancel_job(request: Request, job_id: JobId) -> Response:
    """Cancel a job: at once if it waits (200), else its worker is asked to stop (202)."""
    job, at_once = await _change(
        request, "cancel", job_id, lambda store, id_: store.jobs.cancel(id_)
    )
    return answer(job_json(job), 200 if at_once else 202)


@router.post(
    "/jobs/{job_id}/retry", response_model=schemas.Job, responses=_REFUSALS, openapi_extra=_WHY
)
async def retry_job(request: Request, job_id: JobId) -> Response:
    """Give a failed or cancelled job all its attempts again; its history stays."""
    job = await _change(request, "retry", job_id, lambda store, id_: store.jobs.retry(id_))
    return answer(job_json(job))


@router.post(
    "/jobs/{job_id}/run", response_model=schemas.Job, responses=_REFUSALS, openapi_extra=_WHY
)
async def run_job(request: Request, job_id: JobId) -> Response:
    """Make a pending job due now, whatever time it waits for."""
    job = await _change(request, "run", job_id, lambda store, id_: store.jobs.run_now(id_))
    return answer(job_json(job))


@router.delete(
    "/jobs/{job_id}",
    status_code=204,
    response_class=Response,
    responses=_REFUSALS,
    openapi_extra=_WHY,
)
async def delete_job(request: Request, job_id: JobId) -> Response:
    """Delete a job that has ended, with its attempts and its log."""
    await _change(request, "delete", job_id, lambda store, id_: store.jobs.delete(id_))
    return Response(status_code=204)


async def _change(request: Request, action: str, job_id: str, verb: Callable[[Store, int], T]) -> T:
    """What `verb` returns for the job, with the action in the trail."""
    wanted, actor = job_id_of(job_id), actor_of(request)
    return await services_of(request).writer.write(
        lambda s: audited(s, actor, action, f"job {wanted}", lambda: verb(s, wanted))
    )


@router.post(
    "/jobs/bulk",
    response_model=schemas.Changed,
    responses=problems(403, 409, 413, 415, 422, 507),
    openapi_extra=body(schemas.BulkChange),
)
async def change_many(request: Request) -> Response:
    """Cancel, retry or delete every job that matches and allows it; in steps, not all or none."""
    services = services_of(request)
    asked = checked(schemas.BulkChange, json_of(request.scope))
    actor = actor_for(request, asked.reason)
    chosen = asked.filter
    wanted = JobFilter(chosen.status, chosen.type, chosen.queue, chosen.tag, chosen.q)

    def change(store: Store) -> int:
        return store.bulk.change(
            asked.action,
            wanted,
            max_id=asked.max_id,
            expected_count=asked.expected_count,
            by=actor.name,
            reason=actor.reason,
        )

    if asked.dry_run:
        count = await services.readers.read(
            lambda store: store.bulk.count(asked.action, wanted, asked.max_id)
        )
    else:
        # Many transactions: as one request of the writer they would all be one, and hold it.
        count = await asyncio.to_thread(services.apart, change)
    return answer({"changed": count})


@router.get("/audit", response_model=schemas.AuditPage, responses=problems(422))
async def get_audit(request: Request, query: Annotated[schemas.AuditQuery, Query()]) -> Response:
    """What operators did, by HTTP and on the command line, newest first."""
    before_id = before_id_of(query.cursor, _TRAIL)
    rows = await services_of(request).readers.read(
        lambda store: store.audit.page(query.limit + 1, before_id)
    )
    shown = rows[: query.limit]
    return answer(
        {
            "items": [audit_json(row) for row in shown],
            "next_cursor": cursor_of(shown[-1].id, _TRAIL) if len(rows) > query.limit else None,
        }
    )
