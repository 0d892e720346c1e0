"""GET /types: the job types that can be submitted."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.answers import JobTypes
from orpheus.api.contract.openapi import answers, problems
from orpheus.api.http.calls import json_response
from orpheus.api.services import services_of
from orpheus.shared.views.job_types import type_json

router = APIRouter(tags=["overview"])


@router.get("/types", responses=answers(JobTypes) | problems())
async def list_types(request: Request) -> Response:
    """Every job type, with the JSON Schema of its payload."""
    services = services_of(request)
    rows = await services.readers.read(lambda store: store.types.all())
    return json_response({"items": [type_json(row, services.options.defaults) for row in rows]})
