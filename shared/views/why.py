"""Why a job does not run, as the API and the command line answer it."""

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace
from typing_extensions import TypedDict

from orpheus.shared.domain import why
from orpheus.shared.domain.jobs import Job, Status
from orpheus.shared.domain.processes import Role
from orpheus.shared.domain.silence import Silence
from orpheus.shared.domain.why import Code
from orpheus.shared.process.clock import is_alive
from orpheus.shared.storage import Store
from orpheus.shared.views.crews import crews_of
from orpheus.shared.views.values import Time, optional_time
from orpheus.shared.views.workers import Worker


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
    standing, crews = store.standings.of(job_id), crews_of(store, pools, workers)
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


def silent_jobs(
    store: Store, workers: Sequence[Worker], beat_timeout_s: float
) -> dict[int, Silence]:
    """Return the leased jobs whose worker is silent or gone, so that they may not run."""
    found: dict[int, Silence] = {}
    there = _there(store, workers)
    for incarnation in store.jobs.running():
        silence = _silence(incarnation, workers, there, beat_timeout_s)
        if silence is None:
            continue
        if silence.for_s is None:
            silence = silence._replace(seen_ms=store.processes.seen_ms(incarnation))
        found |= dict.fromkeys(store.leases.jobs_of(incarnation), silence)
    return found


def as_ran(store: Store, job: Job, silent: Mapping[int, Silence]) -> Job:
    """Return a job as it will be once it is reclaimed: it ran until its worker was last heard."""
    silence = silent.get(job.id)
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
            return Silence(age_s, beat_timeout_s) if one["silent"] else None
    return None if incarnation in there else Silence(nothing_runs=not workers)


def _there(store: Store, workers: Sequence[Worker]) -> set[str]:
    """Return the incarnations that a supervisor watches or that are seen to run on this machine.

    A supervisor also watches a process that its slot has replaced and that finishes its job. Nobody
    watches a process that runs alone, and its job may keep it from sending heartbeats.
    """
    hosts = {x["host"] for x in workers if x["role"] == Role.SUPERVISOR and x["incarnation"]}
    boot_id = store.own_clock.boot_id
    return {
        one.incarnation
        for one in store.processes.all()
        if one.host in hosts or (one.boot_id == boot_id and is_alive(one.pid, one.create_time_s))
    }
