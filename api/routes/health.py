"""Whether the process lives (/healthz), and whether jobs are accepted and run (/readyz)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import schemas
from api.http import answer
from api.openapi import problems
from api.services import Services, services_of
from shared.errors import StorageError
from shared.processes import SlotState
from shared.roster import workers_json
from shared.storage import Store

router = APIRouter(tags=["health"])

_SERVING = (SlotState.READY, SlotState.DRAINING)
_Check = tuple[Literal["ok", "degraded", "failed"], str]


@router.get("/healthz", response_model=schemas.Health, responses=problems())
async def healthz() -> Response:
    """The process lives and its event loop turns. The database is not asked."""
    return answer({"status": "ok"})


@router.get(
    "/readyz",
    response_model=schemas.Readiness,
    responses={503: {"model": schemas.Readiness, "description": "Not ready; the checks say why."}},
)
async def readyz(request: Request) -> Response:
    """200 once every slot has been ready, while the database is writable and a worker is ready."""
    services = services_of(request)
    checks = await _checks(services)
    found = {status for status, _ in checks.values()}
    status = "not_ready" if "failed" in found else "degraded" if "degraded" in found else "ready"
    body = {
        "status": status,
        "checks": {name: {"status": s, "detail": detail} for name, (s, detail) in checks.items()},
    }
    if status == "not_ready":
        return answer(body, 503, {"Retry-After": "1"})
    return answer(body)


async def _checks(services: Services) -> dict[str, _Check]:
    options = services.options

    def read(store: Store) -> tuple[bool, list[dict[str, Any]]]:
        workers = workers_json(
            store, supervised=options.supervised, beat_timeout_s=options.beat_timeout_s
        )
        return store.writable(), workers

    try:
        writable, slots = await services.readers.read(read)
    except StorageError as error:
        return {"database": ("failed", str(error))}
    workers = [slot for slot in slots if slot["pool"] is not None]
    services.once_ready.update(w["slot"] for w in workers if w["state"] in _SERVING)
    return {
        "database": ("ok", "writable") if writable else ("failed", "no write can begin now"),
        "workers": workers_check(workers),
        "started": started_check(slots, services.once_ready),
    }


def workers_check(workers: Sequence[Mapping[str, Any]]) -> _Check:
    """One worker that is ready will do; each one that is not degrades."""
    ready = [worker for worker in workers if worker["state"] == SlotState.READY]
    detail = f"{len(ready)} of {len(workers)} ready"
    if not ready:
        return "failed", detail
    down = [f"{w['slot']} is {w['state']}" for w in workers if w["state"] != SlotState.READY]
    down += [f"{worker['slot']} is degraded" for worker in ready if worker["degraded"]]
    return ("degraded", f"{detail}: {', '.join(down)}") if down else ("ok", detail)


def started_check(slots: Sequence[Mapping[str, Any]], once_ready: set[str]) -> _Check:
    """Whether the start is over: every slot of the supervisor has been ready once."""
    # An API that was itself restarted has not seen the start; that it was restarted shows it over.
    if any(slot["slot"] == "api" and slot["restarts"] for slot in slots):
        return "ok", "the API was restarted since"
    waiting = [s["slot"] for s in slots if s["pool"] is not None and s["slot"] not in once_ready]
    if waiting:
        return "failed", f"not ready yet: {', '.join(waiting)}"
    return "ok", "every slot has been ready"
