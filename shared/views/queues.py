"""Queues, and counts of jobs, as the API and the command line list them."""

from collections.abc import Mapping, Sequence
from typing import cast

from typing_extensions import TypedDict

from orpheus.shared.domain import why
from orpheus.shared.domain.drain import Pace, drain_s, drain_with_more_s
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.rates import rate_text
from orpheus.shared.storage import DueInQueue, Flow, QueueRow, Store
from orpheus.shared.views.pauses import Pause, pause_json


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
    """When the jobs that are due and those that run are done, if none comes: an estimate."""

    seconds: float
    """At the pace of the last five minutes."""
    with_more: list[DrainWithMore]
    """With further workers that run only jobs of this queue."""


class QueueFigures(TypedDict):
    """A queue that has had a job, a pause or a limit."""

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
    """Pending jobs whose time has come; of a queue with 10,000 or more, all that are pending."""
    next_due_s: float | None
    """In how many seconds the next one is due; null: there is none, or a thousand jobs of other
    queues are due before it."""
    quarantined: list[str]
    """Types of which a quarantine holds back jobs that wait in it."""
    oldest_pending_s: float | None
    done_per_minute: float
    drain: Drain | None
    """null: it is paused, no pending job of it is due, or nothing was done in the last five
    minutes."""
    submitted_per_minute: float
    """Over the last five minutes, as `ended_per_minute`: done, failed and cancelled."""
    ended_per_minute: float
    pause: Pause | None
    """Who paused it; null: it is not paused."""


class ServingPool(TypedDict):
    """A pool whose workers lease jobs of a queue."""

    name: str
    workers: int
    ready: int


class Queue(QueueFigures):
    """A queue, and who runs its jobs."""

    pools: list[ServingPool]
    """Empty: no pool of the configuration serves it."""


def counts_json(counts: Mapping[Status, int]) -> Counts:
    """Return how many jobs have each status; 0 for one that `counts` lacks."""
    return cast("Counts", {status.value: counts.get(status, 0) for status in Status})


def queues_json(store: Store) -> list[QueueFigures]:
    """Return every queue that has had a job, a pause or a limit, by name."""
    with store.snapshot():
        counts = store.stats.counts_by_queue()
        done_per_minute = store.stats.done_per_minute()
        paces, flows = store.stats.paces(), store.stats.flows()
        rules = {row.name: row for row in store.queues.all()}
        due, now_ms = store.stats.due_by_queue(), store.clock.wall_ms()
        oldest_s = store.stats.oldest_pending_by_queue()
        pauses, quarantined = store.standings.pauses(), store.quarantines.by_queue()
    found: list[QueueFigures] = []
    for name in sorted(counts.keys() | rules.keys()):
        rule = rules.get(name, QueueRow(name, paused=False, max_running=0, rate=None))
        flow = flows.get(name, Flow())
        its_due = due.get(name, DueInQueue(0))
        next_ms, its_counts = its_due.next_ms, counts.get(name, {})
        either_rate = rule.rate or rule.per_key.rate
        found.append(
            {
                "name": name,
                "paused": rule.paused,
                "max_running": rule.max_running,
                "rate": rate_text(rule.rate),
                "burst": either_rate.burst if either_rate else 1,
                "max_running_per_key": rule.per_key.max_running,
                "rate_per_key": rate_text(rule.per_key.rate),
                "counts": counts_json(its_counts),
                "due": its_due.jobs,
                "next_due_s": None if next_ms is None else max(0, next_ms - now_ms) / 1000,
                "quarantined": quarantined.get(name, []),
                "oldest_pending_s": oldest_s.get(name),
                "done_per_minute": done_per_minute.get(name, 0.0),
                "drain": _drain(rule, its_counts, its_due.jobs, paces.get(name)),
                "submitted_per_minute": flow.submitted_per_minute,
                "ended_per_minute": flow.ended_per_minute,
                "pause": pause_json(pauses.get(name)),
            }
        )
    return found


def served_queues_json(store: Store, crews: Sequence[why.Crew]) -> list[Queue]:
    """Return the same queues with the pools that serve each."""
    return [{**queue, "pools": _serving(queue["name"], crews)} for queue in queues_json(store)]


def _serving(queue: str, crews: Sequence[why.Crew]) -> list[ServingPool]:
    return [
        {"name": crew.pool, "workers": len(crew.ready) + len(crew.others), "ready": len(crew.ready)}
        for crew in crews
        if crew.serves(queue)
    ]


def _drain(
    rule: QueueRow, counts: Mapping[Status, int], due: int, pace: Pace | None
) -> Drain | None:
    waiting = due + counts.get(Status.IN_PROGRESS, 0)
    if rule.paused or (counts.get(Status.PENDING, 0) and not waiting):
        return None
    starts_per_s = None if rule.rate is None else rule.rate.per_s
    limits = (rule.max_running, starts_per_s)
    seconds = drain_s(waiting, pace, 0, *limits)
    if seconds is None:
        return None
    with_more = drain_with_more_s(waiting, pace, *limits)
    return {
        "seconds": seconds,
        "with_more": [{"more_workers": n, "seconds": one} for n, one in with_more],
    }
