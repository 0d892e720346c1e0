"""Queues: list, pause, resume."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.contract.queries import QueuesQuery
from orpheus.api.http.calls import REASON, Name, audit_actor, json_response
from orpheus.api.http.problems import refused_fields
from orpheus.api.http.scope import sight_of
from orpheus.api.services import Services, read_facts, services_of
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.errors import FieldProblem
from orpheus.shared.explain.answers import is_known, queues_of
from orpheus.shared.messages.queues import Queue, Queues
from orpheus.shared.operations.operator_actions import pause_queue as set_paused
from orpheus.shared.storage import Store

router = APIRouter(tags=["queues and schedules"])

_PROBLEMS = problems(403, 404, 413, 415, 422, 507)


@router.get("/queues", responses=answers(Queues) | problems(422))
async def list_queues(request: Request, query: Annotated[QueuesQuery, Query()]) -> Response:
    """Every queue that has had a job, is paused or has a limit, with exact counts."""
    found, sight = await _read(services_of(request), query.name), sight_of(request.scope)
    return json_response(
        Queues([queue for queue in found if sight is None or sight.sees_queue(queue.name)])
    )


@router.post("/queues/{name}/pause", responses=answers(Queue) | _PROBLEMS, openapi_extra=REASON)
async def pause_queue(request: Request, name: Name) -> Response:
    """Start no job of this queue until it is resumed, even after restarts; creates the queue.

    If it is paused already, only a new reason changes that.
    """
    return await _set_paused(request, name, paused=True)


@router.post("/queues/{name}/resume", responses=answers(Queue) | _PROBLEMS, openapi_extra=REASON)
async def resume_queue(request: Request, name: Name) -> Response:
    """Start jobs of this queue again."""
    return await _set_paused(request, name, paused=False)


async def _set_paused(request: Request, name: str, *, paused: bool) -> Response:
    services, actor = services_of(request), audit_actor(request)
    if not NAME.fullmatch(name):
        raise refused_fields([FieldProblem("/name", f"is not a valid name: it {NAME_RULE}")])
    await services.writer.write(partial(set_paused, actor=actor, name=name, paused=paused))
    (queue,) = await _read(services, name, also_unknown=True)
    return json_response(queue)


async def _read(services: Services, name: str | None, *, also_unknown: bool = False) -> list[Queue]:
    """Return the queues, or one, even if nothing is known of it."""

    def read(store: Store) -> list[Queue]:
        found = queues_of(read_facts(store, services.options, {name} if name else None))
        return [queue for queue in found if not name or also_unknown or is_known(queue)]

    return await services.readers.read(read)
