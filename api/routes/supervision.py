"""What operators ask of the supervisor: restart, drain, scale, and where a process stands.

Each call but the last is answered when the request is written (202): a drain may take minutes, and
GET /workers and the stream show how it goes.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from orpheus.api.contract import schemas
from orpheus.api.contract.openapi import body, problems
from orpheus.api.http.calls import actor_for, actor_of, answer, checked
from orpheus.api.http.guard import json_of
from orpheus.api.services import Services, services_of, workers
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.errors import NotFound
from orpheus.shared.operations.requests import (
    ask_for_slot,
    ask_for_workers,
    check_supervised,
    read_stack,
)
from orpheus.shared.storage import Store, database_path

router = APIRouter(tags=["supervision"])

Slot = Annotated[str, Path(description="`default-1`, `api`; GET /workers lists them.")]
_WHY = body(schemas.Reason, required=False)


@router.post(
    "/workers/{slot}/restart",
    status_code=202,
    response_model=schemas.Worker,
    responses=problems(403, 404, 409, 413, 415, 422, 507),
    openapi_extra=_WHY,
)
async def restart_worker(request: Request, slot: Slot) -> Response:
    """Let it finish its job, then start it anew; a slot that is down or fatal starts at once."""
    return await _ask_for_slot(request, RequestAction.RESTART, slot)


@router.post(
    "/workers/{slot}/drain",
    status_code=202,
    response_model=schemas.Worker,
    responses=problems(403, 404, 409, 413, 415, 422, 507),
    openapi_extra=_WHY,
)
async def drain_worker(request: Request, slot: Slot) -> Response:
    """Let it finish its job, then keep it down until it is restarted."""
    return await _ask_for_slot(request, RequestAction.DRAIN, slot)


async def _ask_for_slot(request: Request, action: RequestAction, name: str) -> Response:
    services, actor = services_of(request), actor_of(request)
    await _ask(services, lambda store: ask_for_slot(store, actor, action, name))

    def read(store: Store) -> dict[str, Any]:
        for worker in workers(store, services.options):
            if worker["slot"] == name:
                return worker
        raise NotFound(f"the slot {name} is gone: its pool has shrunk")

    return answer(await services.readers.read(read), 202)


@router.post(
    "/pools/{name}/scale",
    status_code=202,
    response_model=schemas.PoolSize,
    responses=problems(403, 404, 413, 415, 422, 507),
    openapi_extra=body(schemas.Scale),
)
async def scale_pool(request: Request, name: str) -> Response:
    """Have so many workers, until the file's number changes or the supervisor restarts."""
    services = services_of(request)
    asked = checked(schemas.Scale, json_of(request.scope))
    actor, pools = actor_for(request, asked.reason), services.options.storage.pools
    await _ask(services, lambda store: ask_for_workers(store, actor, name, asked.workers, pools))
    return answer({"pool": name, "workers": asked.workers}, 202)


async def _ask(services: Services, ask: Callable[[Store], int]) -> None:
    """Write a request. Raises NoSupervisor, and what `ask` raises."""

    def check_and_ask(store: Store) -> None:
        _check_supervised(services, store)
        ask(store)

    await services.writer.write(check_and_ask)


def _check_supervised(services: Services, store: Store) -> None:
    if not services.options.supervised:
        check_supervised(store, services.options.beat_timeout_s)


@router.get("/workers/{slot}/stack", response_model=schemas.Stack, responses=problems(404, 409))
async def get_stack(request: Request, slot: Slot) -> Response:
    """Where its code stands now, thread by thread; the process goes on meanwhile."""
    services = services_of(request)

    def read(store: Store) -> dict[str, Any]:
        _check_supervised(services, store)
        return read_stack(store, database_path(services.options.storage.url), slot)

    # It waits for the process, for seconds: no reader can be spared for that long.
    return answer(await asyncio.to_thread(services.apart, read))
