"""Jobs: submit, list, read."""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.responses import Response

from orpheus.api.contract.openapi import (
    LOCATION,
    REPLAYED,
    SUBMIT_HEADERS,
    answers,
    body,
    problems,
)
from orpheus.api.contract.queries import (
    LONGEST_WAIT_S,
    JobEventsQuery,
    JobQuery,
    JobsQuery,
    LogsQuery,
)
from orpheus.api.contract.requests import SubmitBatch, SubmitJob
from orpheus.api.http.calls import JobId, json_response, parse_job_id, validate, wait_until_left
from orpheus.api.http.cursors import decode_cursor, encode_cursor
from orpheus.api.http.scope import json_body, sight_of, traceparent_of
from orpheus.api.routes import listing, submission
from orpheus.api.routes.idempotency import idempotency_of, write_once
from orpheus.api.services import read_facts, services_of
from orpheus.shared.domain import jobs
from orpheus.shared.domain.graph import without
from orpheus.shared.domain.hidden import Hidden
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.explain.answers import why_of
from orpheus.shared.messages.encoding import optional_time
from orpheus.shared.messages.events import event_of
from orpheus.shared.messages.jobs import (
    Events,
    Ids,
    Job,
    JobGraph,
    JobPage,
    ListedJob,
    LogLines,
    SearchedJobs,
    Total,
    graph_of,
    job_of,
    job_preview_of,
    listed_job_of,
    log_line_of,
)
from orpheus.shared.messages.queues import Why
from orpheus.shared.storage import (
    PAGE_BYTES,
    Budget,
    JobCursor,
    JobOrder,
    Store,
    Submitted,
)

router = APIRouter(tags=["jobs"])

_LISTS = {JobOrder.NEWEST: "jobs", JobOrder.ENDED: "ended jobs"}
_TOTAL_S = 0.01
"""How long to count for the total of a list."""
_STATUS_S = 0.003
"""How long to count the jobs of one status."""
_PREVIEW_CHARS = 200
_SUBMITTED = LOCATION | REPLAYED
_HELD = "A live job of this type holds this unique_key: it."


@router.post(
    "/jobs",
    status_code=201,
    responses={
        **answers(ListedJob, 201, headers=_SUBMITTED),
        **answers(ListedJob, 200, description=_HELD, headers=_SUBMITTED),
        **problems(403, 409, 413, 415, 422, 507),
    },
    openapi_extra=body(SubmitJob) | SUBMIT_HEADERS,
)
async def submit_job(request: Request) -> Response:
    """Submit a job. 201 means committed: it survives what the configuration promises."""
    services, value = services_of(request), json_body(request.scope)
    idempotency = idempotency_of(request.scope, value)
    if idempotency and (first := await services.readers.read(idempotency.first_answer)):
        return first
    submitted = validate(SubmitJob, value)
    types, sight = await services.types.with_names([submitted.type]), sight_of(request.scope)
    new = submission.new_job(submitted, submission.seen(types, sight), services.options.defaults)
    with services.submit_span(new.type, traceparent_of(request.scope)) as traceparent:
        if traceparent:
            new = new._replace(traceparent=traceparent)
        answer = partial(_submitted, services.types.hidden)
        if idempotency is None and sight is None:
            return answer(await services.writer.write_with_others(_submit_each, new))

        def submit(store: Store) -> Submitted:
            if sight is not None:
                submission.refuse_unseen(store, sight, [new])
            return store.jobs.submit(new)

        return await write_once(services, idempotency, submit, answer)


def _submit_each(store: Store, new: list[jobs.NewJob]) -> list[Submitted]:
    return store.jobs.submit_each(new)


def _submitted(hidden: Hidden, submitted: Submitted) -> Response:
    job = submitted.job
    status = 201 if submitted.created else 200
    return json_response(listed_job_of(job, hidden), status, {"Location": f"/jobs/{job.id}"})


@router.post(
    "/jobs/batch",
    status_code=201,
    responses=answers(Ids, 201, headers=REPLAYED) | problems(403, 409, 413, 415, 422, 507),
    openapi_extra=body(SubmitBatch) | SUBMIT_HEADERS,
)
async def submit_batch(request: Request) -> Response:
    """Submit up to 10,000 jobs: all of them, or none. Items may wait for each other by `ref`."""
    services, value = services_of(request), json_body(request.scope)
    idempotency = await asyncio.to_thread(idempotency_of, request.scope, value)
    if idempotency and (first := await services.readers.read(idempotency.first_answer)):
        return first
    batch = await asyncio.to_thread(validate, SubmitBatch, value)
    sight = sight_of(request.scope)
    known = await services.types.with_names({job.type for job in batch.jobs})
    types = submission.seen(known, sight)
    new = await asyncio.to_thread(submission.new_jobs, batch, types, services.options.defaults)

    def submit(store: Store) -> list[int]:
        if sight is not None:
            submission.refuse_unseen(store, sight, new)
        return store.jobs.submit_many(new)

    with services.submit_span(None, traceparent_of(request.scope)) as traceparent:
        if traceparent:
            new = [item._replace(traceparent=traceparent) for item in new]
        return await write_once(
            services,
            idempotency,
            submit,
            lambda ids: json_response(Ids(ids), 201),
        )


@router.get("/jobs", responses=answers(JobPage) | problems(422))
async def list_jobs(request: Request, query: Annotated[JobsQuery, Query()]) -> Response:
    """Jobs, newest first; `next_cursor` leads to the next page.

    A page may have few jobs, or none, and a `next_cursor` all the same: `searched` says how far it
    looked.
    """
    services, order = services_of(request), listing.order_of(query)
    sight = sight_of(request.scope)
    at = decode_cursor(query.cursor, _LISTS[order], len(JobCursor._fields))
    preview_chars, message_of = (
        (_PREVIEW_CHARS, partial(job_preview_of, chars=_PREVIEW_CHARS))
        if query.preview
        else (None, listed_job_of)
    )

    def read(store: Store) -> Response:
        matching = listing.listed(query, store.clock.wall_ms(), sight)
        with store.snapshot():
            found = store.lists.page(
                matching,
                query.limit,
                order=order,
                cursor=None if at is None else JobCursor(*at),
                most_bytes=PAGE_BYTES,
                preview_chars=preview_chars,
                budget=Budget(listing.PAGE_S),
            )
            is_all = at is None and found.next_cursor is None
            total = Total(len(found.jobs), "eq" if is_all else "gte")
            if query.q is query.payload is None and not is_all:
                counted = store.lists.total(matching, Budget(_TOTAL_S), order=order)
                total = Total(counted.value, "eq" if counted.exact else "gte")
            by_status = _by_status(store, matching) if query.by_status else None
            hidden = store.hidden.rules()
            quarantined = [
                quarantine.type
                for quarantine in store.quarantines.all()
                if sight is None or sight.sees_type(quarantine.type)
            ]
        page = JobPage(
            items=[message_of(job, hidden) for job in found.jobs],
            next_cursor=found.next_cursor and encode_cursor(found.next_cursor, _LISTS[order]),
            total=total,
            by_status=by_status,
            searched=None  # it counts jobs that a narrow caller may not see
            if found.looked_at is None or sight is not None
            else SearchedJobs(found.looked_at, optional_time(found.reached_ms)),
            quarantined=quarantined,
        )
        return json_response(page)

    return await services.readers.read(read)


def _by_status(store: Store, wanted: JobFilter) -> dict[str, Total]:
    counted = {}
    for status in TERMINAL if wanted.by_end else jobs.Status:
        total = store.lists.total(replace(wanted, status=status), Budget(_STATUS_S))
        counted[status.value] = Total(total.value, "eq" if total.exact else "gte")
    return counted


@router.api_route("/jobs/batch", methods=["GET", "DELETE"], include_in_schema=False)
@router.api_route("/jobs/bulk", methods=["GET", "DELETE"], include_in_schema=False)
async def not_a_job() -> Response:
    """Answer 405: these paths are calls, not jobs with such an id."""
    raise HTTPException(405)


@router.get("/jobs/{job_id}", responses=answers(Job) | problems(404, 422))
async def get_job(request: Request, job_id: JobId, query: Annotated[JobQuery, Query()]) -> Response:
    """A job with its attempts; with `wait`, when it has ended, or so many seconds later."""
    services, number = services_of(request), parse_job_id(job_id)

    def read(store: Store) -> Response:
        with store.snapshot():
            found, attempts = store.jobs.get(number), store.jobs.attempts(number)
            hidden, has_steps = store.hidden.rules(), store.steps.any(number)
            job = job_of(found, attempts, hidden, has_steps=has_steps)
        return json_response(job)

    if not query.wait:
        return await services.readers.read(read)
    await _wait_for_end(request, number, min(query.wait, LONGEST_WAIT_S))
    return await services.broadcaster.read(read)  # a thousand waiting calls may be answered at once


@router.get("/jobs/{job_id}/why", responses=answers(Why) | problems(404))
async def get_why(request: Request, job_id: JobId) -> Response:
    """Why a job does not run: every reason, who holds it back, and until when."""
    services, number = services_of(request), parse_job_id(job_id)
    sight = sight_of(request.scope)

    def read(store: Store) -> Response:
        queue = store.jobs.get(number).queue
        facts = read_facts(store, services.options, {queue})
        return json_response(listing.why_within(store, sight, why_of(store, facts, number)))

    return await services.readers.read(read)


@router.get("/jobs/{job_id}/graph", responses=answers(JobGraph) | problems(404))
async def get_graph(request: Request, job_id: JobId) -> Response:
    """What a job waits for and what waits for it, through others too: the nearest 200 jobs."""
    number, sight = parse_job_id(job_id), sight_of(request.scope)

    def read(store: Store) -> Response:
        with store.snapshot():
            graph = store.graphs.around(number)
            hidden = listing.hidden(store, sight, [job.id for job in graph.jobs])
        return json_response(graph_of(without(graph, hidden)))

    return await services_of(request).readers.read(read)


@router.get("/jobs/{job_id}/logs", responses=answers(LogLines) | problems(404, 422))
async def get_logs(
    request: Request, job_id: JobId, query: Annotated[LogsQuery, Query()]
) -> Response:
    """What the job wrote, oldest first; readable while it runs."""
    number = parse_job_id(job_id)

    def read(store: Store) -> Response:
        with store.snapshot():
            store.jobs.get(number)  # an unknown job is a 404, not an empty log
            lines = store.logs.after(number, query.after, query.limit)
            rules = store.hidden.of_job(number)
        return json_response(LogLines([log_line_of(line, rules) for line in lines]))

    return await services_of(request).readers.read(read)


@router.get("/jobs/{job_id}/events", responses=answers(Events) | problems(404, 422))
async def get_events(
    request: Request, job_id: JobId, query: Annotated[JobEventsQuery, Query()]
) -> Response:
    """What happened to the job, oldest first."""
    number = parse_job_id(job_id)

    def read(store: Store) -> Response:
        with store.snapshot():
            store.jobs.get(number)
            events = store.events.of_job(number, query.limit, query.after)
        return json_response({"items": [event_of(event) for event in events]})

    return await services_of(request).readers.read(read)


async def _wait_for_end(request: Request, job_id: int, wait_s: float) -> None:
    """Wait until the job is terminal, `wait_s` has passed, the client left, or the server stops.

    Raises NotFound.
    """
    broadcaster = services_of(request).broadcaster

    async def has_ended() -> bool:
        job = await broadcaster.read(lambda store: store.jobs.get(job_id))
        return job.status in TERMINAL

    async with broadcaster.end_of(job_id) as ended:
        leaving = asyncio.create_task(wait_until_left(request.receive))
        leaving.add_done_callback(lambda _: ended.set())
        try:
            async with asyncio.timeout(wait_s):
                while not (leaving.done() or broadcaster.closed or await has_ended()):
                    await ended.wait()
                    ended.clear()
        except TimeoutError:
            return
        finally:
            leaving.cancel()
