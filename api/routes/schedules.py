"""Schedules: list, put, delete, run, pause, resume."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import LOCATION, answers, body, problems
from orpheus.api.contract.requests import PutSchedule
from orpheus.api.http.calls import REASON, Name, audit_actor, json_response, read_body
from orpheus.api.http.problems import Refusal
from orpheus.api.http.scope import caller_of, sight_of
from orpheus.api.routes import submission
from orpheus.api.services import services_of
from orpheus.shared.domain.access import Role, Scope
from orpheus.shared.messages.jobs import ListedJob, listed_job_of
from orpheus.shared.messages.schedules import Schedule, Schedules, schedule_of, schedules_of
from orpheus.shared.operations import operator_actions, schedules
from orpheus.shared.storage import Store

router = APIRouter(tags=["queues and schedules"])

_PROBLEMS = problems(403, 404, 413, 415, 422, 507)
_CHANGED = answers(Schedule) | _PROBLEMS
_PUT = answers(Schedule) | problems(403, 409, 413, 415, 422, 507)


@router.get("/schedules", responses=answers(Schedules) | problems())
async def list_schedules(request: Request) -> Response:
    """Every schedule, with its next five runs and its last five jobs."""
    sight = sight_of(request.scope)

    def read(store: Store) -> Response:
        found = schedules_of(store)
        if sight is not None:
            kept = [item for item in found.items if _is_seen(store, sight, item.type, item.queue)]
            found = Schedules(kept)
        return json_response(found)

    return await services_of(request).readers.read(read)


def _is_seen(store: Store, sight: Scope, type: str, queue: str | None) -> bool:
    return sight.sees(schedules.queue_of(store, type, queue), type)


@router.put(
    "/schedules/{name}",
    responses=answers(Schedule, 201)
    | answers(Schedule)
    | problems(400, 403, 409, 413, 415, 422, 507),
    openapi_extra=body(PutSchedule),
)
async def put_schedule(request: Request, name: Name) -> Response:
    """Add a schedule, or change it: then 200. Put again, it changes nothing.

    With the same times, it goes on waiting for the same next one. A paused schedule stays paused. A
    schedule of the configuration file can only be changed there: 409.
    """
    services, wanted = services_of(request), read_body(request, PutSchedule)
    actor, fields = audit_actor(request, wanted), wanted.model_dump(exclude={"reason"})
    sight = sight_of(request.scope)

    def put(store: Store) -> tuple[Schedule, schedules.Put]:
        if sight is not None and not _is_seen(store, sight, wanted.type, wanted.queue):
            raise Refusal(403, "You may not submit jobs of this type into this queue.")
        types = submission.seen({row.name: row for row in store.types.all()}, sight)
        done = schedules.put_schedule(store, actor, services.options.defaults, name, fields, types)
        return schedule_of(store, store.schedules.get(name)), done

    schedule, done = await services.writer.write(put)
    return json_response(schedule, 201 if done is schedules.Put.ADDED else 200)


@router.delete(
    "/schedules/{name}",
    status_code=204,
    responses=problems(403, 404, 409, 413, 415, 422, 507),
    openapi_extra=REASON,
)
async def delete_schedule(request: Request, name: Name) -> Response:
    """Delete a schedule that a program has put; its jobs stay. One of the file: 409."""
    actor, role = audit_actor(request), caller_of(request.scope).role

    def remove(store: Store) -> None:
        with store.write(durable=True):
            is_paused = store.schedules.to_change(name).paused
            if is_paused and not (role and role.may(Role.OPERATOR)):
                detail = "The schedule is paused: only an operator may delete it."
                raise Refusal(403, detail)  # put anew, it would run again
            schedules.remove_schedule(store, actor, name)

    await services_of(request).writer.write(remove)
    return Response(status_code=204)


@router.post(
    "/schedules/{name}/run",
    status_code=201,
    responses=answers(ListedJob, 201, headers=LOCATION) | _PROBLEMS,
    openapi_extra=REASON,
)
async def run_schedule(request: Request, name: Name) -> Response:
    """Submit the schedule's job now; its own times stay as they are."""
    services, actor = services_of(request), audit_actor(request)

    def run(store: Store) -> ListedJob:
        make_job = schedules.job_maker(store, services.options.defaults)
        job = store.jobs.get(operator_actions.run_schedule(store, actor, name, make_job))
        return listed_job_of(job, store.hidden.rules())

    job = await services.writer.write(run)
    return json_response(job, 201, {"Location": f"/jobs/{job.id}"})


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
