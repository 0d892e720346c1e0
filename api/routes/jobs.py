"""Jobs: submit, list, read."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from orpheus.api.contract import schemas
from orpheus.api.contract.openapi import body, created, idempotent, problems, replayed
from orpheus.api.http.calls import JobId, answer, checked, job_id_of
from orpheus.api.http.cursors import before_id_of, cursor_of
from orpheus.api.http.guard import json_of
from orpheus.api.routes import submission
from orpheus.api.routes.idempotency import once_of, write_once
from orpheus.api.services import Services, services_of
from orpheus.shared.domain.jobs import Job
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.storage import JobFilter, Store, Submitted
from orpheus.shared.views.jobs import attempt_json, event_json, job_json, log_line_json

router = APIRouter(tags=["jobs"])

_LIST = "jobs"


@router.post(
    "/jobs",
    status_code=201,
    response_model=schemas.Job,
    responses={
        200: {"model": schemas.Job, "description": "A live job holds this unique_key: it."}
        | created(),
        201: created(),
        **problems(403, 413, 415, 422, 507),
    },
    openapi_extra=body(schemas.SubmitJob) | idempotent(),
)
async def submit_job(request: Request) -> Response:
    """Submit a job. 201 means committed: it survives what the configuration promises."""
    services, asked_for = services_of(request), json_of(request.scope)
    once = once_of(request.scope, asked_for)
    if once is not None and (known := await services.readers.read(once.first_answer)):
        return known
    asked = checked(schemas.SubmitJob, asked_for)
    types = await services.types.with_names([asked.type])
    new = submission.new_job(asked, types, services.options.defaults)
    return await write_once(services, once, lambda s: submission.submit(s, new), _submitted)


def _submitted(submitted: Submitted) -> Response:
    job = submitted.job
    status = 201 if submitted.created else 200
    return answer(job_json(job), status, {"Location": f"/jobs/{job.id}"})


@router.post(
    "/jobs/batch",
    status_code=201,
    response_model=schemas.Ids,
    responses={201: replayed(), **problems(403, 413, 415, 422, 507)},
    openapi_extra=body(schemas.SubmitBatch) | idempotent(),
)
async def submit_batch(request: Request) -> Response:
    """Submit up to 10,000 jobs: all of them, or none. Items may wait for each other by `ref`."""
    services, asked_for = services_of(request), json_of(request.scope)
    once = await asyncio.to_thread(once_of, request.scope, asked_for)
    if once is not None and (known := await services.readers.read(once.first_answer)):
        return known
    batch = await asyncio.to_thread(checked, schemas.SubmitBatch, asked_for)
    types = await services.types.with_names({job.type for job in batch.jobs})
    new = await asyncio.to_thread(submission.new_jobs, batch, types, services.options.defaults)
    return await write_once(
        services,
        once,
        lambda store: submission.submit_many(store, new),
        lambda ids: answer({"ids": ids}, 201),
    )


@router.get("/jobs", response_model=schemas.JobPage, responses=problems(422))
async def list_jobs(request: Request, query: Annotated[schemas.JobsQuery, Query()]) -> Response:
    """Jobs, newest first; `next_cursor` leads to the next page."""
    before_id = before_id_of(query.cursor, _LIST)
    wanted = JobFilter(query.status, query.type, query.queue, query.tag, query.q)

    def read(store: Store) -> dict[str, Any]:
        with store.snapshot():
            jobs = store.jobs.page(wanted, query.limit + 1, before_id)
            total = store.jobs.total(wanted)
        shown = jobs[: query.limit]
        return {
            "items": [job_json(job) for job in shown],
            "next_cursor": cursor_of(shown[-1].id, _LIST) if len(jobs) > query.limit else None,
            "total": {"value": total.value, "relation": "eq" if total.exact else "gte"},
        }

    return answer(await services_of(request).readers.read(read))


@router.api_route("/jobs/batch", methods=["GET", "DELETE"], include_in_schema=False)
@router.api_route("/jobs/bulk", methods=["GET", "DELETE"], include_in_schema=False)
async def not_a_job() -> Response:
    """These are calls, not jobs of such an id."""
    raise HTTPException(405)


@router.get("/jobs/{job_id}", response_model=schemas.JobWithAttempts, responses=problems(404, 422))
async def get_job(
    request: Request, job_id: JobId, query: Annotated[schemas.JobQuery, Query()]
) -> Response:
    """A job with its attempts; with `wait`, when it has ended, or so many seconds later."""
    services = services_of(request)
    wanted = job_id_of(job_id)
    if query.wait:
        await _wait_for_end(services, wanted, min(query.wait, schemas.LONGEST_WAIT_S))

    def read(store: Store) -> dict[str, Any]:
        with store.snapshot():
            job = store.jobs.get(wanted)
            attempts = store.jobs.attempts(wanted)
        return {**job_json(job), "attempts": [attempt_json(attempt) for attempt in attempts]}

    return answer(await services.readers.read(read))


@router.get("/jobs/{job_id}/logs", response_model=schemas.LogLines, responses=problems(404, 422))
async def get_logs(
    request: Request, job_id: JobId, query: Annotated[schemas.LogsQuery, Query()]
) -> Response:
    """What the job wrote, oldest first; readable while it runs."""
    wanted = job_id_of(job_id)

    def read(store: Store) -> list[dict[str, Any]]:
        with store.snapshot():
            store.jobs.get(wanted)  # an unknown job is a 404, not an empty log
            lines = store.logs.after(wanted, query.after, query.limit)
        return [log_line_json(line) for line in lines]

    return answer({"items": await services_of(request).readers.read(read)})


@router.get("/jobs/{job_id}/events", response_model=schemas.Events, responses=problems(404, 422))
async def get_events(
    request: Request, job_id: JobId, query: Annotated[schemas.JobEventsQuery, Query()]
) -> Response:
    """What happened to the job, oldest first."""
    wanted = job_id_of(job_id)

    def read(store: Store) -> list[dict[str, Any]]:
        with store.snapshot():
            store.jobs.get(wanted)
            events = store.events.of_job(wanted, query.limit, query.after)
        return [event_json(event) for event in events]

    return answer({"items": await services_of(request).readers.read(read)})


async def _wait_for_end(services: Services, job_id: int, wait_s: float) -> None:
    """Until the job is terminal, `wait_s` has passed, or the server stops. Raises NotFound."""

    async def read() -> Job:
        return await services.readers.read(lambda store: store.jobs.get(job_id))

    async with services.broadcaster.end_of(job_id) as ended:
        try:
            async with asyncio.timeout(wait_s):
                while (await read()).status not in TERMINAL and not services.broadcaster.closed:
                    await ended.wait()
                    ended.clear()
        except TimeoutError:
            return
