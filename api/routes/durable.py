"""What durable functions have kept, and the signals that they wait for."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, body, problems
from orpheus.api.contract.requests import SendSignal
from orpheus.api.http.calls import JobId, json_response, parse_job_id, read_body
from orpheus.api.services import services_of
from orpheus.shared.domain.steps import new_signal
from orpheus.shared.messages.encoding import encode
from orpheus.shared.messages.steps import JobSteps, Signal, signal_of, steps_of
from orpheus.shared.storage import Store

router = APIRouter(tags=["jobs"])

_SENT_BEFORE = "It was sent before: the payload as it is now, the first one if none replaced it."


@router.post(
    "/signals",
    status_code=201,
    responses={
        **answers(Signal, 201),
        **answers(Signal, 200, description=_SENT_BEFORE),
        **problems(403, 413, 415, 422, 507),
    },
    openapi_extra=body(SendSignal),
)
async def send_signal(request: Request) -> Response:
    """Send a signal, and wake the functions that wait for it.

    The first payload stays, unless another one is to `replace` it.
    """
    given = read_body(request, SendSignal)
    new = new_signal(given.name, given.key, encode(given.payload).decode())
    new = new._replace(replaces=given.replace)

    def send(store: Store) -> Signal:
        signal, is_new = store.signals.send(new)
        return signal_of(signal, store.hidden.rules(), is_new=is_new)

    sent = await services_of(request).writer.write(send)
    return json_response(sent, 201 if sent.is_new else 200)


@router.get("/jobs/{job_id}/steps", responses=answers(JobSteps) | problems(404))
async def get_steps(request: Request, job_id: JobId) -> Response:
    """The steps, sleeps, signals and children of a durable function, oldest first.

    A result of more than 64 KB is cut, and a shorter one if the function has many.
    """
    number = parse_job_id(job_id)

    def read(store: Store) -> Response:
        with store.snapshot():
            store.jobs.get(number)  # an unknown job is a 404
            rows, most_chars = store.steps.shown(number)
            rules = store.hidden.of_job(number)
        return json_response(steps_of(rows, most_chars, rules))

    return await services_of(request).readers.read(read)
