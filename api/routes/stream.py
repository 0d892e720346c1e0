"""The stream: the WebSocket at /ws, and the same events at /events."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, WebSocket
from starlette.responses import Response

from orpheus.api.contract.openapi import Responses, header_parameter, problems
from orpheus.api.contract.queries import EventsQuery, StreamQuery
from orpheus.api.http.calls import parse_job_id, validate
from orpheus.api.http.scope import caller_of, sight_of
from orpheus.api.routes.enforced import check_job
from orpheus.api.services import services_of
from orpheus.api.stream.listener import Listener, Position
from orpheus.api.stream.sse import MEDIA_TYPE, EventStream
from orpheus.api.stream.websocket import send_stream

router = APIRouter(tags=["stream"])

_SERVER_SENT: Responses = {
    200: {
        "description": "Server-sent events without an end: `id` is `EPOCH:SEQ`, `event` the kind, "
        "`data` the event as in a frame of `/ws`. `reset` where the log no longer reaches back to "
        "what was asked for, or the client was too slow; what follows begins at the present.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}
_LAST_EVENT_ID = header_parameter(
    "Last-Event-ID",
    "Sent by an EventSource that comes back; it goes before `after` and `epoch`.",
    {"type": "string", "pattern": "^([A-Za-z0-9]{1,64}:)?[0-9]{1,18}$"},
)


@router.websocket("/ws")
async def websocket_stream(websocket: WebSocket) -> None:
    """Everything that happens from now on, or after `?after=`; with `?job=`, of one job only.

    Refused before the handshake: 404 for an unknown job, 422 for an invalid query.
    """
    services = services_of(websocket)
    query = validate(StreamQuery, dict(websocket.query_params))
    job_id = None if query.job is None else parse_job_id(query.job)
    caller, sight = caller_of(websocket.scope), sight_of(websocket.scope)
    if job_id is not None:
        await services.readers.read(lambda store: check_job(store, caller, job_id))
    await websocket.accept()
    listener = Listener(services.broadcaster, job_id, query.log_after, sight)
    await send_stream(websocket, listener, _position(query))


@router.get(
    "/events",
    response_class=EventStream,
    status_code=200,
    responses=problems(422) | _SERVER_SENT,
    openapi_extra=_LAST_EVENT_ID,
)
async def server_sent_events(request: Request, query: Annotated[EventsQuery, Query()]) -> Response:
    """Everything that happens from now on, or after a seq, as server-sent events."""
    if last_event_id := request.headers.get("last-event-id"):
        epoch, _, seq = last_event_id.rpartition(":")
        query = validate(EventsQuery, {"after": seq, "epoch": epoch})
    listener = Listener(services_of(request).broadcaster, sight=sight_of(request.scope))
    return EventStream(listener, _position(query))


def _position(query: EventsQuery) -> Position | None:
    return None if query.after is None else Position(query.after, query.epoch)
