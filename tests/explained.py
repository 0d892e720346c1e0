"""Workers as GET /workers shows them, and what explanations say of a store."""

from collections.abc import Mapping, Sequence
from typing import Any

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.explain import reasons
from orpheus.shared.explain.answers import queues_of, verdict_of
from orpheus.shared.explain.facts import Facts, read, read_job
from orpheus.shared.explain.reasons import Reason
from orpheus.shared.messages.queues import Queue
from orpheus.shared.messages.status import Verdict
from orpheus.shared.messages.workers import Worker
from orpheus.shared.storage import Store

ALL_QUEUES = {"default": ["*"]}
DEAD_AFTER_S = 30.0
WAITS_LONG_S = 30 * 86_400.0


def worker(slot: str = "default-1", **changes: Any) -> Worker:
    """Return a worker that is ready and idle, but for `changes`."""
    found: dict[str, Any] = {
        "host": "ada", "slot": slot, "role": Role.WORKER, "pool": slot.partition("-")[0],
        "state": SlotState.READY, "degraded": False, "reason": "", "order": None, "waits": "",
        "why": "", "rejected": None, "pid": 1, "incarnation": f"life of {slot}", "job": None,
        "jobs_in_progress": 0, "places": 1, "runs_alone": False, "heartbeat_age_s": 0.1,
        "silent": False, "cpu_percent": None, "rss_bytes": None, "uptime_s": 600.0, "jobs_done": 0,
        "restarts": 0, "last_exit": None, "last_failure": None,
        "leaves": False, "ended": False, "until": None, "recent_exits": (),
        "failed_lately": 0,
    } | changes  # fmt: skip
    return Worker(**found)


def supervisor(**changes: Any) -> Worker:
    """Return a supervisor that has run for a day, but for `changes`."""
    fields = {"role": Role.SUPERVISOR, "pool": None, "uptime_s": 86_400.0}
    return worker("supervisor", **{**fields, **changes})


def facts_of(
    store: Store,
    *workers: Worker,
    pools: Mapping[str, Sequence[str]] = ALL_QUEUES,
    only: set[str] | None = None,
) -> Facts:
    """Read the facts; without `workers` an idle one serves all queues."""
    return read(store, workers or [worker()], pools, DEAD_AFTER_S, WAITS_LONG_S, only=only)


def reasons_of(store: Store, job_id: int, *workers: Worker) -> list[Reason]:
    """Return why a job does not run."""
    return reasons.of_job(facts_of(store, *workers), read_job(store, job_id))


def queue_of(store: Store, name: str, *workers: Worker) -> Queue:
    """Return a queue as GET /queues has it."""
    (found,) = queues_of(facts_of(store, *workers, only={name}))
    return found


def verdict(store: Store, *workers: Worker) -> Verdict:
    """Return the verdict, without workers that of a system where nothing runs."""
    return verdict_of(store, read(store, workers, ALL_QUEUES, DEAD_AFTER_S, WAITS_LONG_S))
