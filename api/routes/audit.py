"""GET /audit: what operators did."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orpheus.api.contract.answers import AuditPage
from orpheus.api.contract.openapi import answers, problems
from orpheus.api.contract.queries import AuditQuery
from orpheus.api.http.calls import json_response
from orpheus.api.http.cursors import decode_cursor, split_page
from orpheus.api.services import services_of
from orpheus.shared.views.audit import audit_json

router = APIRouter(tags=["actions"])

_LIST = "audit"


@router.get("/audit", responses=answers(AuditPage) | problems(422))
async def get_audit(request: Request, query: Annotated[AuditQuery, Query()]) -> Response:
    """What operators did, by HTTP and on the command line, newest first."""
    place = decode_cursor(query.cursor, _LIST)
    before_id = place[0] if place else None
    rows = await services_of(request).readers.read(
        lambda store: store.audit.page(query.limit + 1, before_id, query.job)
    )
    shown, next_cursor = split_page(rows, query.limit, _LIST)
    page = AuditPage(items=[audit_json(row) for row in shown], next_cursor=next_cursor)
    return json_response(page)
