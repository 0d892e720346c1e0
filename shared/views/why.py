"""Why a job does not run, as the API and the command line answer it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from typing_extensions import TypedDict

from orpheus.shared.domain import why
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.why import Code, Crew
from orpheus.shared.storage import Store
from orpheus.shared.views.values import Time, optional_time
from orpheus.shared.views.workers import Worker

_NOTHING_RUNS = "nothing runs; `orpheus` starts it"


class WhyReason(TypedDict):
    """One reason why a job does not run."""

    code: Code
    text: str
    """A clause: `it waits for job 7 (resize), which is in progress`."""
    until: Time | None
    """When it ends, if that is known."""
    by: str | None
    """Who holds the job back: `job 7`, `default-1`, `cli:ada`."""


class Why(TypedDict):
    """Why a job does not run."""

    runs: bool
    """It runs, or a free worker leases it next: then there is no reason."""
    reasons: list[WhyReason]


def why_json(
    store: Store, job_id: int, workers: Sequence[Worker], pools: Mapping[str, Sequence[str]]
) -> Why:
    """Return why a job does not run. Raises NotFound. `pools`: the queues that each serves."""
    crews = crews_of(pools, workers)
    if not workers:
        crews = [replace(crew, others=[_NOTHING_RUNS]) for crew in crews]
    reasons = why.reasons(store.standings.of(job_id), crews)
    return {
        "runs": not reasons,
        "reasons": [
            {"code": one.code, "text": one.text, "until": optional_time(one.until_ms), "by": one.by}
            for one in reasons
        ],
    }


def crews_of(pools: Mapping[str, Sequence[str]], workers: Sequence[Worker]) -> list[Crew]:
    """Return the workers of each pool. `pools`: the queues that each serves.

    Of a pool that another host's configuration alone names, its queues are not known: it has none.
    """
    named = {one["pool"] or "" for one in workers if one["role"] is Role.WORKER}
    queues_of = {**pools, **dict.fromkeys(sorted(named - pools.keys()), ())}
    return [_crew(name, queues, workers) for name, queues in queues_of.items()]


def _crew(pool: str, queues: Sequence[str], workers: Sequence[Worker]) -> Crew:
    mine = [one for one in workers if one["pool"] == pool]
    ready = [one for one in mine if one["state"] == SlotState.READY]
    return Crew(
        pool,
        queues,
        concurrency=max((one["places"] for one in ready), default=1),
        ready=[one["slot"] for one in ready],
        free=sum(max(0, one["places"] - one["jobs_in_progress"]) for one in ready),
        idle=sum(not one["jobs_in_progress"] for one in ready),
        others=[_not_ready(one) for one in mine if one["state"] != SlotState.READY],
    )


def _not_ready(worker: Worker) -> str:
    reason = f": {worker['reason']}" if worker["reason"] else ""
    return f"{worker['slot']} is {worker['state']}{reason}"
