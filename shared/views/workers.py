"""Who is at work: slots as the supervisor sees them, and processes that run without one.

The supervisor's rows are believed only while it lives; a database it left behind would otherwise
show its workers for ever. A process on its own is judged by its heartbeat row alone.
"""

from collections.abc import Mapping
from typing import Any

from orpheus.shared.domain.jobs import RunningJob
from orpheus.shared.domain.processes import (
    LastExit,
    ProcessRecord,
    Role,
    SlotRecord,
    SlotState,
    rejection,
)
from orpheus.shared.storage import Store
from orpheus.shared.views.jobs import rfc3339, running_job_json


def workers_json(store: Store, *, supervised: bool, beat_timeout_s: float) -> list[dict[str, Any]]:
    """Every slot, then every process that beats and has none, as GET /workers shows them.

    `supervised`: this process is a supervisor's child, so there certainly is one.
    """
    with store.snapshot():
        slots = store.processes.slots()
        records = store.processes.all()
        jobs = store.jobs.running()
    ages_s = {
        record.incarnation: (store.clock.monotonic_ms() - record.last_beat_mono_ms) / 1000
        for record in records
        if record.boot_id == store.clock.boot_id
    }
    beating = {
        record.incarnation: record
        for record in records
        if ages_s.get(record.incarnation, beat_timeout_s) < beat_timeout_s
    }
    if not supervised and not any(r.role is Role.SUPERVISOR for r in beating.values()):
        slots = []
    now_ms = store.clock.wall_ms()
    # A life that its slot has replaced, and that only finishes what it had begun, is not shown.
    names = {slot.slot for slot in slots}
    return [
        *(_slot_json(slot, beating, ages_s, jobs, now_ms) for slot in slots),
        *(
            _alone_json(record, ages_s, jobs, now_ms)
            for record in beating.values()
            if record.slot not in names
        ),
    ]


def _slot_json(
    slot: SlotRecord,
    beating: Mapping[str, ProcessRecord],
    ages_s: Mapping[str, float],
    jobs: Mapping[str, RunningJob],
    now_ms: int,
) -> dict[str, Any]:
    record = beating.get(slot.incarnation or "")
    return {
        "slot": slot.slot,
        "pool": slot.pool,
        "state": slot.state,
        "degraded": slot.degraded,
        "reason": slot.reason if slot.rejected is None else rejection(slot.rejected),
        "pid": slot.pid,
        "incarnation": slot.incarnation,
        "job": running_job_json(jobs.get(slot.incarnation or "")),
        "heartbeat_age_s": _rounded(ages_s.get(slot.incarnation or "")),
        "cpu_percent": slot.cpu_percent,
        "rss_bytes": slot.rss_bytes,
        "uptime_s": _uptime_s(slot.started_at_ms, now_ms) if slot.pid else None,
        "jobs_done": record.jobs_done if record else 0,
        "restarts": slot.restarts,
        "last_exit": _exit_json(slot.last_exit) if slot.last_exit else None,
        "recent_exits": [_exit_json(one) for one in slot.exits],
    }


def _alone_json(
    record: ProcessRecord,
    ages_s: Mapping[str, float],
    jobs: Mapping[str, RunningJob],
    now_ms: int,
) -> dict[str, Any]:
    return {
        "slot": record.slot,
        "pool": record.pool,
        "state": SlotState.READY if record.ready else SlotState.STARTING,
        "degraded": False,
        "reason": "runs without a supervisor",
        "pid": record.pid,
        "incarnation": record.incarnation,
        "job": running_job_json(jobs.get(record.incarnation)),
        "heartbeat_age_s": _rounded(ages_s[record.incarnation]),
        "cpu_percent": None,
        "rss_bytes": None,
        "uptime_s": _uptime_s(record.started_at_ms, now_ms),
        "jobs_done": record.jobs_done,
        "restarts": 0,
        "last_exit": None,
        "recent_exits": [],
    }


def _rounded(age_s: float | None) -> float | None:
    return None if age_s is None else round(age_s, 1)


def _uptime_s(started_at_ms: int | None, now_ms: int) -> float | None:
    return None if started_at_ms is None else max(0.0, round((now_ms - started_at_ms) / 1000, 1))


def _exit_json(one: LastExit) -> dict[str, Any]:
    return {
        "at": rfc3339(one.at_ms),
        "reason": one.reason,
        "signal": one.signal,
        "code": one.code,
        "evidence": one.evidence,
        "uptime_s": round(one.uptime_s, 1),
        "out_of_memory": one.out_of_memory,
    }
