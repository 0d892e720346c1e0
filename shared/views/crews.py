"""The workers of each pool, as the API and the command line see them."""

from collections.abc import Mapping, Sequence

from orpheus.shared.domain.crews import Crew, ReadyWorker
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.words import ago, duration
from orpheus.shared.moments import parse_time_ms
from orpheus.shared.storage import Store
from orpheus.shared.text import first_line
from orpheus.shared.views.pools import ScaledBy, scaled_by
from orpheus.shared.views.workers import DrainedBy, Worker, is_ready, named_slot


def crews_of(
    store: Store, pools: Mapping[str, Sequence[str]], workers: Sequence[Worker]
) -> list[Crew]:
    """Return the workers of each pool. `pools`: the queues that each serves.

    One that is silent is not ready: it leases nothing, but may still run what it has leased.

    The queues of a pool that only another host's configuration names are not known: it gets none.
    """
    named = {one["pool"] or "" for one in workers if one["role"] is Role.WORKER}
    queues_of = {**pools, **dict.fromkeys(sorted(named - pools.keys()), ())}
    return [_crew(store, name, queues, workers) for name, queues in queues_of.items()]


def _crew(store: Store, pool: str, queues: Sequence[str], workers: Sequence[Worker]) -> Crew:
    now_ms, hosts = store.clock.wall_ms(), {one["host"] for one in workers}
    several = len(hosts) > 1
    mine = [(one, named_slot(one, with_host=several)) for one in workers if one["pool"] == pool]
    scaled = None if mine or not workers else scaled_by(store, "pool", pool, 0, hosts)
    return Crew(
        pool,
        queues,
        [_ready(one, name) for one, name in mine if is_ready(one)],
        [_not_ready(one, name, now_ms) for one, name in mine if not is_ready(one)],
        nothing_runs=not workers,
        moved=store.moves.says,
        scaled_to_0=_by(scaled, now_ms),
    )


def _ready(worker: Worker, name: str) -> ReadyWorker:
    return ReadyWorker(
        name,
        worker["incarnation"] or "",
        worker["places"],
        worker["jobs_in_progress"],
        worker["runs_alone"],
        worker["uptime_s"],
    )


def _not_ready(worker: Worker, name: str, now_ms: int) -> str:
    """Return what a slot does, and who wanted that, or when it starts by itself."""
    state = worker["state"]
    if state is SlotState.READY:
        return f"{name} has sent no heartbeat for {duration(worker['heartbeat_age_s'] or 0.0)}"
    if worker["drained"] or worker["scaled"]:
        what = "drained" if worker["drained"] else "scaled away"
        return f"{name} is {what} {_by(worker['drained'] or worker['scaled'], now_ms)}"
    reason = f": {worker['reason']}" if worker["reason"] else ""
    is_in_backoff = state is SlotState.BACKOFF
    left_s = (parse_time_ms(worker["until"]) - now_ms) / 1000 if worker["until"] else 0
    waits = state in (SlotState.BACKOFF, SlotState.FATAL) and left_s > 0
    soon = f", starts in {duration(max(1, round(left_s)))}" if waits else ""
    return f"{name} is {'in ' if is_in_backoff else ''}{state}{reason}{soon}"


def _by(asked: DrainedBy | ScaledBy | None, now_ms: int) -> str:
    """Return who asked for something, when and why: `by cli:ada 5 min ago (disk swap)`."""
    if asked is None:
        return ""
    reason = f" ({first_line(asked['reason'])})" if asked["reason"] else ""
    return f"by {asked['by']} {ago((now_ms - parse_time_ms(asked['at'])) / 1000)}{reason}"
