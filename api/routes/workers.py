"""Workers and programs: list, restart, drain and scale them, read stacks and output.

A request to restart, drain or scale is answered (202) once it is written: a drain may take minutes,
and GET /workers and the stream show its progress.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, body, problems
from orpheus.api.contract.queries import ProgramLogsQuery, WorkersQuery
from orpheus.api.contract.requests import Scale
from orpheus.api.http.calls import REASON, audit_actor, json_response, read_body
from orpheus.api.services import Services, services_of, workers
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.errors import NotFound
from orpheus.shared.messages.http import ProgramLines
from orpheus.shared.messages.workers import PoolSize, Stack, Worker, Workers, configured_pools
from orpheus.shared.operations.supervisor_requests import (
    ask_for_slot,
    ask_for_workers,
    check_supervised,
    output_folder,
    read_stack,
)
from orpheus.shared.process.program_logs import read_lines
from orpheus.shared.storage import Store

overview = APIRouter(tags=["overview"])
router = APIRouter(tags=["supervision"])

Slot = Annotated[str, Path(description="`default-1`, `api`; GET /workers lists them.")]
Host = Annotated[
    str | None, Query(description="Which host is meant; needed only if several have that slot.")
]
_ANSWERS = answers(Worker, 202) | problems(403, 404, 409, 413, 415, 422, 507)


@overview.get("/workers", responses=answers(Workers) | problems(422))
async def list_workers(request: Request, query: Annotated[WorkersQuery, Query()]) -> Response:
    """Every slot, the API's and the supervisor's too, and every process that runs alone."""
    services = services_of(request)
    if not query.pools:
        found = await services.readers.read(lambda store: workers(store, services.options))
        return json_response(Workers(found))
    sizes = await asyncio.to_thread(services.configuration().sizes)
    # Not from the handover: an API that is about to be replaced has the pools of its start.
    pools = sizes.pools or dict.fromkeys(services.options.storage.pools)
    host, within_s = services.options.host_name, dict.fromkeys(pools, sizes.finishes_within_s)

    def read(store: Store) -> Workers:
        found = workers(store, services.options)
        return Workers(
            found,
            configured_pools(pools, found, host, within_s),
            configured_pools(sizes.programs, found, host, sizes.ends_within_s),
        )

    return json_response(await services.readers.read(read))


@router.post("/workers/{slot}/restart", status_code=202, responses=_ANSWERS, openapi_extra=REASON)
async def restart_worker(request: Request, slot: Slot, host: Host = None) -> Response:
    """Restart a slot once its job is finished; a slot that is down or fatal starts at once.

    A worker releases a job that still runs after `finishes_within_s` of its pool.
    """
    return await _ask_for_slot(request, RequestAction.RESTART, slot, host)


@router.post("/workers/{slot}/drain", status_code=202, responses=_ANSWERS, openapi_extra=REASON)
async def drain_worker(request: Request, slot: Slot, host: Host = None) -> Response:
    """Stop a slot once its job is finished, and keep it down until it or Orpheus restarts.

    A worker releases a job that still runs after `finishes_within_s` of its pool.
    """
    return await _ask_for_slot(request, RequestAction.DRAIN, slot, host)


async def _ask_for_slot(
    request: Request, action: RequestAction, name: str, host: str | None
) -> Response:
    services, actor = services_of(request), audit_actor(request)
    await _ask(services, lambda store: ask_for_slot(store, actor, action, name, host))

    def read(store: Store) -> Worker:
        for worker in workers(store, services.options):
            if worker.slot == name and host in (None, worker.host):
                return worker
        raise NotFound(f"the slot {name} is gone: its pool has shrunk")

    return json_response(await services.readers.read(read), 202)


@router.post(
    "/pools/{name}/scale",
    status_code=202,
    responses=answers(PoolSize, 202) | problems(403, 404, 413, 415, 422, 507),
    openapi_extra=body(Scale),
)
async def scale_pool(request: Request, name: str, host: Host = None) -> Response:
    """Set a pool's workers, until the file's number changes or the supervisor restarts."""
    services, scale = services_of(request), read_body(request, Scale)
    actor, pools = audit_actor(request, scale), services.options.storage.pools
    # Not in the handover, because then a new program would restart the API.
    sizes = None if name in pools else await asyncio.to_thread(services.configuration().sizes)
    programs = sizes.programs if sizes else ()

    def ask(store: Store) -> int:
        return ask_for_workers(store, actor, name, scale.workers, pools, programs, host)

    await _ask(services, ask)
    return json_response(PoolSize(name, scale.workers), 202)


async def _ask(services: Services, ask: Callable[[Store], int]) -> None:
    """Write a request. Raises NoSupervisor, and what `ask` raises."""

    def check_and_ask(store: Store) -> None:
        _check_supervised(services, store)
        ask(store)

    await services.writer.write(check_and_ask)


def _check_supervised(services: Services, store: Store) -> None:
    if not services.options.supervised:
        check_supervised(store, services.options.beat_timeout_s)


@router.get("/workers/{slot}/stack", responses=answers(Stack) | problems(404, 409))
async def get_stack(request: Request, slot: Slot, host: Host = None) -> Response:
    """The Python stack of each thread and of each job's coroutine; the process goes on running."""
    services = services_of(request)

    def read(store: Store) -> Stack:
        _check_supervised(services, store)
        return read_stack(store, slot, host, services.options.host_name)

    # It may wait seconds for the process, so it must not occupy a reader.
    return json_response(await services.long_calls.run(read))


@router.get("/programs/{slot}/logs", responses=answers(ProgramLines) | problems(404, 409, 422))
async def get_program_logs(
    request: Request, slot: Slot, query: Annotated[ProgramLogsQuery, Query()]
) -> Response:
    """The output of a program, oldest first: its newest part, or that before or after an id."""
    services = services_of(request)
    own_host = services.options.host_name
    folder = await services.readers.read(
        lambda store: output_folder(store, slot, query.host, own_host)
    )
    found = await asyncio.to_thread(read_lines, folder, query.after, query.before, query.limit)
    return json_response(ProgramLines(found))
