"""GET /errors: failed jobs by their errors."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.http.calls import json_response
from orpheus.api.services import services_of
from orpheus.shared.messages.errors import ErrorGroups, error_groups_of

router = APIRouter(tags=["overview"])


@router.get("/errors", responses=answers(ErrorGroups) | problems())
async def list_errors(request: Request) -> Response:
    """The jobs that are failed now, by type, error and location: the last 500 groups."""
    groups = await services_of(request).readers.read(lambda store: store.errors.groups())
    return json_response(error_groups_of(groups))
