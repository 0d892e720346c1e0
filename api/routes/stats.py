"""GET /stats: figures of the whole system."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.answers import FinishedSince, Latency, Minute, Stats, TypesStats
from orpheus.api.contract.openapi import answers, problems
from orpheus.api.http.calls import json_response
from orpheus.api.services import Services, services_of, workers
from orpheus.shared import storage
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.paces import LATELY_MINUTES
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import Store
from orpheus.shared.views.job_types import quarantine_json
from orpheus.shared.views.queues import counts_json
from orpheus.shared.views.type_stats import types_stats_json
from orpheus.shared.views.verdict import verdict_json

router = APIRouter(tags=["overview"])

_MINUTES = 60


@router.get("/stats", responses=answers(Stats) | problems())
async def get_stats(request: Request) -> Response:
    """Exact counts, throughput, how long jobs wait and run, and what needs a person."""
    services = services_of(request)
    return json_response(await services.readers.read(lambda store: _stats_json(store, services)))


@router.get("/stats/types", responses=answers(TypesStats) | problems())
async def get_stats_of_types(request: Request) -> Response:
    """What the attempts of each job type cost, and how its jobs ended in the last hour."""
    return json_response({"items": await services_of(request).readers.read(types_stats_json)})


def _stats_json(store: Store, services: Services) -> Stats:
    stats, options = store.stats, services.options
    slots = workers(store, options)  # outside the snapshot: it may try whether a write can begin
    with store.snapshot():
        waits, runs = stats.latencies()
        lately = stats.finished_in(LATELY_MINUTES)
        oldest_s = store.waiting.oldest_pending_by_queue()
        queue, waited_s = store.waiting.oldest_due(oldest_s) or (None, None)
        return {
            "counts": counts_json(stats.counts()),
            "throughput": {
                "ended_per_minute": lately.per_minute,
                "last_5_min": _finished(lately),
                "last_hour": _finished(stats.finished_in(_MINUTES)),
                "by_minute": [_minute(one) for one in stats.by_minute(_MINUTES)],
            },
            "wait_s": _latency(waits),
            "run_s": _latency(runs),
            "oldest_pending_s": waited_s,
            "oldest_pending_queue": queue,
            "database_bytes": store.maintenance.database_bytes(),
            "wal_bytes": store.maintenance.wal_bytes(),
            "verdict": verdict_json(
                store,
                slots,
                options.storage.pools,
                options.beat_timeout_s,
                oldest_s,
            ),
            "quarantined": [quarantine_json(one) for one in store.quarantines.all()],
        }


def _finished(one: storage.LatelyEnded) -> FinishedSince:
    return {
        "since": rfc3339(one.since_ms),
        "done": one.by_status[Status.DONE],
        "failed": one.by_status[Status.FAILED],
        "cancelled": one.by_status[Status.CANCELLED],
    }


def _minute(one: storage.Minute) -> Minute:
    return {
        "at": rfc3339(one.at_ms),
        "done": one.done,
        "failed": one.failed,
        "cancelled": one.cancelled,
    }


def _latency(one: storage.Latency) -> Latency:
    return {"p50": one.p50_s, "p95": one.p95_s}
