"""Why a job does not run, as the API and the command line answer it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import ceil

from typing_extensions import TypedDict

from orpheus.shared.domain import why
from orpheus.shared.domain.jobs import Job, Status
from orpheus.shared.domain.processes import DRAINED, SCALED_AWAY, Role, SlotState, is_silent
from orpheus.shared.domain.silence import Silence
from orpheus.shared.domain.why import Code, Crew
from orpheus.shared.domain.words import duration
from orpheus.shared.moments import parse_time_ms
from orpheus.shared.process.clock import is_alive
from orpheus.shared.storage import Store
from orpheus.shared.views.values import Time, optional_time
from orpheus.shared.views.workers import Worker

_WAITS_TO_START = (SlotState.BACKOFF, SlotState.FATAL)


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
    store: Store,
    job_id: int,
    workers: Sequence[Worker],
    pools: Mapping[str, Sequence[str]],
    beat_timeout_s: float,
) -> Why:
    """Return why a job does not run. Raises NotFound. `pools`: the queues that each serves."""
    standing = store.standings.of(job_id)
    crews = crews_of(pools, workers, standing.now_ms)
    silence = None
    if standing.leased_by is not None:
        silence = _silence(standing.leased_by, workers, _there(store, workers), beat_timeout_s)
    if silence is None:
        reasons = why.reasons(standing, crews)
    else:
        reasons = [silence.reason(standing.job.worker)]
    return {
        "runs": not reasons,
        "reasons": [
            {"code": one.code, "text": one.text, "until": optional_time(one.until_ms), "by": one.by}
            for one in reasons
        ],
    }


def silent_workers(
    store: Store, workers: Sequence[Worker], beat_timeout_s: float
) -> dict[str, Silence]:
    """Return the slots whose jobs may not run, as `why_json` tells it of each job."""
    found: dict[str, Silence] = {}
    there, heard = _there(store, workers), set()
    for incarnation, job in store.jobs.running().items():
        silence = _silence(incarnation, workers, there, beat_timeout_s)
        if silence is None:
            heard.add(job.worker)
        elif silence.for_s is None:
            found[job.worker] = silence._replace(seen_ms=store.processes.seen_ms(incarnation))
        else:
            found[job.worker] = silence
    return {slot: silence for slot, silence in found.items() if slot not in heard}


def as_ran(store: Store, job: Job, silent: Mapping[str, Silence]) -> Job:
    """Return a job as it will be told when it is taken back: it ran until its worker was heard."""
    silence = silent.get(job.worker or "")
    if job.status is not Status.IN_PROGRESS or silence is None or silence.seen_ms is None:
        return job
    until_ms = store.leases.heard_until_ms(job.id, job.started_at_ms or 0, silence.seen_ms)
    return replace(job, ran_until_ms=until_ms)


def _silence(
    incarnation: str, workers: Sequence[Worker], there: Collection[str], beat_timeout_s: float
) -> Silence | None:
    for one in workers:
        if one["incarnation"] == incarnation:
            age_s = one["heartbeat_age_s"]
            is_unheard = is_silent(one["state"], age_s, beat_timeout_s)
            return Silence(age_s, beat_timeout_s) if is_unheard else None
    return None if incarnation in there else Silence(nothing_runs=not workers)


def _there(store: Store, workers: Sequence[Worker]) -> set[str]:
    """Return the processes that a supervisor watches, also without a slot, or that are seen to run.

    The slot of the former has replaced them, and they finish what they began. One that runs alone
    is watched by nobody, and its job may keep it from sending heartbeats.
    """
    hosts = {x["host"] for x in workers if x["role"] == Role.SUPERVISOR and x["incarnation"]}
    boot_id = store.own_clock.boot_id
    return {
        one.incarnation
        for one in store.processes.all()
        if one.host in hosts or (one.boot_id == boot_id and is_alive(one.pid, one.create_time_s))
    }


def crews_of(
    pools: Mapping[str, Sequence[str]], workers: Sequence[Worker], now_ms: int | None = None
) -> list[Crew]:
    """Return the workers of each pool. `pools`: the queues that each serves.

    With `now_ms`, it is told in how long each starts that is not ready.
    Of a pool that another host's configuration alone names, its queues are not known: it has none.
    """
    named = {one["pool"] or "" for one in workers if one["role"] is Role.WORKER}
    queues_of = {**pools, **dict.fromkeys(sorted(named - pools.keys()), ())}
    return [_crew(name, queues, workers, now_ms) for name, queues in queues_of.items()]


def _crew(pool: str, queues: Sequence[str], workers: Sequence[Worker], now_ms: int | None) -> Crew:
    mine = [one for one in workers if one["pool"] == pool]
    ready = [one for one in mine if one["state"] == SlotState.READY]
    return Crew(
        pool,
        queues,
        concurrency=max((one["places"] for one in ready), default=1),
        ready=[one["slot"] for one in ready],
        free=sum(
            max(0, one["places"] - one["jobs_in_progress"])
            for one in ready
            if not one["runs_alone"]
        ),
        alone=[one["slot"] for one in ready if one["runs_alone"]],
        idle=sum(not one["jobs_in_progress"] for one in ready),
        others=[_not_ready(one, now_ms) for one in mine if one["state"] != SlotState.READY],
        nothing_runs=not workers,
    )


def _not_ready(worker: Worker, now_ms: int | None) -> str:
    """Say what a slot does in place of being ready, by whom, and when it starts."""
    reason, until, starts = worker["reason"], worker["until"], ""
    if asked := worker["drained"] or worker["scaled"]:
        by = f"{asked['by']}: {asked['reason']}" if asked["reason"] else asked["by"]
        for order in (DRAINED, SCALED_AWAY):
            if reason.startswith(order):
                reason = f"{order} by {by}{reason.removeprefix(order)}"
    if until is not None and now_ms is not None and worker["state"] in _WAITS_TO_START:
        left_s = (parse_time_ms(until) - now_ms) / 1000
        starts = f" (starts in {duration(ceil(left_s))})" if left_s > 0 else ""
    return f"{worker['slot']} is {worker['state']}{starts}" + (f": {reason}" if reason else "")
