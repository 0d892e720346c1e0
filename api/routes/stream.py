"""The WebSocket at /ws."""

from fastapi import APIRouter, WebSocket

from api.errors import Refusal
from api.http import job_id_of
from api.schemas import LARGEST_ID
from api.services import services_of
from api.stream import StreamClient
from shared.errors import FieldProblem

router = APIRouter()


@router.websocket("/ws")
async def stream(websocket: WebSocket) -> None:
    """Everything that happens from now on, or after `?after=`; with `?job=`, of one job only.

    Refused before the handshake: 404 for an unknown job, 422 for an `after` that is no number.
    """
    services = services_of(websocket)
    after = _after(websocket.query_params.get("after"))
    job = websocket.query_params.get("job")
    job_id = None if job is None else job_id_of(job)
    if job_id is not None:
        await services.readers.read(lambda store: store.jobs.get(job_id))
    await websocket.accept()
    client = StreamClient(websocket, services.broadcaster, services.readers, services.hello, job_id)
    await client.run(after)


def _after(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= LARGEST_ID:
        return int(text)
    problem = FieldProblem("/after", "is not the seq of an event")
    raise Refusal(422, f"{problem.pointer} {problem.detail}.", [problem])
