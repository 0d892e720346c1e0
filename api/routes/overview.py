"""Figures of the whole system, job types, failed jobs by their errors, and the rules of alerts."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, body, problems
from orpheus.api.contract.requests import Acknowledge, Unacknowledge
from orpheus.api.http.calls import REASON, Name, audit_actor, json_response, read_body, validate
from orpheus.api.http.scope import optional_json_body, sight_of
from orpheus.api.services import Services, read_facts, services_of
from orpheus.shared import storage
from orpheus.shared.domain.jobs import Status
from orpheus.shared.explain.answers import acknowledgement_of, counts_of, verdict_of
from orpheus.shared.messages.alerts import Alerts, alerts_of
from orpheus.shared.messages.encoding import time_of
from orpheus.shared.messages.errors import ErrorGroups, error_groups_of
from orpheus.shared.messages.job_types import (
    JobTypes,
    TypesStats,
    TypeState,
    job_types_of,
    seen_types,
    types_stats_of,
)
from orpheus.shared.messages.status import (
    FinishedSince,
    Latency,
    Minute,
    Stats,
    Throughput,
    Verdict,
)
from orpheus.shared.operations import operator_actions
from orpheus.shared.storage import LATELY_MINUTES, Acknowledgement, Store

router = APIRouter(tags=["overview"])

_MINUTES = 60
_PROBLEMS = problems(403, 404, 409, 413, 415, 422, 507)


@router.get("/stats", responses=answers(Stats) | problems())
async def get_stats(request: Request) -> Response:
    """Exact counts, throughput, how long jobs wait and run, and what needs a person."""
    services = services_of(request)
    return json_response(await services.readers.read(lambda store: _stats(store, services)))


@router.get("/stats/types", responses=answers(TypesStats) | problems())
async def get_stats_of_types(request: Request) -> Response:
    """What the attempts of each job type cost, and how its jobs ended in the last hour."""
    found = await services_of(request).readers.read(types_stats_of)
    sight = sight_of(request.scope)
    return json_response(
        TypesStats([item for item in found.items if sight is None or sight.sees_type(item.name)])
    )


@router.get("/types", responses=answers(JobTypes) | problems())
async def list_types(request: Request) -> Response:
    """Every job type, with the JSON Schema of its payload, and whether it is quarantined."""
    services = services_of(request)
    defaults = services.options.defaults
    found = await services.readers.read(lambda store: job_types_of(store, defaults))
    return json_response(JobTypes(seen_types(found.items, sight_of(request.scope))))


@router.post(
    "/types/{name}/release",
    responses=answers(TypeState) | _PROBLEMS,
    openapi_extra=REASON,
)
async def release_type(request: Request, name: Name) -> Response:
    """Run jobs of a quarantined type again. If they kill as many workers, it is held back anew."""
    services, actor = services_of(request), audit_actor(request)
    await services.writer.write(lambda store: operator_actions.release_type(store, actor, name))
    return json_response(TypeState(name, quarantine=None))


@router.post(
    "/concerns/{code}/acknowledge",
    responses=answers(Verdict) | _PROBLEMS,
    openapi_extra=body(Acknowledge),
)
async def acknowledge_concern(request: Request, code: str) -> Response:
    """Say that you know of a problem: until that time or until it gets worse it is no news."""
    services, asked = services_of(request), read_body(request, Acknowledge)
    actor = audit_actor(request, asked)

    def find(store: Store) -> Acknowledgement:
        facts = read_facts(store, services.options)
        return acknowledgement_of(store, facts, code, asked.subject, actor, asked.for_s)

    row = await services.readers.read(find)
    await services.writer.write(lambda store: operator_actions.acknowledge(store, actor, row))
    return await _verdict(services)


@router.post(
    "/concerns/{code}/unacknowledge",
    responses=answers(Verdict) | _PROBLEMS,
    openapi_extra=body(Unacknowledge, required=False),
)
async def unacknowledge_concern(request: Request, code: str) -> Response:
    """Withdraw an acknowledgement."""
    asked = validate(Unacknowledge, optional_json_body(request.scope))
    services, actor = services_of(request), audit_actor(request, asked)
    await services.writer.write(
        lambda store: operator_actions.unacknowledge(store, actor, code, asked.subject)
    )
    return await _verdict(services)


async def _verdict(services: Services) -> Response:
    def read(store: Store) -> Verdict:
        return verdict_of(store, read_facts(store, services.options))

    return json_response(await services.readers.read(read))


@router.get("/errors", responses=answers(ErrorGroups) | problems())
async def list_errors(request: Request) -> Response:
    """The jobs that are failed now, by type, error and location: the last 500 groups."""
    sight = sight_of(request.scope)
    groups = await services_of(request).readers.read(lambda store: store.errors.groups(sight))
    return json_response(error_groups_of(groups))


@router.get("/alerts", responses=answers(Alerts) | problems())
async def list_alerts(request: Request) -> Response:
    """Every rule of the configuration, with when it fired last."""
    return json_response(await services_of(request).readers.read(alerts_of))


def _stats(store: Store, services: Services) -> Stats:
    facts = read_facts(store, services.options)
    with store.snapshot():
        stats, maintenance = store.stats, store.maintenance
        waits, runs = stats.latencies()
        lately = stats.finished_in(LATELY_MINUTES)
        waited_s, queue = facts.oldest_due() or (None, None)
        return Stats(
            counts=counts_of(stats.counts()),
            throughput=Throughput(
                lately.per_minute,
                _finished(lately),
                _finished(stats.finished_in(_MINUTES)),
                [
                    Minute(time_of(minute.at_ms), minute.done, minute.failed, minute.cancelled)
                    for minute in stats.by_minute(_MINUTES)
                ],
            ),
            wait_s=Latency(waits.p50_s, waits.p95_s),
            run_s=Latency(runs.p50_s, runs.p95_s),
            oldest_pending_s=waited_s,
            oldest_pending_queue=queue,
            database_bytes=maintenance.database_bytes(),
            wal_bytes=maintenance.wal_bytes(),
            verdict=verdict_of(store, facts),
        )


def _finished(found: storage.LatelyEnded) -> FinishedSince:
    ended = (found.by_status[status] for status in (Status.DONE, Status.FAILED, Status.CANCELLED))
    return FinishedSince(time_of(found.since_ms), *ended)
