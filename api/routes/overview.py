"""Workers, types and figures: what there is, and how it does."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract import schemas
from orpheus.api.contract.openapi import problems
from orpheus.api.http.calls import answer
from orpheus.api.services import by_status, services_of
from orpheus.shared.storage import Store
from orpheus.shared.views.jobs import rfc3339, type_json
from orpheus.shared.views.workers import workers_json

router = APIRouter(tags=["overview"])

_MINUTES = 60


@router.get("/workers", response_model=schemas.Workers, responses=problems())
async def list_workers(request: Request) -> Response:
    """Every slot, the API's and the supervisor's too, and every process that runs alone."""
    services = services_of(request)
    options = services.options

    def read(store: Store) -> list[dict[str, Any]]:
        return workers_json(
            store, supervised=options.supervised, beat_timeout_s=options.beat_timeout_s
        )

    return answer({"items": await services.readers.read(read)})


@router.get("/types", response_model=schemas.JobTypes, responses=problems())
async def list_types(request: Request) -> Response:
    """Every job type, with the JSON Schema of its payload."""
    services = services_of(request)
    rows = await services.readers.read(lambda store: store.types.all())
    return answer({"items": [type_json(row, services.options.defaults) for row in rows]})


@router.get("/stats", response_model=schemas.Stats, responses=problems())
async def get_stats(request: Request) -> Response:
    """Exact counts, throughput, and how long jobs wait and run."""
    return answer(await services_of(request).readers.read(_stats_json))


def _stats_json(store: Store) -> dict[str, Any]:
    stats = store.stats
    with store.snapshot():
        waits, runs = stats.latencies()
        return {
            "counts": by_status(stats.counts()),
            "throughput": {
                "last_5_min": by_status(stats.finished_in(5)),
                "last_hour": by_status(stats.finished_in(_MINUTES)),
                "by_minute": [
                    {
                        "at": rfc3339(minute.at_ms),
                        "done": minute.done,
                        "failed": minute.failed,
                        "cancelled": minute.cancelled,
                    }
                    for minute in stats.by_minute(_MINUTES)
                ],
            },
            "wait_s": {"p50": waits.p50_s, "p95": waits.p95_s},
            "run_s": {"p50": runs.p50_s, "p95": runs.p95_s},
            "oldest_pending_s": stats.oldest_pending_s(),
            "database_bytes": stats.database_bytes(),
            "wal_bytes": stats.wal_bytes(),
        }
