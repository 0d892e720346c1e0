"""Schedules: list, run, pause, resume."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import LOCATION, answers, problems
from orpheus.api.http.calls import REASON, Name, audit_actor, json_response
from orpheus.api.services import services_of
from orpheus.shared.domain import jobs
from orpheus.shared.messages.jobs import ListedJob, listed_job_of
from orpheus.shared.messages.schedules import Schedule, Schedules, schedule_of, schedules_of
from orpheus.shared.operations import operator_actions
from orpheus.shared.operations.stored_settings import job_maker
from orpheus.shared.storage import Store

router = APIRouter(tags=["queues and schedules"])

_PROBLEMS = problems(403, 404, 413, 415, 422, 507)
_CHANGED = answers(Schedule) | _PROBLEMS


@router.get("/schedules", responses=answers(Schedules) | problems())
async def list_schedules(request: Request) -> Response:
    """Every schedule of the configuration, with its next five runs and its last five jobs."""
    return json_response(await services_of(request).readers.read(schedules_of))


@router.post(
    "/schedules/{name}/run",
    status_code=201,
    responses=answers(ListedJob, 201, headers=LOCATION) | _PROBLEMS,
    openapi_extra=REASON,
)
async def run_schedule(request: Request, name: Name) -> Response:
    """Submit the schedule's job now; its own times stay as they are."""
    services, actor = services_of(request), audit_actor(request)

    def run(store: Store) -> jobs.Job:
        make_job = job_maker(store, services.options.defaults)
        return store.jobs.get(operator_actions.run_schedule(store, actor, name, make_job))

    job = await services.writer.write(run)
    return json_response(listed_job_of(job), 201, {"Location": f"/jobs/{job.id}"})


@router.post("/schedules/{name}/pause", responses=_CHANGED, openapi_extra=REASON)
async def pause_schedule(request: Request, name: Name) -> Response:
    """Submit no job of this schedule until it is resumed, even after restarts.

    If it is paused already, only a new reason changes that.
    """
    return await _set_paused(request, name, paused=True)


@router.post("/schedules/{name}/resume", responses=_CHANGED, openapi_extra=REASON)
async def resume_schedule(request: Request, name: Name) -> Response:
    """Submit jobs again from the next time on; times missed while paused are skipped."""
    return await _set_paused(request, name, paused=False)


async def _set_paused(request: Request, name: str, *, paused: bool) -> Response:
    actor = audit_actor(request)

    def change(store: Store) -> Schedule:
        operator_actions.pause_schedule(store, actor, name, paused=paused)
        return schedule_of(store, store.schedules.get(name))

    return json_response(await services_of(request).writer.write(change))
