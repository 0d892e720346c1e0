"""What happened: figures of queues and job types by minute or hour, and the timeline."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.contract.queries import HistoryQuery, TimelineQuery
from orpheus.api.http.calls import json_response
from orpheus.api.http.cursors import decode_cursor, encode_cursor
from orpheus.api.http.problems import refused_fields
from orpheus.api.services import services_of
from orpheus.shared.domain.job_filter import span_problems
from orpheus.shared.durations import moment_ms
from orpheus.shared.errors import FieldProblem
from orpheus.shared.explain.timeline import timeline_item_of
from orpheus.shared.messages.history import History, chosen_step_s, history_of
from orpheus.shared.messages.timeline import TimelinePage
from orpheus.shared.storage import Position, Store

router = APIRouter(tags=["overview"])

_HOUR_S = 3600
_LIST = "timeline"


@router.get("/stats/history", responses=answers(History) | problems(422))
async def get_history(request: Request, query: Annotated[HistoryQuery, Query()]) -> Response:
    """What happened to the jobs of each queue or type, by minute or hour.

    Minutes are kept for two days, hours for ninety. A minute is complete 15 s after its end.
    """

    def read(store: Store) -> Response:
        now_ms = store.clock.wall_ms()
        until_ms = moment_ms(query.until, now_ms)
        until_s = -(-(now_ms if until_ms is None else until_ms) // 1000)
        since_ms = moment_ms(query.since, now_ms)
        since_s = max(0, until_s - _HOUR_S) if since_ms is None else since_ms // 1000
        if wrong := span_problems(since_s, until_s):
            raise refused_fields(wrong)
        try:
            step_s = chosen_step_s(since_s, until_s, now_ms // 1000, query.step)
        except ValueError as error:
            raise refused_fields([FieldProblem("/step", str(error))]) from error
        return json_response(history_of(store, query.by, since_s, until_s, step_s, query.name))

    return await services_of(request).readers.read(read)


@router.get("/timeline", responses=answers(TimelinePage) | problems(422))
async def get_timeline(request: Request, query: Annotated[TimelineQuery, Query()]) -> Response:
    """What happened to workers, queues, schedules and the configuration, and what operators did.

    Newest first. What happens all day (a worker starts, a schedule fires) is kept for two days,
    the rest for ninety; operators' actions stay.
    """
    numbers = decode_cursor(query.cursor, _LIST, 3)
    before = None if numbers is None else Position(*numbers)

    def read(store: Store) -> Response:
        now_ms = store.clock.wall_ms()
        since_ms, until_ms = moment_ms(query.since, now_ms), moment_ms(query.until, now_ms)
        if wrong := span_problems(since_ms, until_ms):
            raise refused_fields(wrong)
        found = store.timeline.find(
            query.limit + 1,
            before=before,
            since_ms=since_ms,
            until_ms=until_ms,
            q=query.q,
            kinds=query.kind.split(",") if query.kind else (),
        )
        shown, many = found[: query.limit], store.has_many_hosts
        items = [timeline_item_of(row, has_many_hosts=many) for row in shown]
        is_last = len(found) <= query.limit
        cursor = None if is_last else encode_cursor(found[query.limit - 1].position, _LIST)
        return json_response(TimelinePage(items, cursor))

    return await services_of(request).readers.read(read)
