"""Queues, and counts of jobs, as the API and the command line list them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Literal, cast

from typing_extensions import TypedDict

from orpheus.shared.domain.at_rate import AtRate
from orpheus.shared.domain.crews import Crew, unready_text
from orpheus.shared.domain.drain import (
    DrainLimits,
    drain_s,
    drain_with_more_s,
    growth_per_minute,
    is_refuted,
    no_estimate,
)
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.paces import Pace
from orpheus.shared.domain.quarantine import Held
from orpheus.shared.domain.rates import rate_text
from orpheus.shared.domain.words import named
from orpheus.shared.storage import DueInQueue, Flow, QueueRow, Store
from orpheus.shared.views.at_rate import queues_at_rate
from orpheus.shared.views.limited_queues import (
    LimitedBy,
    limited_json,
    limited_queues,
    opened_s,
)
from orpheus.shared.views.opened import opened_ms_by_queue
from orpheus.shared.views.pauses import Pause, pause_json
from orpheus.shared.views.starved import quiet_s_by_queue, run_mostly_others, starved_queues
from orpheus.shared.views.unknown_names import names_given

Names = Collection[str]
_MOSTLY_OTHERS = "its workers run mostly other jobs"


class NoneStarts(StrEnum):
    """Why no job of a queue starts, where the text is always the same."""

    PAUSED = "it is paused"
    NO_POOL = "no pool serves it"
    NOTHING_RUNS = "nothing runs"
    NONE_READY = "no worker is ready"
    OTHERS = "its workers run other jobs"


class Counts(TypedDict):
    """Jobs by status."""

    blocked: int
    pending: int
    in_progress: int
    done: int
    failed: int
    cancelled: int


class DrainWithMore(TypedDict):
    """When the queue would be empty with more workers."""

    more_workers: int
    seconds: float


class Drain(TypedDict):
    """An estimate of when all due and running jobs are done, if no more come."""

    seconds: float
    """At the pace of the last minutes in which it could run, and no faster than its `rate`."""
    with_more: list[DrainWithMore]
    """With further workers that run only jobs of this queue; empty if its `rate` or `max_running`
    keeps them from helping, it has limits for each key, or the ready ones can run all at once."""


class ServingPool(TypedDict):
    """A pool whose workers lease jobs of a queue."""

    name: str
    workers: int
    ready: int
    free: int
    """How many more jobs its ready workers could run now."""


class HeldBack(TypedDict):
    """The jobs of a quarantined type that wait in a queue, though their time has come."""

    type: str
    jobs: int
    relation: Literal["eq", "gte"]
    """Whether `jobs` and `oldest_s` are exact, or there are at least as many (`gte`)."""
    oldest_s: float


class Queue(TypedDict):
    """A queue that has had a job, is paused or has a limit, and who runs its jobs."""

    name: str
    paused: bool
    max_running: int
    """0: no limit."""
    rate: str
    """`10/s`; empty: no limit."""
    burst: int
    """How many jobs may start at once after a pause, of both rates."""
    max_running_per_key: int
    rate_per_key: str
    counts: Counts
    due: int
    """Pending jobs whose time has come and that no quarantine holds back. If they are 10,000 or
    more, it is the number of all pending jobs."""
    next_due_s: float | None
    """In how many seconds the next one is due; null: there is none, or a thousand jobs of other
    queues are due before it."""
    quarantined: list[str]
    """Types of which a quarantine holds back jobs that wait in it."""
    held_back: list[HeldBack]
    """How many jobs of each of these."""
    oldest_pending_s: float | None
    """The longest wait of a job that is `due`."""
    done_per_minute: float
    drain: Drain | None
    """null: it is paused or `starved`, none of its pending jobs is due, no worker that serves it is
    ready, none of its jobs has ended for longer than the estimate, fewer than three were done since
    it could run (or the first only just), it had little to do, or it has a `rate_per_key`."""
    no_estimate: str | None
    """Why `drain` is null, as a clause: `no estimate yet`. null: `drain` is there, no job is due or
    runs, or `none_starts` or `limited` says more."""
    starved: bool
    """Jobs of it could start, but all workers that serve it run jobs of other queues."""
    none_starts: str | None
    """Why none of its jobs starts, though some wait: a clause. `it is paused` also if none waits.
    null: some may start, or only their time, its limits or a quarantine keep them back."""
    unready: str | None
    """Why no worker is ready, of each pool that serves it and lacks one, as a clause: `pool video
    is scaled to 0 by cli:ada 5 min ago (disks)`. null: `none_starts` says nothing of that."""
    slowed: str | None
    """Why its jobs start only now and then, as a clause: `its workers run mostly other jobs`. null:
    `drain` is null, or as many start as its workers and its limits let."""
    limited: LimitedBy | None
    """A limit that is reached, or a rate of one a second or slower, that holds all its due jobs
    back; null: there is none, it is paused, no worker that serves it is ready, or as many run as
    may, but `drain` says when they are done."""
    submitted_per_minute: float
    """In this minute and the last; so is `ended_per_minute`: done, failed and cancelled."""
    ended_per_minute: float
    grows_per_minute: float | None
    """By how many jobs it grows of late, negative if it shrinks; null: no job comes any more. Null
    also if no more came than ended, but none ends now: no worker that serves it is ready and none
    of its jobs runs, or it is `starved`."""
    pause: Pause | None
    """Who paused it; null: it is not paused."""
    resumed: Pause | None
    """Who resumed it though the configuration pauses it; null: nobody did."""
    pools: list[ServingPool]
    """Empty: no pool of the configuration serves it."""


class PausedQueue(Queue):
    """A queue that is paused now."""

    already_paused: Pause | None
    """Who had paused it already, and why: without a new `reason`, nothing has changed. null: it was
    open."""


def counts_json(counts: Mapping[Status, int]) -> Counts:
    """Return how many jobs have each status; 0 for one that `counts` lacks."""
    return cast("Counts", {status.value: counts.get(status, 0) for status in Status})


def queue_json(store: Store, crews: Sequence[Crew], name: str) -> Queue:
    """Return one queue, even if nothing is known of it."""
    (found,) = queues_json(store, crews, {name}, also={name})
    return found


def queues_json(
    store: Store, crews: Sequence[Crew], only: Names | None = None, also: Names = ()
) -> list[Queue]:
    """Return every queue that something is known of, and those in `also`; with `only`, of these."""
    with store.snapshot():
        counts, flows = store.stats.counts_by_queue(), store.stats.flows(only)
        done_per_minute, now_ms = store.stats.done_per_minute(), store.clock.wall_ms()
        rules, rooms = {row.name: row for row in store.queues.all()}, store.queues.rooms()
        due = store.waiting.due_by_queue(only)
        waiting_s = store.waiting.oldest_pending_by_queue(only)
        oldest_s = store.waiting.oldest_due_by_queue(waiting_s, only)
        pauses, resumed = store.standings.pauses(), store.standings.resumptions()
        serving = _serving(crews, {*counts, *resumed, *also, *_named(store, rules, crews)}, only)
        parked = oldest_s.keys() - waiting_s.keys()
        openings_ms = store.standings.openings_ms() if parked else {}
        limited = limited_queues(store, rules.values(), due, rooms, parked, openings_ms)
        could_start_s = opened_s(openings_ms, parked, now_ms) | waiting_s
        quiet_s = quiet_s_by_queue(store, could_start_s, rooms)
        paces = store.stats.paces(opened_ms_by_queue(store, serving), waiting_s)
        at_rate = queues_at_rate(store, rules.values(), due, limited, serving, paces)
        starved = starved_queues(store, serving, quiet_s, could_start_s, counts, flows, paces)
        held = _held(store, due, counts)
    found: list[Queue] = []
    for name in sorted(serving):
        rule = rules.get(name, QueueRow(name, paused=False, max_running=0, rate=None))
        its_due, its_counts = due.get(name, DueInQueue(0)), counts.get(name, {})
        flow, pace, rated = flows.get(name, Flow()), paces.get(name), at_rate.get(name, AtRate())
        its_crews, quiet, waits_s = serving[name], quiet_s.get(name), waiting_s.get(name, 0.0)
        drain = _drain(rule, its_counts, its_due.jobs, pace, its_crews, waits_s, rated)
        queue: Queue = {
            "name": name,
            "paused": rule.paused,
            "max_running": rule.max_running,
            "rate": rate_text(rule.rate),
            "burst": _burst(rule),
            "max_running_per_key": rule.per_key.max_running,
            "rate_per_key": rate_text(rule.per_key.rate),
            "counts": counts_json(its_counts),
            "due": its_due.jobs,
            "next_due_s": _until_s(its_due.next_ms, now_ms),
            "quarantined": [one.type for one in held.get(name, [])],
            "held_back": [_held_json(one, now_ms) for one in held.get(name, [])],
            "oldest_pending_s": oldest_s.get(name),
            "done_per_minute": done_per_minute.get(name, 0.0),
            "drain": None if name in starved or _is_over(drain, quiet) else drain,
            "no_estimate": None,
            "starved": name in starved,
            "none_starts": None,
            "unready": None,
            "slowed": _slowed(rule, its_crews, its_counts, pace, rated),
            "limited": limited_json(limited.get(name), its_crews, now_ms, drains=bool(drain)),
            "submitted_per_minute": flow.submitted_per_minute,
            "ended_per_minute": flow.ended_per_minute,
            "grows_per_minute": _growth(flow, its_counts, [] if name in starved else its_crews),
            "pause": pause_json(pauses.get(name)),
            "resumed": pause_json(resumed.get(name)),
            "pools": [_pool_json(crew) for crew in its_crews],
        }
        found.append(_with_reasons(queue, crews, pace, quiet, on_many=store.has_many_hosts))
    return found


def _serving(
    crews: Sequence[Crew], queues: Names, only: Names | None
) -> Mapping[str, Sequence[Crew]]:
    """Return the workers that serve each of these queues; of those in `only`, if it is given."""
    return {
        name: [crew for crew in crews if crew.serves(name)]
        for name in queues
        if only is None or name in only
    }


def _slowed(
    rule: QueueRow,
    serving: Sequence[Crew],
    counts: Mapping[Status, int],
    pace: Pace | None,
    at_rate: AtRate,
) -> str | None:
    is_held = at_rate.now or at_rate.steadily
    is_slowed = not is_held and run_mostly_others(rule, serving, counts, pace)
    return _MOSTLY_OTHERS if is_slowed else None


def _burst(rule: QueueRow) -> int:
    rate = rule.rate or rule.per_key.rate
    return rate.burst if rate else 1


def _with_reasons(
    queue: Queue,
    crews: Sequence[Crew],
    pace: Pace | None,
    quiet_s: float | None,
    *,
    on_many: bool,
) -> Queue:
    queue["slowed"] = queue["slowed"] if queue["drain"] else None
    why_none = queue["none_starts"] = _none_starts(queue, crews, on_many=on_many)
    are_some_away = why_none and queue["starved"] and _pools_not_ready(queue)
    if why_none == NoneStarts.NONE_READY or are_some_away:
        queue["unready"] = unready_text(queue["name"], crews)
    queue["no_estimate"] = _no_estimate(queue, pace, quiet_s)
    return queue


def _none_starts(queue: Queue, crews: Sequence[Crew], *, on_many: bool) -> str | None:
    """Return why no job of a queue starts. `on_many`: there may be several hosts."""
    if queue["paused"]:
        return NoneStarts.PAUSED
    if not queue["pools"]:
        waits = queue["counts"]["pending"] or queue["counts"]["blocked"]
        return NoneStarts.NO_POOL if waits and not on_many else None
    if any(crew.ready and not crew.queues for crew in crews):
        return None  # what the workers of another host serve is not known
    if queue["due"] and not any(pool["ready"] for pool in queue["pools"]):
        return NoneStarts.NOTHING_RUNS if crews[0].nothing_runs else NoneStarts.NONE_READY
    if not queue["starved"]:
        return None
    unready = _pools_not_ready(queue)
    if unready:
        pools = "pool" if len(unready) == 1 else "pools"
        return f"no worker of {pools} {named(unready)} is ready, the others run other jobs"
    return NoneStarts.OTHERS


def _pools_not_ready(queue: Queue) -> list[str]:
    return [pool["name"] for pool in queue["pools"] if pool["workers"] and not pool["ready"]]


def _no_estimate(queue: Queue, pace: Pace | None, quiet_s: float | None) -> str | None:
    due, running = queue["due"], queue["counts"]["in_progress"]
    is_told = queue["drain"] or queue["none_starts"] or queue["limited"]
    if is_told or not due + running:
        return None
    if not due:
        return f"none waits for a worker, {running:,} {'is' if running == 1 else 'are'} running"
    if queue["rate_per_key"]:
        return "no estimate: its rate is per key"
    if queue["starved"] or not any(pool["ready"] for pool in queue["pools"]):
        return "no estimate: which workers serve it is not known"  # they may be of another host
    return no_estimate(pace, quiet_s, queue["ended_per_minute"])


def _held(
    store: Store, due: Mapping[str, DueInQueue], counts: Mapping[str, Mapping[Status, int]]
) -> Mapping[str, Sequence[Held]]:
    """Return what quarantines hold back in the queues with pending jobs that are not due."""
    names = [name for name, its in due.items() if counts[name][Status.PENDING] > its.jobs]
    return store.quarantines.held(names)


def _growth(flow: Flow, counts: Mapping[Status, int], serving: Iterable[Crew]) -> float | None:
    leaves = counts.get(Status.IN_PROGRESS, 0) > 0 or any(crew.ready for crew in serving)
    grows = growth_per_minute(
        flow.submitted_per_minute, flow.ended_per_minute, flow.came_for_s, flow.silent_s
    )
    return grows if leaves or (grows or 0) > 0 else None


def _until_s(at_ms: int | None, now_ms: int) -> float | None:
    return None if at_ms is None else max(0, at_ms - now_ms) / 1000


def _named(store: Store, rules: Mapping[str, QueueRow], crews: Sequence[Crew]) -> set[str]:
    """Return the queues with a rule that has an effect, or that something else also names."""
    given = names_given(store, {crew.pool: crew.queues for crew in crews})
    return {name for name, rule in rules.items() if rule.has_effect or name in given}


def _is_over(drain: Drain | None, quiet_s: float | None) -> bool:
    return drain is not None and quiet_s is not None and is_refuted(drain["seconds"], quiet_s)


def _held_json(held: Held, now_ms: int) -> HeldBack:
    return {
        "type": held.type,
        "jobs": held.jobs,
        "relation": "eq" if held.is_all else "gte",
        "oldest_s": max(0, now_ms - held.since_ms) / 1000,
    }


def _pool_json(crew: Crew) -> ServingPool:
    workers = len(crew.ready) + len(crew.others)
    return {"name": crew.pool, "workers": workers, "ready": len(crew.ready), "free": crew.free}


def _drain(
    rule: QueueRow,
    counts: Mapping[Status, int],
    due: int,
    pace: Pace | None,
    serving: Sequence[Crew],
    waits_s: float,
    at_rate: AtRate,
) -> Drain | None:
    if rule.rate and at_rate.steadily and due:
        return {"seconds": due / rule.rate.per_s, "with_more": []}  # whatever was done before
    running = counts.get(Status.IN_PROGRESS, 0)
    if rule.paused or rule.per_key.rate or (not due and (running or counts.get(Status.PENDING, 0))):
        return None  # no pace tells for how much longer the running jobs run
    starts_per_s = None if rule.rate is None else rule.rate.per_s
    concurrency = sum(crew.places for crew in serving)
    if due and not concurrency:
        return None
    bounds = DrainLimits(rule.max_running, starts_per_s, concurrency)
    seconds = drain_s(due, running, pace, bounds, waits_s)
    if seconds is None:
        return None
    is_no_help = at_rate.now or rule.limits_keys
    with_more = () if is_no_help else drain_with_more_s(due, running, pace, bounds)
    return {
        "seconds": seconds,
        "with_more": [{"more_workers": n, "seconds": one} for n, one in with_more],
    }
