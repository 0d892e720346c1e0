"""Whether the process lives (/healthz), and whether jobs are accepted and run (/readyz)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract import schemas
from orpheus.api.contract.openapi import problems
from orpheus.api.http.calls import answer
from orpheus.api.services import Services, services_of
from orpheus.api.services import workers as all_workers
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.errors import OrpheusError, StorageError
from orpheus.shared.storage import Store

router = APIRouter(tags=["health"])

_LOCKED = "no write can begin: another process holds the database's write lock"
_LITTLE_SPACE_BYTES = 256_000_000
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
    def read(store: Store) -> tuple[str | None, int, list[dict[str, Any]]]:
        free_bytes = store.stats.free_bytes()
        return _why_not_writable(store), free_bytes, all_workers(store, services.options)

    try:
        trouble, free_bytes, slots = await services.readers.read(read)
    except OrpheusError as error:
        unknown: _Check = ("failed", "not known, as the database cannot be asked")
        return {"database": ("failed", str(error)), "workers": unknown, "started": unknown}
    workers = [slot for slot in slots if slot["pool"] is not None]
    waiting = services.start.look(slots)
    return {
        "database": database_check(trouble or services.writer.trouble),
        "space": space_check(free_bytes),
        "workers": workers_check(workers),
        "started": (
            ("failed", f"not ready yet: {', '.join(waiting)}")
            if waiting
            else ("ok", "every slot has been ready")
        ),
    }


def _why_not_writable(store: Store) -> str | None:
    """None: a write can begin. What can only be read still tells of the workers."""
    try:
        return None if store.writable() else _LOCKED
    except StorageError as error:
        return str(error)


def database_check(trouble: str | StorageError | None) -> _Check:
    """A write can begin, and the latest was committed: a full disk shows at the commit alone."""
    return ("ok", "writable") if trouble is None else ("failed", str(trouble))


def space_check(free_bytes: int) -> _Check:
    """While little space is left, all still works; so somebody can still do something."""
    detail = f"{free_bytes // 1_000_000:,} MB are free where the database is"
    return ("ok" if free_bytes >= _LITTLE_SPACE_BYTES else "degraded"), detail


def workers_check(workers: Sequence[Mapping[str, Any]]) -> _Check:
    """One worker that is ready will do; each one that is not degrades."""
    ready = [worker for worker in workers if worker["state"] == SlotState.READY]
    detail = f"{len(ready)} of {len(workers)} ready"
    if not ready:
        return "failed", detail
    down = [f"{w['slot']} is {w['state']}" for w in workers if w["state"] != SlotState.READY]
    down += [f"{worker['slot']} is degraded" for worker in ready if worker["degraded"]]
    return ("degraded", f"{detail}: {', '.join(down)}") if down else ("ok", detail)
