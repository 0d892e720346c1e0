"""Job types: list them, release one that is quarantined."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.http.calls import REASON, Name, audit_actor, json_response
from orpheus.api.services import services_of
from orpheus.shared.messages.job_types import JobTypes, TypeState, job_types_of
from orpheus.shared.operations import operator_actions

router = APIRouter(tags=["overview"])


@router.get("/types", responses=answers(JobTypes) | problems())
async def list_types(request: Request) -> Response:
    """Every job type, with the JSON Schema of its payload, and whether it is quarantined."""
    services = services_of(request)
    defaults = services.options.defaults
    return json_response(await services.readers.read(lambda store: job_types_of(store, defaults)))


@router.post(
    "/types/{name}/release",
    responses=answers(TypeState) | problems(403, 404, 409, 413, 415, 422, 507),
    openapi_extra=REASON,
)
async def release_type(request: Request, name: Name) -> Response:
    """Run jobs of a quarantined type again. If they kill as many workers, it is held back anew."""
    services, actor = services_of(request), audit_actor(request)

    await services.writer.write(lambda store: operator_actions.release_type(store, actor, name))
    return json_response(TypeState(name, quarantine=None))
