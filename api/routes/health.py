"""Whether the process is alive (/healthz), and whether jobs are accepted and run (/readyz)."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.http.calls import json_response
from orpheus.api.services import Services, services_of
from orpheus.shared.domain.processes import Order, Role, SlotState
from orpheus.shared.domain.words import duration
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
    slots = found.workers
    waiting, dead_after_s = services.start.look(slots), services.options.beat_timeout_s
    return {
        "database": database_check(found.trouble or services.writer.trouble),
        "space": space_check(found.free_bytes),
        "workers": workers_check(_of(Role.WORKER, slots), dead_after_s),
        **programs_check(_of(Role.PROGRAM, slots)),
        **supervisor_check(_of(Role.SUPERVISOR, slots)),
        "started": started_check(waiting, is_over=services.start.is_over),
    }


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
    """Check that one worker is ready; each that is not degrades. Those scaled away do not count.

    One that is silent is not ready, but the check fails only once it is to be taken for dead.
    """
    slots = [slot for slot in slots if not slot.leaves]
    is_any_heard = any(
        slot.state == SlotState.READY and (slot.heartbeat_age_s or 0.0) < dead_after_s
        for slot in slots
    )
    ready = sum(map(is_ready, slots))
    troubles = _troubles(slots, on_many=_are_on_many(slots))
    detail = ": ".join(filter(None, (f"{ready} of {len(slots)} ready", troubles)))
    if not is_any_heard:
        return Check("failed", detail)
    return Check("degraded" if troubles else "ok", detail)


def supervisor_check(slots: Sequence[Worker]) -> dict[str, Check]:
    """Check that the supervisor watches: workers go on without it, but nothing restarts them.

    Return nothing if there is no supervisor, because the API runs alone.
    """
    if not slots:
        return {}
    away = [slot for slot in slots if slot.state == SlotState.DOWN or slot.silent]
    troubles = _troubles(away, on_many=len(slots) > 1)
    return {"supervisor": Check("degraded", troubles) if troubles else Check("ok", "runs")}


def _are_on_many(slots: Sequence[Worker]) -> bool:
    return len({slot.host for slot in slots}) > 1


def _troubles(slots: Sequence[Worker], *, on_many: bool) -> str:
    """Return which of these are not ready, silent or degraded, a few by name, the worst first."""
    found = []
    for slot in sorted(slots, key=lambda one: (_rank(one), not one.degraded)):
        name = named_slot(slot, with_host=on_many)
        if trouble := _trouble(slot):
            found.append(f"{name} {trouble}")
    more = f", and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more


def _rank(slot: Worker) -> int:
    """Return how bad it is, the least for the worst."""
    if slot.order is Order.LOST:
        return 0
    if slot.state in (SlotState.STUCK, SlotState.FATAL):
        return 1
    if slot.silent:
        return 2
    return 3 if slot.state != SlotState.READY else 4


def _trouble(slot: Worker) -> str | None:
    state = slot.state
    if slot.silent:
        return f"has sent no heartbeat for {duration(slot.heartbeat_age_s or 0.0)}"
    if slot.degraded:
        why = f": {slot.reason}" if slot.order is Order.LOST else ""
        return f"is {'degraded' if state is SlotState.READY else state}{why}"
    return None if state is SlotState.READY else f"is {state}"


def _of(role: Role, slots: Sequence[Worker]) -> list[Worker]:
    return [slot for slot in slots if slot.role == role]


def programs_check(slots: Sequence[Worker]) -> dict[str, Check]:
    """Check that programs run. None of them fails this, as jobs do without programs.

    A program that was stopped is down and well; one that has done its work does not count. Return
    nothing if there are no programs.
    """
    ended, slots = [s for s in slots if s.ended], [s for s in slots if not s.ended]
    if not slots and not ended:
        return {}
    ready = [slot for slot in slots if slot.state == SlotState.READY and not slot.degraded]
    well = [slot for slot in slots if slot.state == SlotState.DOWN and not slot.degraded]
    others = [one for one in slots if one not in well]
    troubles = _troubles(others, on_many=_are_on_many(slots))
    parts = [f"{len(ready)} of {len(slots)} ready"] if slots else []
    parts += [f"{len(ended)} ended as meant"] if ended else []
    detail = ", ".join(parts)
    if troubles:
        return {"programs": Check("degraded", f"{detail}: {troubles}")}
    return {"programs": Check("ok", detail)}
