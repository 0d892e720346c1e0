"""What operators do to jobs: cancel, retry, run and delete, one job or many."""

from collections.abc import Callable
from functools import partial
from threading import Event
from typing import TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, body, problems
from orpheus.api.contract.requests import BulkChange, BulkFilter, RetryJob
from orpheus.api.http.calls import (
    REASON,
    JobId,
    audit_actor,
    json_response,
    parse_job_id,
    read_body,
    validate,
)
from orpheus.api.http.problems import Refusal, refused_fields
from orpheus.api.http.scope import optional_json_body, sight_of
from orpheus.api.routes import listing, submission
from orpheus.api.services import services_of
from orpheus.shared.domain import jobs
from orpheus.shared.domain.access import Scope
from orpheus.shared.errors import FieldProblem
from orpheus.shared.messages.jobs import Changed, ListedJob, listed_job_of
from orpheus.shared.storage import Actor, Store

T = TypeVar("T")

router = APIRouter(tags=["actions"])

_ALL_JOBS = "is required with an empty filter, which means every job: count them with dry_run first"
_PART_OF_JOBS = (
    "changed {} of the jobs. Send it again with the count of now, for those that are left."
)
_PART_OF_LOG = "deleted at most a part of the log of this job. Send it again."
_PROBLEMS = problems(403, 404, 409, 413, 415, 422, 507)
_ANSWERS = answers(ListedJob) | _PROBLEMS


@router.post(
    "/jobs/{job_id}/cancel",
    responses=_ANSWERS | answers(ListedJob, 202, description="It is leased and was asked to stop."),
    openapi_extra=REASON,
)
async def cancel_job(request: Request, job_id: JobId) -> Response:
    """Cancel a job: at once if it waits (200), else its worker is asked to stop (202)."""

    def cancel(store: Store, number: int, actor: Actor) -> tuple[ListedJob, bool]:
        job, at_once = store.jobs.cancel(number, actor)
        return listed_job_of(job, store.hidden.rules()), at_once

    job, at_once = await _change(request, job_id, cancel)
    return json_response(job, 200 if at_once else 202)


@router.post(
    "/jobs/{job_id}/retry", responses=_ANSWERS, openapi_extra=body(RetryJob, required=False)
)
async def retry_job(request: Request, job_id: JobId) -> Response:
    """Give a failed or cancelled job all its attempts again; its history stays.

    A durable function goes on behind what it has kept, or does a step and the later ones again.
    """
    given = validate(RetryJob, optional_json_body(request.scope))
    number, actor = parse_job_id(job_id), audit_actor(request, given)
    sight = sight_of(request.scope)

    def retry(store: Store) -> ListedJob:
        if sight is not None:
            job = store.jobs.get(number)
            same_key = jobs.NewJob(job.type, queue=job.queue, unique_key=job.unique_key)
            submission.refuse_unseen(store, sight, [same_key])
        job = store.jobs.retry(number, actor, given.from_step)
        return listed_job_of(job, store.hidden.rules())

    return json_response(await services_of(request).writer.write(retry))


@router.post("/jobs/{job_id}/run", responses=_ANSWERS, openapi_extra=REASON)
async def run_job(request: Request, job_id: JobId) -> Response:
    """Make a pending job due now, whatever time it waits for."""

    def run(store: Store, number: int, actor: Actor) -> ListedJob:
        return listed_job_of(store.jobs.run_now(number, actor), store.hidden.rules())

    return json_response(await _change(request, job_id, run))


@router.delete(
    "/jobs/{job_id}",
    status_code=204,
    response_class=Response,
    responses=_PROBLEMS,
    openapi_extra=REASON,
)
async def delete_job(request: Request, job_id: JobId) -> Response:
    """Delete a job that has ended, with its attempts and its log."""
    services, number, actor = services_of(request), parse_job_id(job_id), audit_actor(request)
    if await services.readers.read(lambda store: store.jobs.with_long_logs([number])):
        before_each = partial(_refuse_to_go_on, services.long_calls.stopping, _PART_OF_LOG)
        await services.long_calls.run(lambda s: s.jobs.delete_long_log(number, before_each))
    await services.writer.write(lambda store: store.jobs.delete(number, actor))
    return Response(status_code=204)


async def _change(request: Request, job_id: str, change: Callable[[Store, int, Actor], T]) -> T:
    """Return what `change` returns for the job and who has sent the request."""
    number, actor = parse_job_id(job_id), audit_actor(request)
    return await services_of(request).writer.write(lambda store: change(store, number, actor))


@router.post(
    "/jobs/bulk",
    responses=answers(Changed) | problems(403, 409, 413, 415, 422, 507),
    openapi_extra=body(BulkChange),
)
async def change_many(request: Request) -> Response:
    """Cancel, retry or delete every job that matches and allows it; in parts, not all or none."""
    services, bulk = services_of(request), read_body(request, BulkChange)
    if not bulk.dry_run and bulk.filter == BulkFilter() and bulk.expected_count is None:
        raise refused_fields([FieldProblem("/expected_count", _ALL_JOBS)])
    actor, sight = audit_actor(request, bulk), sight_of(request.scope)
    if bulk.dry_run:
        return json_response(
            await services.readers.read(lambda store: _counted(store, bulk, sight))
        )
    before_each = partial(_refuse_to_go_on, services.long_calls.stopping, _PART_OF_JOBS)

    def change(store: Store) -> Changed:
        changed = store.bulk.change(
            bulk.action,
            listing.chosen(bulk.filter, store.clock.wall_ms(), sight),
            max_id=bulk.max_id,
            expected_count=bulk.expected_count,
            or_fewer=bulk.or_fewer,
            by=actor.name,
            reason=actor.reason,
            before_each=before_each,
        )
        return Changed(changed)

    return json_response(await services.long_calls.run(change))


def _refuse_to_go_on(stopping: Event, so_far: str, changed: int = 0) -> None:
    """Raise Refusal, which says what was done `so_far`, if the API is stopping."""
    if stopping.is_set():
        raise Refusal(503, f"This API stops, and has {so_far.format(changed)}")


def _counted(store: Store, bulk: BulkChange, sight: Scope | None) -> Changed:
    """Return how many jobs of the filter the action would change."""
    matching = listing.chosen(bulk.filter, store.clock.wall_ms(), sight)
    return Changed(store.bulk.count(bulk.action, matching, bulk.max_id))
