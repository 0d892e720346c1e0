"""GET /stats: figures of the whole system."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.http.calls import json_response
from orpheus.api.services import Services, read_facts, services_of
from orpheus.shared import storage
from orpheus.shared.domain.jobs import Status
from orpheus.shared.explain.answers import counts_of, verdict_of
from orpheus.shared.messages.encoding import time_of
from orpheus.shared.messages.job_types import TypesStats, types_stats_of
from orpheus.shared.messages.status import FinishedSince, Latency, Minute, Stats, Throughput
from orpheus.shared.storage import LATELY_MINUTES, Store

router = APIRouter(tags=["overview"])

_MINUTES = 60


@router.get("/stats", responses=answers(Stats) | problems())
async def get_stats(request: Request) -> Response:
    """Exact counts, throughput, how long jobs wait and run, and what needs a person."""
    services = services_of(request)
    return json_response(await services.readers.read(lambda store: _stats(store, services)))


@router.get("/stats/types", responses=answers(TypesStats) | problems())
async def get_stats_of_types(request: Request) -> Response:
    """What the attempts of each job type cost, and how its jobs ended in the last hour."""
    return json_response(await services_of(request).readers.read(types_stats_of))


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
                [_minute(one) for one in stats.by_minute(_MINUTES)],
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
    ended = found.by_status
    return FinishedSince(
        time_of(found.since_ms),
        ended[Status.DONE],
        ended[Status.FAILED],
        ended[Status.CANCELLED],
    )


def _minute(found: storage.Minute) -> Minute:
    return Minute(time_of(found.at_ms), found.done, found.failed, found.cancelled)
