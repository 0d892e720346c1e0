"""Queues: list, pause, resume."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orpheus.api.contract.answers import Queues
from orpheus.api.contract.openapi import answers, problems
from orpheus.api.contract.queries import QueuesQuery
from orpheus.api.http.calls import REASON, Name, audit_actor, json_response
from orpheus.api.http.problems import refused_fields
from orpheus.api.services import Services, services_of, workers
from orpheus.shared.domain.crews import Crew
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.domain.why import Pause
from orpheus.shared.errors import FieldProblem
from orpheus.shared.operations import operator_actions
from orpheus.shared.storage import Store
from orpheus.shared.views.crews import crews_of
from orpheus.shared.views.pauses import pause_json
from orpheus.shared.views.queues import PausedQueue, Queue, queue_json, queues_json

router = APIRouter(tags=["queues and schedules"])

_Seen = TypeVar("_Seen")
_PROBLEMS = problems(403, 404, 413, 415, 422, 507)


@router.get("/queues", responses=answers(Queues) | problems(422))
async def list_queues(request: Request, query: Annotated[QueuesQuery, Query()]) -> Response:
    """Every queue that has had a job, is paused or has a limit, with exact counts."""
    only = None if query.name is None else {query.name}
    read = partial(queues_json, only=only)
    return json_response({"items": await _read(services_of(request), read)})


@router.post(
    "/queues/{name}/pause", responses=answers(PausedQueue) | _PROBLEMS, openapi_extra=REASON
)
async def pause_queue(request: Request, name: Name) -> Response:
    """Start no job of this queue until it is resumed, even after restarts; creates the queue.

    If it is paused already, only a new reason changes that.
    """
    queue, standing = await _set_paused(request, name, paused=True)
    return json_response({**queue, "already_paused": pause_json(standing)})


@router.post("/queues/{name}/resume", responses=answers(Queue) | _PROBLEMS, openapi_extra=REASON)
async def resume_queue(request: Request, name: Name) -> Response:
    """Start jobs of this queue again."""
    queue, _ = await _set_paused(request, name, paused=False)
    return json_response(queue)


async def _set_paused(request: Request, name: str, *, paused: bool) -> tuple[Queue, Pause | None]:
    services, actor = services_of(request), audit_actor(request)
    if not NAME.fullmatch(name):
        raise refused_fields([FieldProblem("/name", f"is not a valid name: it {NAME_RULE}")])
    pause = partial(operator_actions.pause_queue, actor=actor, name=name, paused=paused)
    standing = await services.writer.write(pause)
    return await _read(services, partial(queue_json, name=name)), standing


async def _read(services: Services, view: Callable[[Store, Sequence[Crew]], _Seen]) -> _Seen:
    options = services.options

    def read(store: Store) -> _Seen:
        slots = workers(store, options)  # outside the snapshot: it may try whether one can write
        with store.snapshot():
            return view(store, crews_of(store, options.storage.pools, slots))

    return await services.readers.read(read)
