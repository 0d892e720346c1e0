"""Queues and schedules: how they stand, and what operators do to them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import WithJsonSchema
from starlette.responses import Response

from orpheus.api.contract import schemas
from orpheus.api.contract.openapi import body, located, problems
from orpheus.api.http.calls import actor_of, answer
from orpheus.api.http.problems import refused_fields
from orpheus.api.services import services_of
from orpheus.shared.domain.jobs import Job
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.errors import FieldProblem
from orpheus.shared.operations.audit import audited
from orpheus.shared.operations.schedules import job_maker
from orpheus.shared.storage import Store
from orpheus.shared.views.jobs import job_json
from orpheus.shared.views.queues import queues_json, schedule_json, schedules_json

router = APIRouter(tags=["queues and schedules"])

Name = Annotated[str, Path(), WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"})]
_WHY = body(schemas.Reason, required=False)


@router.get("/queues", response_model=schemas.Queues, responses=problems())
async def list_queues(request: Request) -> Response:
    """Every queue that has had a job, a pause or a limit, with exact counts."""
    return answer({"items": await services_of(request).readers.read(queues_json)})


@router.post(
    "/queues/{name}/pause",
    response_model=schemas.Queue,
    responses=problems(403, 404, 413, 415, 422, 507),
    openapi_extra=_WHY,
)
async def pause_queue(request: Request, name: Name) -> Response:
    """Start no job of this queue until it is resumed, through restarts; makes the queue."""
    return await _set_queue_paused(request, name, paused=True)


@router.post(
    "/queues/{name}/resume",
    response_model=schemas.Queue,
    responses=problems(403, 404, 413, 415, 422, 507),
    openapi_extra=_WHY,
)
async def resume_queue(request: Request, name: Name) -> Response:
    """Start jobs of this queue again."""
    return await _set_queue_paused(request, name, paused=False)


async def _set_queue_paused(request: Request, name: str, *, paused: bool) -> Response:
    services, actor = services_of(request), actor_of(request)
    if not NAME.fullmatch(name):
        raise refused_fields([FieldProblem("/name", f"is not a valid name: it {NAME_RULE}")])
    action = "pause" if paused else "resume"

    def change(store: Store) -> None:
        verb = store.queues.pause if paused else store.queues.resume
        audited(store, actor, action, f"queue {name}", lambda: verb(name))

    await services.writer.write(change)
    queues = await services.readers.read(queues_json)
    return answer(next(queue for queue in queues if queue["name"] == name))


@router.get("/schedules", response_model=schemas.Schedules, responses=problems())
async def list_schedules(request: Request) -> Response:
    """Every schedule of the configuration, with its next five runs."""
    return answer({"items": await services_of(request).readers.read(schedules_json)})


@router.post(
    "/schedules/{name}/run",
    status_code=201,
    response_model=schemas.Job,
    responses={201: located(), **problems(403, 404, 413, 415, 422, 507)},
    openapi_extra=_WHY,
)
async def run_schedule(request: Request, name: Name) -> Response:
    """Submit the schedule's job now; its own times stay as they are."""
    services, actor = services_of(request), actor_of(request)

    def run(store: Store) -> Job:
        make_job = job_maker(store, services.options.defaults)
        job_id = audited(
            store, actor, "run", f"schedule {name}", lambda: store.schedules.run_now(name, make_job)
        )
        return store.jobs.get(job_id)

    job = await services.writer.write(run)
    return answer(job_json(job), 201, {"Location": f"/jobs/{job.id}"})


@router.post(
    "/schedules/{name}/pause",
    response_model=schemas.Schedule,
    responses=problems(403, 404, 413, 415, 422, 507),
    openapi_extra=_WHY,
)
async def pause_schedule(request: Request, name: Name) -> Response:
    """Submit nothing until it is resumed, through restarts."""
    return await _set_schedule_paused(request, name, paused=True)


@router.post(
    "/schedules/{name}/resume",
    response_model=schemas.Schedule,
    responses=problems(403, 404, 413, 415, 422, 507),
    openapi_extra=_WHY,
)
async def resume_schedule(request: Request, name: Name) -> Response:
    """Submit again, from its next time on; those it slept through are gone."""
    return await _set_schedule_paused(request, name, paused=False)


async def _set_schedule_paused(request: Request, name: str, *, paused: bool) -> Response:
    actor = actor_of(request)
    action = "pause" if paused else "resume"

    def change(store: Store) -> dict[str, Any]:
        verb = store.schedules.pause if paused else store.schedules.resume
        audited(store, actor, action, f"schedule {name}", lambda: verb(name))
        return schedule_json(store.schedules.get(name), store.clock.wall_ms())

    return answer(await services_of(request).writer.write(change))
