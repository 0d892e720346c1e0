"""GET /audit: what operators did."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.contract.queries import AuditQuery
from orpheus.api.http.calls import json_response
from orpheus.api.http.cursors import decode_cursor, encode_cursor
from orpheus.api.services import services_of
from orpheus.shared.messages.audit import AuditPage, audit_entry_of

router = APIRouter(tags=["actions"])

_LIST = "audit"


@router.get("/audit", responses=answers(AuditPage) | problems(422))
async def get_audit(request: Request, query: Annotated[AuditQuery, Query()]) -> Response:
    """What operators did, by HTTP and on the command line, newest first."""
    numbers = decode_cursor(query.cursor, _LIST)
    before_id = numbers[0] if numbers else None
    found = await services_of(request).readers.read(
        lambda store: store.audit.find(query.limit, before_id, query.job)
    )
    next_id = found.before_id
    page = AuditPage(
        [audit_entry_of(row) for row in found.rows],
        None if next_id is None else encode_cursor((next_id,), _LIST),
    )
    return json_response(page)
