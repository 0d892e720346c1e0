"""Why a job does not run: every reason, who holds it back, and until when. Pure.

A pending job is leased next if nothing of its own holds it back (its time, its queue, its key), a
pool serves its queue, and a place of that pool is free once the jobs that go before it are leased.
So `reasons` goes through those jobs in their order, and counts what they take of the limits.

A reason that passes by itself within moments (a limit, a rate, the turn) is told only of a job that
could start otherwise: what a job that is due tomorrow would meet today helps nobody.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

import msgspec

from orpheus.shared.domain.crews import MOST_NAMED, Crew
from orpheus.shared.domain.jobs import Dependency, Job, JobError, Outcome, Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.domain.quarantine import Quarantine
from orpheus.shared.domain.rates import Rate, rate_text
from orpheus.shared.domain.rooms import FREE, Room
from orpheus.shared.domain.words import duration, named, plural
from orpheus.shared.text import first_line

K = TypeVar("K", bound=Hashable)

MOST_BEFORE = 1_000
"""At most so many jobs that go before a job are counted."""
MOST_STEPS = 50
"""How many failed dependencies are followed back to find the one that failed first."""


class Code(StrEnum):
    """What holds a job back."""

    ENDED = "ended"
    WORKER_GONE = "worker_gone"
    WORKER_SILENT = "worker_silent"
    PREFETCHED = "prefetched"
    DEPENDENCY = "dependency"
    RUN_AT = "run_at"
    BACKOFF = "backoff"
    SNOOZED = "snoozed"
    QUARANTINED = "quarantined"
    NEWER_CODE = "newer_code"
    QUEUE_PAUSED = "queue_paused"
    NO_POOL = "no_pool"
    NO_WORKER = "no_worker"
    QUEUE_LIMIT = "queue_limit"
    QUEUE_RATE = "queue_rate"
    KEY_LIMIT = "key_limit"
    KEY_RATE = "key_rate"
    RUNS_ALONE = "runs_alone"
    WORKERS_BUSY = "workers_busy"
    TURN = "turn"


class Reason(msgspec.Struct, frozen=True):
    """One reason. `by`: who holds the job back; `until_ms`: the time at which that ends, if known.

    `text` is a clause for people: "it waits for job 7, which is in progress".
    """

    code: Code
    text: str
    by: str | None = None
    until_ms: int | None = None


class Pause(msgspec.Struct, frozen=True):
    """Who paused or resumed a queue or schedule; `by` is None for the configuration, or unknown."""

    by: str | None = None
    reason: str | None = None
    at_ms: int | None = None

    def told(self) -> str:
        """Return `by cli:ada`, or `by cli:ada: disk swap`."""
        return f"by {self.by}" + (f": {self.reason}" if self.reason else "")


class Before(NamedTuple):
    """A due job that goes before another, with the queue and the key that it takes room of."""

    minus_priority: int
    run_at_ms: int
    id: int
    queue: str
    key: str | None


class Standing(msgspec.Struct, frozen=True):
    """What the database knows of what holds a job back."""

    job: Job
    now_ms: int
    is_due: bool = False
    crashes: int = 0
    last_outcome: Outcome | None = None
    waits_for: int = 0
    """How many jobs it waits for; `dependencies` are the first of them."""
    dependencies: Sequence[Dependency] = ()
    retry_first: int | None = None
    """A failed or cancelled job is not retried before its failed dependencies. This is the first
    job of that chain, which can be retried."""
    cancelled: Pause | None = None
    """Who cancelled it; None: nobody, or nobody that is known."""
    key_holder: int | None = None
    """The live job that has the unique key of this ended job, which refuses its retry."""
    quarantine: Quarantine | None = None
    """That of its type. After its release, it holds back only jobs that are still parked."""
    lacks_code: str = ""
    """No ready worker has the code of its type that can read it: the `newer`, or `other` code."""
    pause: Pause | None = None
    queues: Mapping[str, Room] = msgspec.field(default_factory=dict)
    """The limits of its queue and of those of the jobs before it; one without an entry has none."""
    keys: Mapping[tuple[str, str], Room] = msgspec.field(default_factory=dict)
    """The same for keys, by queue and key."""
    before: Sequence[Before] = ()
    """The due jobs that go before it, in the order of leasing, at most `MOST_BEFORE`."""
    more_may_be_before: bool = False
    """The most jobs that may be read were read, though some of them do not go before it."""
    leased_by: str | None = None
    """The incarnation that has leased it."""
    leased_before: Sequence[int] = ()
    """Of a leased job: those that its worker has leased before it and not finished."""


def reasons(standing: Standing, crews: Sequence[Crew]) -> list[Reason]:
    """Return why a job does not run; none: it runs, or a free worker leases it next.

    If the worker of a leased job is silent or gone, `Silence` has the reason instead.
    """
    job = standing.job
    if job.status in TERMINAL:
        return [_ended(standing)]
    serving = [crew for crew in crews if crew.serves(job.queue)]
    if job.status is Status.IN_PROGRESS:
        return list(_prefetched(standing, serving))
    found = [*_dependencies(standing), *_time(standing)]
    found += [*_quarantine(standing), *_lacks_code(standing)]
    found += [*_pause(standing), *_nobody(job, serving)]
    if job.status is Status.PENDING and standing.is_due:
        found += _limits(standing)
    return found or list(_turn(standing, serving))


def _ended(standing: Standing) -> Reason:
    job = standing.job
    if job.status is Status.DONE:
        return Reason(Code.ENDED, "it is done")
    error = first_line(f": {job.error.type}: {job.error.message}") if job.error else ""
    if was_cancelled(job):
        how = how_cancelled(standing.cancelled, job.error)
        error = f" {how}" if standing.cancelled else f"; {how}" if how else ""
    if standing.key_holder is not None:
        by = f"job {standing.key_holder}"
        cannot = f"{by} holds its unique key, so it cannot be retried now"
        return Reason(Code.ENDED, f"it is {job.status}{error} ({cannot})", by=by)
    if standing.retry_first is not None:
        by = f"job {standing.retry_first}"
        return Reason(Code.ENDED, f"it is {job.status}{error} (retry {by} first)", by=by)
    return Reason(Code.ENDED, f"it is {job.status}{error} (a retry runs it again)")


def was_cancelled(job: Job) -> bool:
    """Return whether somebody cancelled the job itself, not the end of one that it depended on."""
    return job.status is Status.CANCELLED and job.cancel_requested


def how_cancelled(cancelled: Pause | None, error: JobError | None) -> str:
    """Return who cancelled a job, and its last error, which did not end it."""
    parts = []
    if cancelled is not None:
        parts.append(cancelled.told())
    if error is not None:
        parts.append(first_line(f"its last error was {error.type}: {error.message}"))
    return "; ".join(parts)


def _prefetched(standing: Standing, crews: Sequence[Crew]) -> Iterator[Reason]:
    """Yield that a leased job waits for a place of its worker."""
    ready = [one for crew in crews for one in crew.ready]
    own = [one for one in ready if one.incarnation == standing.leased_by]
    places = max((one.places for one in own or ready), default=1)
    if len(standing.leased_before) >= places:
        before = _jobs(standing.leased_before[:MOST_NAMED], len(standing.leased_before))
        by = own[0].name if own else standing.job.worker
        yield Reason(Code.PREFETCHED, f"{by} has leased it and runs {before} first", by=by)


def _dependencies(standing: Standing) -> Iterator[Reason]:
    for one in standing.dependencies:
        text = f"it waits for job {one.id} ({one.type}), which is {_spaced(one.status)}"
        yield Reason(Code.DEPENDENCY, text, by=f"job {one.id}")
    more = standing.waits_for - len(standing.dependencies)
    if more > 0:
        yield Reason(Code.DEPENDENCY, f"it waits for {plural(more, 'more job')}")


_OF_RUNNING = (Code.QUEUE_LIMIT, Code.KEY_LIMIT)
"""Limits that have room again once a job ends: that all places are taken says more."""
_WAITS = {
    None: (Code.RUN_AT, "its time has not come"),
    Outcome.SNOOZED: (Code.SNOOZED, "it asked to run again later"),
    Outcome.RELEASED: (Code.RUN_AT, "its time has not come"),
}
_BACKOFF = (Code.BACKOFF, "it waits before its next attempt")


def _time(standing: Standing) -> Iterator[Reason]:
    job = standing.job
    if standing.is_due or job.run_at_ms <= standing.now_ms:
        return
    code, text = _WAITS.get(standing.last_outcome, _BACKOFF)
    if code is Code.BACKOFF:
        ended = _spaced(standing.last_outcome or "")
        text += f", as attempt {job.attempt} ended {ended}"
    yield Reason(code, text, until_ms=job.run_at_ms)


def _quarantine(standing: Standing) -> Iterator[Reason]:
    quarantine = standing.quarantine
    if quarantine is None:
        return
    by = f"type {quarantine.type}"
    if quarantine.is_released:
        text = f"its {by} has just been released, and its jobs are let go a few at a time"
    else:
        text = f"its {by} is quarantined: {quarantine.evidence}"
    yield Reason(Code.QUARANTINED, text, by=by)


def _lacks_code(standing: Standing) -> Iterator[Reason]:
    if standing.lacks_code:
        job_type = standing.job.type
        text = f"it waits for a worker with the {standing.lacks_code} code of {job_type}"
        yield Reason(Code.NEWER_CODE, text, by=f"type {job_type}")


def _pause(standing: Standing) -> Iterator[Reason]:
    if standing.pause is not None:
        by = standing.pause.by or "the configuration"
        reason = f": {standing.pause.reason}" if standing.pause.reason else ""
        text = f"its queue {standing.job.queue} is paused by {by}{reason}"
        yield Reason(Code.QUEUE_PAUSED, text, by=by)


def _nobody(job: Job, serving: Sequence[Crew]) -> Iterator[Reason]:
    """Yield why no worker could lease the job, however long it waits."""
    if not serving:
        yield Reason(Code.NO_POOL, f"no pool serves its queue {job.queue}")
    elif not any(crew.ready for crew in serving):
        yield from map(_none_ready, serving)


def _none_ready(crew: Crew) -> Reason:
    text = f"no worker of pool {crew.pool} is ready: {crew.unready()}"
    return Reason(Code.NO_WORKER, text, by=f"pool {crew.pool}")


class _Limit(NamedTuple):
    """The room of a job's queue or of its key, and how many jobs of that go before the job."""

    room: Room
    whose: str
    codes: tuple[Code, Code]
    before: int


def _limits_on(standing: Standing) -> Iterator[_Limit]:
    job, before = standing.job, standing.before
    room, queue = standing.queues.get(job.queue, FREE), f"its queue {job.queue}"
    of_queue = sum(one.queue == job.queue for one in before)
    yield _Limit(room, queue, (Code.QUEUE_LIMIT, Code.QUEUE_RATE), of_queue)
    if job.concurrency_key is not None:
        key = (job.queue, job.concurrency_key)
        room, whose = standing.keys.get(key, FREE), f"key {job.concurrency_key} of {queue}"
        of_key = sum((one.queue, one.key) == key for one in before)
        yield _Limit(room, whose, (Code.KEY_LIMIT, Code.KEY_RATE), of_key)


def _limits(standing: Standing) -> Iterator[Reason]:
    for limit in _limits_on(standing):
        room = limit.room
        if room.is_full:
            text = f"{limit.whose} may run {room.max_running:,} at once, and as many run"
            yield Reason(limit.codes[0], text, by=_jobs(room.named, room.running) or None)
        if room.rate is not None and room.is_spent:
            yield _of_rate(standing, limit, room.rate)


def _of_rate(standing: Standing, limit: _Limit, rate: Rate) -> Reason:
    """Return when a rate lets a job start after those before it; no time if they are too many."""
    room, code = limit.room, limit.codes[1]
    may = f"{limit.whose} may start {rate_text(rate)}"
    if not limit.before:
        return Reason(code, f"{may}, and has for now", until_ms=room.opens_ms)
    text = f"{may}, and {_go_before(standing, limit.before)}"
    wait_ms = max(0, (room.opens_ms or 0) - standing.now_ms)
    wait_ms += round(1000 * (limit.before - max(0, int(room.tokens) - 1)) / rate.per_s)
    if _are_uncounted(standing):
        return Reason(code, f"{text}: {duration(wait_ms // 1000)} or more")
    return Reason(code, text, until_ms=standing.now_ms + wait_ms)


def _turn(standing: Standing, serving: Sequence[Crew]) -> Iterator[Reason]:
    """Yield why a job that nothing holds back is not leased next; nothing if it is."""
    blocked: list[tuple[int, Reason]] = []
    for crew in (one for one in serving if one.ready):
        taken, reason = _before_it(standing, crew)
        if reason is None or (crew.free == 0 and reason.code in _OF_RUNNING):
            reason = _no_place(standing, crew, taken)
        if reason is None:
            return
        blocked.append((taken, reason))
    if blocked:
        yield min(blocked, key=lambda one: one[0])[1]
        yield from (_none_ready(one) for one in serving if one.others and not one.ready)


def _before_it(standing: Standing, crew: Crew) -> tuple[int, Reason | None]:
    """Return how many jobs are leased before it, and the limit in which they leave no room."""
    job = standing.job
    queues = {name: room.left for name, room in standing.queues.items()}
    keys = {name: room.left for name, room in standing.keys.items()}
    taken = 0
    for one in standing.before:
        key = (one.queue, one.key or "")
        if crew.serves(one.queue) and queues.get(one.queue) != 0 and keys.get(key) != 0:
            _take(queues, one.queue)
            _take(keys, key)
            taken += 1
    lefts = (queues.get(job.queue), keys.get((job.queue, job.concurrency_key or "")))
    for limit, left in zip(_limits_on(standing), lefts, strict=False):
        room = limit.room
        if left == 0 and room.rate is not None and room.left == int(room.tokens):
            return taken, _of_rate(standing, limit, room.rate)
        if left == 0:
            text = f"jobs that go before it take the room that {limit.whose} has left"
            return taken, Reason(limit.codes[0], text)
    return taken, None


def _no_place(standing: Standing, crew: Crew, taken: int) -> Reason | None:
    places, names = crew.places, [one.name for one in crew.ready]
    if crew.free == 0:
        also = f", and {_go_before(standing, taken)}" if taken else ""
        by, ready, held, down = ", ".join(names[:MOST_NAMED]), "", "", ""
        if crew.others:  # the workers that hold the places are named before the others
            ready, held, down = "ready ", f" (held by {by})", f"; {crew.unready()}"
        all_places = f"the only {ready}place" if places == 1 else f"all {places:,} {ready}places"
        alone = [one.name for one in crew.ready if one.runs_alone]
        run = "runs" if len(alone) == 1 else "each run"
        how = f" (after a crash, {named(alone)} {run} one job alone)" if alone else ""
        are = "is" if places == 1 else "are"
        text = f"{all_places} of pool {crew.pool} {are} taken{how}{held}{also}{down}"
        return Reason(Code.WORKERS_BUSY, text, by=by)
    if taken >= crew.free:
        text = f"it is not its turn: {_go_before(standing, taken)} in pool {crew.pool}"
        return Reason(Code.TURN, text)
    if standing.crashes and taken >= sum(not one.jobs for one in crew.ready):
        text = f"it crashed before, so it runs alone, and no worker of pool {crew.pool} is idle"
        return Reason(Code.RUNS_ALONE, text, by=", ".join(names[:MOST_NAMED]))
    return None


def _go_before(standing: Standing, count: int) -> str:
    """Return `3 jobs go before it`."""
    if count == 1:
        return "1 job goes before it"
    return f"{'at least ' if _are_uncounted(standing) else ''}{count:,} jobs go before it"


def _are_uncounted(standing: Standing) -> bool:
    """Return whether more jobs may go before it than were counted."""
    return standing.more_may_be_before or len(standing.before) >= MOST_BEFORE


def _take(left: dict[K, int | None], name: K) -> None:
    if (room := left.get(name)) is not None:
        left[name] = room - 1


def _spaced(state: str) -> str:
    """Return a state in words: `in progress`."""
    return state.replace("_", " ")


def _jobs(ids: Sequence[int], total: int) -> str:
    """Return `job 3, job 5`, with how many more there are."""
    more = f" and {total - len(ids):,} more" if total > len(ids) else ""
    return ", ".join(f"job {one}" for one in ids) + more
