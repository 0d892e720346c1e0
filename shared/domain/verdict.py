"""The verdict on a system: what needs a person, each with what to do, and one sentence. Pure.

The page, `orpheus status` and `GET /stats` show the same. Each had its own before, and each missed
what another one told: a paused queue with work in it, or 300 of 300 payments that failed beside a
million other jobs that did not.

What passes by itself, or is meant so, is no concern: a worker that starts, a queue that is paused
and empty, a delay of some seconds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.words import duration

LATE_S = 60.0
"""A job that has been due for longer waits for too long."""
FAILING_SHARE = 0.1
FAILING_LEAST = 3
"""A type fails if so many of its jobs did lately, and so large a share."""
LATELY_MINUTES = 5
RESTARTS_LEAST = 3
RESTARTS_WITHIN_S = 600.0
"""A slot is restless if its processes failed so often within this time."""
_LITTLE_SPACE_BYTES = 256_000_000
_LARGE_LOG_BYTES = 512 * 2**20
_MOST_NAMED = 3


class ConcernCode(StrEnum):
    """What needs a person."""

    NOTHING_RUNS = "nothing_runs"
    CONFIGURATION_REJECTED = "configuration_rejected"
    NO_WORKER_READY = "no_worker_ready"
    SLOT = "slot"
    RESTLESS = "restless"
    SILENT = "silent"
    QUEUE_PAUSED = "queue_paused"
    NO_POOL = "no_pool"
    POOL_EMPTY = "pool_empty"
    POOL_NOT_READY = "pool_not_ready"
    QUEUE_LIMIT = "queue_limit"
    QUEUE_LATE = "queue_late"
    TYPE_QUARANTINED = "type_quarantined"
    TYPE_FAILING = "type_failing"
    SCHEDULE_LATE = "schedule_late"
    LITTLE_SPACE = "little_space"
    LARGE_LOG = "large_log"


class About(NamedTuple):
    """What a concern is about: a `queue`, `type`, `slot` or `schedule`, and its name."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that needs a person.

    `text` is a sentence; `command` is what may mend it, or tells more, as one types it.
    """

    code: ConcernCode
    text: str
    command: str | None = None
    about: About | None = None


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """A slot, or a process without one."""

    name: str
    """With its host, if there are several."""
    role: Role
    pool: str | None
    state: SlotState
    degraded: bool
    reason: str
    target: str = ""
    """The slot, as commands name it: `default-1 --host ada`."""
    rejects: bool = False
    """It is degraded only because it has rejected the configuration."""
    silent_s: float | None = None
    failed_exits: int = 0
    """How often its processes failed within `RESTARTS_WITHIN_S`."""
    last_exit: str = ""


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """A queue with the jobs that wait in it."""

    name: str
    waiting: int
    running: int = 0
    oldest_s: float | None = None
    """How long the first of its due jobs has waited; None: none is due."""
    paused: bool = False
    paused_by: str = ""
    """Who, and why: "by cli:ada (a release)"."""
    max_running: int = 0
    rate: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the verdict is made of."""

    slots: Sequence[SlotFacts]
    queues: Sequence[QueueFacts] = ()
    pools: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The queues that each pool of the configuration serves."""
    ended: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By type, of the last `LATELY_MINUTES`: how many jobs are done, and how many failed."""
    quarantined: Sequence[tuple[str, str]] = ()
    """Types that are held back, each with the evidence: a clause."""
    late_schedules: Sequence[tuple[str, float]] = ()
    """Schedules whose tick has passed, and by how many seconds."""
    silent_after_s: float = 30.0
    """After so long without a heartbeat, a process is taken for dead."""
    free_bytes: int | None = None
    log_bytes: int = 0
    has_jobs: bool = False
    """There is a job, however it stands."""

    @property
    def workers(self) -> list[SlotFacts]:
        """The slots of workers."""
        return [slot for slot in self.slots if slot.role is Role.WORKER]


@dataclass(frozen=True, slots=True)
class SystemVerdict:
    """One sentence, and the concerns, the most urgent first."""

    headline: str
    concerns: Sequence[Concern]


def verdict(facts: Facts) -> SystemVerdict:
    """Return the verdict on a system."""
    concerns = list(_concerns(facts))
    return SystemVerdict(_headline(facts, len(concerns)), concerns)


def _headline(facts: Facts, concerns: int) -> str:
    if concerns:
        if concerns == 1:
            return "One problem needs your attention."
        return f"{concerns} problems need your attention."
    workers = facts.workers
    if not workers:
        return "No worker is running."
    ready = sum(slot.state is SlotState.READY for slot in workers)
    if ready < len(workers):
        return "Not every worker is ready." if ready else "Starting up."
    return "All is well." if facts.has_jobs else "Ready for the first job."


def _concerns(facts: Facts) -> Iterator[Concern]:
    if not facts.slots:
        yield Concern(ConcernCode.NOTHING_RUNS, "Nothing runs.", "orpheus")
    yield from _rejection(facts.slots)
    waiting = sum(queue.waiting for queue in facts.queues)
    is_any_ready = any(slot.state is SlotState.READY for slot in facts.workers)
    if facts.slots and waiting and not is_any_ready:
        text = f"No worker is ready, and {_jobs_wait(waiting)}."
        yield Concern(ConcernCode.NO_WORKER_READY, text)
    yield from _slots(facts.slots)
    yield from _restless(facts)
    yield from _quarantined(facts.quarantined)
    yield from _types(facts.ended)
    yield from _queues(facts, is_any_ready=is_any_ready)
    yield from _schedules(facts.late_schedules)
    yield from _disk(facts)


def _rejection(slots: Sequence[SlotFacts]) -> Iterator[Concern]:
    for slot in slots:
        if slot.rejects:
            rejected = "The configuration was rejected, so the one before it is in force"
            text = f"{rejected}: {slot.reason}"
            yield Concern(ConcernCode.CONFIGURATION_REJECTED, text, "orpheus config check")


_ALARMING = {
    SlotState.FATAL: "failed too often (fatal)",
    SlotState.STUCK: "cannot be killed (stuck)",
}


def _slots(slots: Sequence[SlotFacts]) -> Iterator[Concern]:
    """Yield one concern for all slots that are in the same state for the same reason."""
    alike: dict[str, list[SlotFacts]] = {}
    for slot in slots:
        if slot.rejects or not (slot.degraded or slot.state in _ALARMING):
            continue
        reason = f": {slot.reason}" if slot.reason else ""
        what = f"{_ALARMING.get(slot.state, 'is degraded')}{reason}"
        alike.setdefault(what, []).append(slot)
    for what, group in alike.items():
        first = group[0]
        command = f"orpheus restart {first.target}" if first.state in _ALARMING else None
        names = _named([slot.name for slot in group])
        each = " each" if len(group) > 1 else ""
        text = _sentence(f"{names}{each} {what}")
        yield Concern(ConcernCode.SLOT, text, command, About("slot", first.name))


def _restless(facts: Facts) -> Iterator[Concern]:
    """Yield slots that fail again and again, but are not given up yet, or that say nothing."""
    for slot in facts.slots:
        if slot.state in _ALARMING:
            continue
        about = About("slot", slot.name)
        if slot.failed_exits >= RESTARTS_LEAST:
            minutes = round(RESTARTS_WITHIN_S / 60)
            often = f"failed {slot.failed_exits} times in the last {minutes} minutes"
            text = _sentence(f"{slot.name} {often}, most recently: {slot.last_exit}")
            yield Concern(ConcernCode.RESTLESS, text, "orpheus workers", about)
        silent_s = slot.silent_s or 0.0
        if slot.state is SlotState.READY and silent_s >= facts.silent_after_s / 2:
            text = (
                f"{slot.name} has sent no heartbeat for {duration(silent_s)}; after "
                f"{duration(facts.silent_after_s)} it is taken for dead."
            )
            yield Concern(ConcernCode.SILENT, text, f"orpheus stack {slot.target}", about)


def _quarantined(types: Sequence[tuple[str, str]]) -> Iterator[Concern]:
    for name, evidence in types:
        text = f"Type {name} is quarantined until it is mended: {evidence}"
        command, about = f"orpheus release {name}", About("type", name)
        yield Concern(ConcernCode.TYPE_QUARANTINED, _sentence(text), command, about)


def _types(ended: Mapping[str, tuple[int, int]]) -> Iterator[Concern]:
    failing = [
        (failed, done + failed, name)
        for name, (done, failed) in ended.items()
        if failed >= FAILING_LEAST and failed >= FAILING_SHARE * (done + failed)
    ]
    for failed, all_, name in sorted(failing, key=lambda one: (-one[0], one[2])):
        jobs = f"jobs of {name}" if name else "jobs of types that are not described"
        lately = f"that ended in the last {LATELY_MINUTES} minutes"
        about = About("type", name) if name else None
        text = f"{failed:,} of {all_:,} {jobs} {lately} failed."
        yield Concern(ConcernCode.TYPE_FAILING, text, "orpheus errors", about)


def _queues(facts: Facts, *, is_any_ready: bool) -> Iterator[Concern]:
    """Yield one concern for each reason that holds queues back, and what it holds back."""
    for queue in facts.queues:
        if not queue.waiting:
            continue
        concern = _of_queue(queue, facts, is_any_ready=is_any_ready)
        if concern is not None:
            yield concern


def _of_queue(queue: QueueFacts, facts: Facts, *, is_any_ready: bool) -> Concern | None:
    about, wait = About("queue", queue.name), _jobs_wait(queue.waiting)
    if queue.paused:
        text = f"Queue {queue.name} is paused{queue.paused_by}, and {wait} in it."
        return Concern(ConcernCode.QUEUE_PAUSED, text, f"orpheus resume {queue.name}", about)
    if not facts.pools:
        return None  # who asks does not know them
    serving = [name for name, served in facts.pools.items() if {"*", queue.name} & {*served}]
    if not serving:
        text = f"No pool serves queue {queue.name}, and {wait} in it."
        return Concern(ConcernCode.NO_POOL, text, None, about)
    slots = [slot for slot in facts.workers if slot.pool in serving]
    if not slots and is_any_ready:
        text = f"Pool {_named(serving)} has no workers, and {wait} in queue {queue.name}."
        return Concern(ConcernCode.POOL_EMPTY, text, f"orpheus scale {serving[0]} 1", about)
    if is_any_ready and not any(slot.state is SlotState.READY for slot in slots):
        text = f"No worker of pool {_named(serving)} is ready, and {wait} in queue {queue.name}."
        return Concern(ConcernCode.POOL_NOT_READY, text, None, about)
    if queue.oldest_s is None or queue.oldest_s < LATE_S or not is_any_ready:
        return None
    since = f"and {wait} in it, the first for {duration(queue.oldest_s)}."
    if queue.max_running and queue.running >= queue.max_running:
        text = f"Queue {queue.name} runs as many jobs as it may, {queue.max_running:,}, {since}"
        return Concern(ConcernCode.QUEUE_LIMIT, text, None, about)
    if queue.rate:
        text = f"Queue {queue.name} may start only {queue.rate}, {since}"
        return Concern(ConcernCode.QUEUE_LIMIT, text, None, about)
    text = f"The workers are too slow for queue {queue.name}, {since}"
    return Concern(
        ConcernCode.QUEUE_LATE, text, f"orpheus scale {serving[0]} {len(slots) + 1}", about
    )


def _schedules(late: Sequence[tuple[str, float]]) -> Iterator[Concern]:
    for name, late_s in late:
        text = f"Schedule {name} should have fired {duration(late_s)} ago, and has not."
        yield Concern(ConcernCode.SCHEDULE_LATE, text, "orpheus schedules", About("schedule", name))


def _disk(facts: Facts) -> Iterator[Concern]:
    if facts.free_bytes is not None and facts.free_bytes < _LITTLE_SPACE_BYTES:
        free = f"{facts.free_bytes // 1_000_000:,} MB"
        yield Concern(ConcernCode.LITTLE_SPACE, f"Only {free} are free where the database is.")
    if facts.log_bytes > _LARGE_LOG_BYTES:
        text = (
            f"The write-ahead log has {facts.log_bytes // 2**20:,} MiB, because a program keeps a "
            "read transaction open."
        )
        yield Concern(ConcernCode.LARGE_LOG, text)


def _jobs_wait(n: int) -> str:
    return "1 job waits" if n == 1 else f"{n:,} jobs wait"


def _named(names: Iterable[str]) -> str:
    """Return `a`, `a and b`, or `a, b, c and 4 more`."""
    known = list(names)
    if len(known) == 1:
        return known[0]
    if len(known) <= _MOST_NAMED:
        return f"{', '.join(known[:-1])} and {known[-1]}"
    return f"{', '.join(known[:_MOST_NAMED])} and {len(known) - _MOST_NAMED} more"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
