"""Whether the process is alive (/healthz), and whether jobs are accepted and run (/readyz)."""

from collections.abc import Iterable, Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.http.calls import json_response
from orpheus.api.services import Services, services_of
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.errors import OrpheusError, StorageError
from orpheus.shared.explain.reasons import LITTLE_SPACE_BYTES
from orpheus.shared.messages.http import Check, Health, Readiness
from orpheus.shared.messages.workers import Worker, is_ready, named_slot

router = APIRouter(tags=["health"])
_MOST_NAMED = 5


@router.get("/healthz", responses=answers(Health) | problems())
async def healthz() -> Response:
    """The process is alive and its event loop runs. The database is not used."""
    return json_response(Health())


@router.get(
    "/readyz",
    responses={
        **answers(Readiness),
        **answers(Readiness, 503, description="Not ready; the checks say why."),
    },
)
async def readyz(request: Request) -> Response:
    """200 once every slot of this host was ready, while the database and a worker are, too."""
    checks = await _checks(services_of(request))
    found = {check.status for check in checks.values()}
    if "failed" in found:
        not_ready = Readiness("not_ready", checks)
        return json_response(not_ready, 503, {"Retry-After": "1"})
    is_degraded = "degraded" in found
    return json_response(Readiness("degraded" if is_degraded else "ready", checks))


async def _checks(services: Services) -> dict[str, Check]:
    try:
        found = await services.condition.get()
    except OrpheusError as error:
        unknown = Check("failed", "not known, as the database cannot be asked")
        return {"database": Check("failed", str(error)), "workers": unknown, "started": unknown}
    slots = [slot for slot in found.workers if not (slot.leaves or slot.ended)]
    waiting = services.start.look(found.workers)
    checks = {
        "database": database_check(found.trouble or services.writer.trouble),
        "space": space_check(found.free_bytes),
        "workers": workers_check(_of(Role.WORKER, slots), services.options.beat_timeout_s),
        "started": started_check(waiting, is_over=services.start.is_over),
    }
    # Jobs do without programs, so these fail nothing; one that was stopped is down and well.
    stopped = [slot for slot in slots if slot.state == SlotState.DOWN and not slot.degraded]
    if programs := _of(Role.PROGRAM, (slot for slot in slots if slot not in stopped)):
        checks["programs"] = slots_check(programs)
    # Workers go on without it, but nothing restarts them.
    if supervisors := _of(Role.SUPERVISOR, slots):
        away = [slot for slot in supervisors if slot.silent or slot.state == SlotState.DOWN]
        checks["supervisor"] = slots_check(away) if away else Check("ok", "runs")
    return checks


def started_check(waiting: Sequence[str], *, is_over: bool) -> Check:
    """Check that every slot of this host has been ready once."""
    if is_over:
        return Check("ok", "every slot has been ready")
    return Check("failed", f"not ready yet: {', '.join(waiting) or 'no worker was seen so far'}")


def database_check(trouble: str | StorageError | None) -> Check:
    """Check that a write can begin and the latest commit succeeded: a full disk fails commits."""
    return Check("ok", "writable") if trouble is None else Check("failed", str(trouble))


def space_check(free_bytes: int | None) -> Check:
    """Check the free space. Little space is no failure yet, so that somebody can still act."""
    if free_bytes is None:
        return Check("ok", "the database's server looks after its own space")
    detail = f"{free_bytes // 1_000_000:,} MB are free where the database is"
    return Check("ok" if free_bytes >= LITTLE_SPACE_BYTES else "degraded", detail)


def workers_check(slots: Sequence[Worker], dead_after_s: float) -> Check:
    """Check that one worker is ready, and not silent for so long that it counts as dead."""
    check = slots_check(slots)
    is_any_heard = any(
        slot.state == SlotState.READY and (slot.heartbeat_age_s or 0.0) < dead_after_s
        for slot in slots
    )
    return check if is_any_heard else Check("failed", check.detail)


def slots_check(slots: Sequence[Worker]) -> Check:
    """Check that each of these slots is ready; a few that are not are named."""
    on_many = len({slot.host for slot in slots}) > 1
    troubles = [
        f"{named_slot(slot, with_host=on_many)} is {trouble}"
        for slot in slots
        if (trouble := _trouble(slot))
    ]
    detail = f"{sum(map(is_ready, slots))} of {len(slots)} ready"
    if not troubles:
        return Check("ok", detail)
    more = ", …" if len(troubles) > _MOST_NAMED else ""
    return Check("degraded", f"{detail}: {', '.join(troubles[:_MOST_NAMED])}{more}")


def _trouble(slot: Worker) -> str | None:
    if slot.silent:
        return "silent"
    if slot.state != SlotState.READY:
        return slot.state
    return "degraded" if slot.degraded else None


def _of(role: Role, slots: Iterable[Worker]) -> list[Worker]:
    return [slot for slot in slots if slot.role == role]
