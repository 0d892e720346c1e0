"""The stream: the WebSocket at /ws, and the same events at /events."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Annotated

from fastapi import APIRouter, Query, Request, WebSocket
from starlette.responses import Response

from orpheus.api.contract.openapi import Responses, header_parameter, problems
from orpheus.api.http.calls import parse_job_id
from orpheus.api.http.problems import refused_fields
from orpheus.api.services import services_of
from orpheus.api.stream.listener import Listener, Position
from orpheus.api.stream.sse import MEDIA_TYPE, EventStream
from orpheus.api.stream.websocket import send_stream
from orpheus.shared.domain.json_values import json_pointer
from orpheus.shared.domain.limits import LARGEST_ID
from orpheus.shared.errors import FieldProblem

router = APIRouter(tags=["stream"])

_SERVER_SENT: Responses = {
    200: {
        "description": "Server-sent events without an end: `id` is `EPOCH:SEQ`, `event` the kind, "
        "`data` the event as in a frame of `/ws`. `reset` where the log no longer reaches back to "
        "what was asked for, or the client was too slow; what follows begins at the present.",
        "content": {
            MEDIA_TYPE: {
                "schema": {  # of each event
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
                },
                "example": "id: 9f86d081884c7d65:7\nevent: job.enqueued\n"
                'data: {"seq":7,"at":"2026-01-31T12:00:00.000Z","kind":"job.enqueued","job":{}}\n',
            }
        },
    }
}
_SEQ = {"type": "integer", "minimum": 0, "maximum": LARGEST_ID}
_EPOCH = {"type": "string", "pattern": "^[A-Za-z0-9]{1,64}$"}
_LAST_EVENT_ID = header_parameter(
    "Last-Event-ID",
    "Sent by an EventSource that comes back; it goes before `after` and `epoch`.",
    {"type": "string", "pattern": "^([A-Za-z0-9]{1,64}:)?[0-9]{1,19}$"},
)


_WS = {"after", "epoch", "job", "log_after"}


@router.websocket("/ws")
async def websocket_stream(websocket: WebSocket) -> None:
    """Everything that happens from now on, or after `?after=`; with `?job=`, of one job only.

    With `?log_after=`, its log lines begin after that one, which the client has.
    With `?epoch=`, `after` is of that history of the database. Refused before the
    handshake: 404 for an unknown job, 422 for an `after` that is not a number.
    """
    services = services_of(websocket)
    given = _known(websocket.query_params.multi_items(), _WS)
    after = _parse_position(given.get("after"), given.get("epoch"))
    job_id = parse_job_id(given["job"]) if "job" in given else None
    log_after = _parse_log_after(given)
    if job_id is not None:
        await services.readers.read(lambda store: store.jobs.get(job_id))
    await websocket.accept()
    await send_stream(websocket, Listener(services.broadcaster, job_id, log_after), after)


@router.get(
    "/events",
    response_class=EventStream,
    status_code=200,
    responses=problems(422) | _SERVER_SENT,
    openapi_extra=_LAST_EVENT_ID,
)
async def server_sent_events(
    request: Request,
    after: Annotated[
        str | None, Query(json_schema_extra=_SEQ, description="Events with a greater seq only.")
    ] = None,
    epoch: Annotated[
        str | None,
        Query(json_schema_extra=_EPOCH, description="The history of the database of that seq."),
    ] = None,
) -> Response:
    """Everything that happens from now on, or after a seq, as server-sent events."""
    _known(request.query_params.multi_items(), {"after", "epoch"})
    start = _parse_position(after, epoch)
    if last_event_id := request.headers.get("last-event-id"):  # an empty one says nothing
        last_epoch, colon, seq = last_event_id.rpartition(":")
        start = _parse_position(seq, last_epoch if colon else None, *["/Last-Event-ID"] * 2)
    return EventStream(Listener(services_of(request).broadcaster), start)


def _known(given: Iterable[tuple[str, str]], names: AbstractSet[str]) -> dict[str, str]:
    """Return the parameters of a query. Raises Refusal (422) for an unknown one."""
    found = dict(given)
    unknown = [name for name in found if name not in names]
    wrong = [FieldProblem(json_pointer([name]), "is not a known field") for name in unknown]
    if wrong:
        raise refused_fields(wrong)
    return found


def _parse_log_after(given: Mapping[str, str]) -> int:
    """Return the id of the last log line that the client has; 0: none. Raises Refusal (422)."""
    if "log_after" not in given:
        return 0
    if "job" not in given:
        raise refused_fields([FieldProblem("/log_after", "is only for `job`")])
    if (line := _parse_number(given["log_after"])) is None:
        raise refused_fields([FieldProblem("/log_after", "is not the id of a log line")])
    return line


def _parse_number(text: str) -> int | None:
    """Return text as the number of a seq or an id; None if it cannot be one."""
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= LARGEST_ID:
        return int(text)
    return None


def _parse_position(
    seq: str | None, epoch: str | None, where: str = "/after", where_epoch: str = "/epoch"
) -> Position | None:
    """Return the position; None without a seq. Raises Refusal (422), naming the parameter."""
    if epoch is not None and not (epoch.isascii() and epoch.isalnum() and len(epoch) <= 64):
        raise refused_fields([FieldProblem(where_epoch, "is not the epoch of a database")])
    if seq is None:
        return None
    if (number := _parse_number(seq)) is not None:
        return Position(number, epoch)
    raise refused_fields([FieldProblem(where, "is not the seq of an event")])
