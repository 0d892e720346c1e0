"""GET /audit: what operators did."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.contract.queries import AuditQuery
from orpheus.api.http.calls import json_response
from orpheus.api.http.cursors import decode_cursor, encode_cursor
from orpheus.api.http.problems import refused_fields
from orpheus.api.routes import listing
from orpheus.api.services import services_of
from orpheus.shared.domain.job_filter import span_problems
from orpheus.shared.durations import moment_ms
from orpheus.shared.errors import FieldProblem
from orpheus.shared.messages.audit import AuditPage, SearchedEntries, audit_entry_of
from orpheus.shared.messages.encoding import optional_time
from orpheus.shared.storage import AuditFilter, Budget, Store

router = APIRouter(tags=["actions"])

_LIST = "audit"


@router.get("/audit", responses=answers(AuditPage) | problems(422))
async def get_audit(request: Request, query: Annotated[AuditQuery, Query()]) -> Response:
    """What operators did, by HTTP and on the command line, newest first.

    A page may have few entries, or none, and a `next_cursor` all the same: `searched` says how far
    it looked.
    """
    numbers = decode_cursor(query.cursor, _LIST)
    before_id = numbers[0] if numbers else None

    def read(store: Store) -> Response:
        wanted = _filter_of(query, store.clock.wall_ms())
        found = store.audit.find(wanted, query.limit, before_id, Budget(listing.PAGE_S))
        page = AuditPage(
            [audit_entry_of(row) for row in found.rows],
            None if found.before_id is None else encode_cursor((found.before_id,), _LIST),
            None
            if found.looked_at is None
            else SearchedEntries(found.looked_at, optional_time(found.reached_ms)),
        )
        return json_response(page)

    return await services_of(request).readers.read(read)


def _filter_of(query: AuditQuery, now_ms: int) -> AuditFilter:
    """Return the filter. Raises Refusal (422) if no entry can match it."""
    since_ms, until_ms = moment_ms(query.since, now_ms), moment_ms(query.until, now_ms)
    wanted = AuditFilter(
        query.by, query.action, query.target, query.q, since_ms, until_ms, query.job
    )
    problems = span_problems(since_ms, until_ms)
    if wanted.target is not None and not wanted.target_words:
        problems.append(FieldProblem("/target", "must have a word"))
    if problems:
        raise refused_fields(problems)
    return wanted
