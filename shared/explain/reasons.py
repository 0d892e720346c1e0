"""Decides why a job does not run, why a queue starts none, and what needs a person. Pure.

A reason has no text: `sentences.py` has it. What passes by itself, or is meant so, needs no person:
a worker that starts, a paused queue without jobs, jobs that wait for a limit of a queue that does
not grow.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from orpheus.shared.domain.jobs import Outcome, Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.rooms import Room
from orpheus.shared.domain.steps import StepKind, StepState
from orpheus.shared.explain.facts import (
    FAILING_LEAST,
    Facts,
    Pool,
    QueueFacts,
    SystemFacts,
    crashing_job,
)
from orpheus.shared.messages.queues import Code
from orpheus.shared.messages.status import ConcernCode, Severity
from orpheus.shared.messages.workers import Worker, is_ready, named_slot
from orpheus.shared.moments import parse_time_ms
from orpheus.shared.storage import MOST_NAMED, JobFacts, NextJob, QueueRow

START_S = 15.0
"""A worker starts or restarts in less time, so a job may wait that long while none is ready."""
LATE_S = 60.0
"""A job that has been due for longer waits for too long."""
SOON_EMPTY_S = 3600.0
"""A queue that is empty within this time at its pace needs no person."""
FAILING_SHARE = 0.1
"""A type fails if this share of its jobs did lately, and at least `FAILING_LEAST`."""
RESTARTS_LEAST = 3
"""A slot is restless if its processes failed this often within 10 minutes."""
LITTLE_SPACE_BYTES = 256_000_000
"""Less than this on the file system of the database is a concern."""


class Reason(msgspec.Struct, frozen=True):
    """Why a job does not run, or what needs a person; `data` is what its sentence tells.

    `by`: who holds the job back, or what a concern is about: `job 7`, `queue mail`. `since_ms`: of
    a concern, if it is known.
    """

    code: Code | ConcernCode
    data: Mapping[str, Any] = {}
    until_ms: int | None = None
    by: str | None = None
    since_ms: int | None = None


# A job


def of_job(facts: Facts, job: JobFacts) -> list[Reason]:
    """Return why a job does not run; none: it runs, or only others go before it."""
    if job.job.status in TERMINAL:
        return [_ended(job)]
    if job.job.status is Status.IN_PROGRESS:
        silence = of_worker(facts, job.leased_by, job.job.worker)
        return [silence] if silence else list(_prefetched(facts, job))
    found = [*_dependencies(job), *_waits(job), *_time(facts, job), *_held(facts, job.next)]
    if job.is_due:
        found += _limits(facts, job.next)
    return found or list(_no_place(facts, job))


def of_worker(facts: Facts, incarnation: str | None, name: str | None) -> Reason | None:
    """Return that the worker of a leased job is silent or gone, so that the job may not run."""
    for worker in facts.workers:
        if worker.incarnation == incarnation:
            if not worker.silent:
                return None
            data = {"for_s": worker.heartbeat_age_s or 0.0, "dead_after_s": facts.dead_after_s}
            return Reason(Code.WORKER_SILENT, {"worker": name, **data}, by=name)
    if incarnation is None or incarnation in facts.watched:
        return None
    return Reason(Code.WORKER_GONE, {"worker": name, "nothing_runs": not facts.workers}, by=name)


def _ended(facts: JobFacts) -> Reason:
    job = facts.job
    data = {
        "status": job.status,
        "error": job.error,
        "is_cancelled": job.was_cancelled,
        "cancelled": facts.cancelled,
    }
    return Reason(Code.ENDED, data)


def _prefetched(facts: Facts, job: JobFacts) -> Iterator[Reason]:
    """Yield that a leased job waits for a place of its worker."""
    own = [worker for worker in facts.workers if worker.incarnation == job.leased_by]
    places = own[0].places if own else 1
    if len(job.leased_before) >= places:
        by = _names(facts, own)[0] if own else job.job.worker
        data = {"worker": by, "jobs": [f"job {id}" for id in job.leased_before]}
        yield Reason(Code.PREFETCHED, data, by=by)


def _dependencies(job: JobFacts) -> Iterator[Reason]:
    for other in job.dependencies:
        data = {"id": other.id, "type": other.type, "status": other.status}
        yield Reason(Code.DEPENDENCY, data, by=f"job {other.id}")
    others = job.children_left + _waits_for_signal(job)
    if (more := job.waits_for - len(job.dependencies) - others) > 0:
        yield Reason(Code.DEPENDENCY, {"more": more})


def _waits_for_signal(job: JobFacts) -> bool:
    wait = job.wait
    return wait is not None and (wait.kind, wait.state) == (StepKind.SIGNAL, StepState.WAITING)


def _waits(job: JobFacts) -> Iterator[Reason]:
    """Yield what a durable function waits for."""
    wait = job.wait
    if wait is None or job.job.status is not Status.BLOCKED:
        return
    if _waits_for_signal(job):
        data = {"signal": wait.signal, "key": wait.key}
        yield Reason(Code.SIGNAL, data, until_ms=wait.until_ms)
    if job.children_left:
        yield Reason(Code.CHILDREN, {"left": job.children_left, "all": len(set(wait.children))})


_TIMES = {
    None: Code.RUN_AT,
    Outcome.RELEASED: Code.RUN_AT,
    Outcome.SNOOZED: Code.SNOOZED,
}


def _time(facts: Facts, job: JobFacts) -> Iterator[Reason]:
    run_at_ms = job.job.run_at_ms
    if not job.is_due and run_at_ms > facts.now_ms:
        code = _TIMES.get(job.last_outcome, Code.BACKOFF)
        data: dict[str, Any] = {"attempt": job.job.attempt, "outcome": job.last_outcome}
        if code is Code.SNOOZED and job.wait is not None and job.wait.kind is StepKind.SLEEP:
            code, data = Code.SLEEP, {"name": job.wait.name}
        yield Reason(code, data, until_ms=run_at_ms)


def _held(facts: Facts, job: NextJob) -> Iterator[Reason]:
    """Yield what holds a job back for longer than a moment: its queue, the workers, its type."""
    queue = facts.queues[job.queue]
    if queue.rule.paused:
        who = (queue.pause and queue.pause.by) or "the configuration"
        data = {"queue": job.queue, "who": who, "why": queue.pause and queue.pause.reason}
        since_ms = queue.pause and queue.pause.at_ms
        yield Reason(Code.QUEUE_PAUSED, data, by=who, since_ms=since_ms)
    if job.quarantine is not None:
        data = {"type": job.type, "evidence": job.quarantine.evidence}
        is_over = {"is_released": job.quarantine.is_released}
        yield Reason(Code.QUARANTINED, data | is_over, by=f"type {job.type}")
    if job.lacks_code:
        data = {"type": job.type, "code": job.lacks_code}
        yield Reason(Code.NEWER_CODE, data, by=f"type {job.type}")
    serving = facts.serving(job.queue)
    may_serve = [pool for pool in facts.pools if pool.serves(job.queue) or not pool.queues]
    if not serving and not any(pool.ready for pool in may_serve):
        yield Reason(Code.NO_POOL, {"queue": job.queue})
    if not facts.workers:
        yield Reason(Code.NO_WORKER, {"nothing_runs": True, "moved": facts.moved})
    elif not any(pool.ready for pool in may_serve):
        yield from (_no_worker(facts, pool) for pool in serving)


def _no_worker(facts: Facts, pool: Pool) -> Reason:
    data: dict[str, Any] = {"pool": pool.name, "nothing_runs": False}
    if pool.others:
        first, *more = pool.others
        data |= {"slot": _names(facts, [first])[0], "state": first.state, "more": len(more)}
        data |= {"why": first.reason, "silent_s": first.silent and first.heartbeat_age_s}
    return Reason(Code.NO_WORKER, data, by=f"pool {pool.name}")


def _limits(facts: Facts, job: NextJob) -> Iterator[Reason]:
    """Yield the limits of the queue and of the key that have no room now."""
    queue = facts.queues[job.queue]
    of_queue, of_key = (Code.QUEUE_LIMIT, Code.QUEUE_RATE), (Code.KEY_LIMIT, Code.KEY_RATE)
    yield from _full(queue.room, of_queue, f"queue {job.queue}", job.holders)
    yield from _full(job.key_room, of_key, f"key {job.key} of queue {job.queue}", job.holders)


def _full(
    room: Room, codes: tuple[Code, Code], whose: str, holders: Sequence[int]
) -> Iterator[Reason]:
    if room.is_full:
        by = ", ".join(f"job {id}" for id in holders) or None
        yield Reason(codes[0], {"whose": whose, "most": room.max_running}, by=by)
    if room.is_spent:
        yield Reason(codes[1], {"whose": whose, "rate": room.rate}, until_ms=room.opens_ms)


def _no_place(facts: Facts, job: JobFacts) -> Iterator[Reason]:
    """Yield why no worker has room for a job that nothing else holds back; nothing if one has."""
    reasons = []
    for pool in facts.serving(job.job.queue):
        if pool.ready:
            if not pool.free:
                reasons.append(_busy(facts, pool))
            elif job.crashes and all(worker.jobs_in_progress for worker in pool.ready):
                by = ", ".join(_names(facts, pool.ready)[:MOST_NAMED])
                reasons.append(Reason(Code.RUNS_ALONE, {"pool": pool.name}, by=by))
            else:
                return
    yield from reasons[:1]


def _busy(facts: Facts, pool: Pool) -> Reason:
    places = sum(worker.places for worker in pool.ready)
    alone = _names(facts, [worker for worker in pool.ready if worker.runs_alone])
    away = _names(facts, [worker for worker in pool.others if not worker.leaves])
    data = {"pool": pool.name, "places": places, "alone": alone, "away": away}
    return Reason(Code.WORKERS_BUSY, data, by=", ".join(_names(facts, pool.ready)[:MOST_NAMED]))


def _names(facts: Facts, workers: Sequence[Worker]) -> list[str]:
    """Return the names of slots, with their hosts if there are several."""
    several = len({worker.host for worker in facts.workers}) > 1
    return [named_slot(worker, with_host=several) for worker in workers]


# A queue


def of_queue(facts: Facts, queue: QueueFacts) -> Reason | None:
    """Return why the next due job of a queue does not start; None: it starts, or none is due."""
    job, room = queue.due.first, queue.room
    if job is None:
        return None
    held = [*_held(facts, job)]
    if not held and room.max_running and room.rate and (room.is_full or room.is_spent):
        return _limited(job.queue, room)
    if found := held or [*_limits(facts, job)]:
        return found[0]
    serving = [pool for pool in facts.serving(job.queue) if pool.ready]
    if serving and not any(pool.free for pool in serving):
        return _busy(facts, serving[0])
    is_late = (facts.age_s(queue.name) or 0.0) >= LATE_S
    return _limited(job.queue, room) if is_late and (room.max_running or room.rate) else None


def _limited(queue: str, room: Room) -> Reason:
    """Return that a queue waits for its limits: all of them, so that the text stays.

    Which of them has no room changes with each job; between two jobs each may have some.
    """
    code = Code.QUEUE_LIMIT if room.max_running else Code.QUEUE_RATE
    return Reason(code, {"whose": f"queue {queue}", "most": room.max_running, "rate": room.rate})


_HELD = {
    Code.QUEUE_PAUSED: ConcernCode.QUEUE_PAUSED,
    Code.NO_POOL: ConcernCode.NO_POOL,
    Code.NO_WORKER: ConcernCode.NO_WORKER,
}


def _of_queues(facts: Facts) -> Iterator[Reason]:
    """Yield a concern for each reason why jobs of queues wait, about all queues that it holds."""
    found = [
        (reason, queue) for queue in facts.queues.values() if (reason := _concern_of(facts, queue))
    ]
    found.sort(key=lambda pair: (pair[0].code, pair[0].by or ""))
    for _, group in groupby(found, key=lambda pair: (pair[0].code, pair[0].by)):
        reasons, queues = zip(*group, strict=True)
        names = [queue.name for queue in queues]
        data = {
            "queues": names,
            "waiting": sum(queue.due.jobs for queue in queues),
            "oldest_s": max(facts.age_s(name) or 0.0 for name in names),
        }
        first = reasons[0]
        by = first.by if first.code is ConcernCode.QUEUE_LATE else f"queue {names[0]}"
        oldest_ms = min(queue.due.since_ms or facts.now_ms for queue in queues)
        since_ms = first.since_ms or oldest_ms
        yield Reason(first.code, {**first.data, **data}, by=by, since_ms=since_ms)


def _concern_of(facts: Facts, queue: QueueFacts) -> Reason | None:
    """Return why the jobs of a queue wait, if that needs a person."""
    age_s, reason = facts.age_s(queue.name), of_queue(facts, queue)
    if age_s is None or not facts.pools:  # none is due, or the caller does not know the pools
        return None
    waited_s = min(age_s, _watched_s(facts))
    if reason is not None and reason.code is Code.NO_WORKER:
        is_soon = not reason.data.get("slot") or waited_s >= START_S
        is_told = not any(map(is_ready, _workers(facts)))  # that no worker is ready
        return None if is_told or not is_soon else _as_concern(reason)
    if reason is not None and reason.code in _HELD:
        return _as_concern(reason)
    empty_in_s = queue.empty_in_s
    if waited_s < LATE_S or (empty_in_s is not None and empty_in_s <= SOON_EMPTY_S):
        return None
    code, rule = reason and reason.code, queue.rule
    if code is Code.WORKERS_BUSY or (code is None and not _is_limited(rule)):
        pools = [pool.name for pool in facts.serving(queue.name)]
        return Reason(ConcernCode.QUEUE_LATE, {"pools": pools}, by=f"pool {', '.join(pools)}")
    is_by_limit = code in (None, Code.QUEUE_LIMIT, Code.QUEUE_RATE)
    grows = queue.flow.in_per_minute > queue.flow.out_per_minute
    if is_by_limit and grows and (rule.max_running or rule.rate):
        data = {"queue": queue.name, "most": rule.max_running, "rate": rule.rate}
        return Reason(ConcernCode.QUEUE_LATE, data, by=f"queue {queue.name}")
    return None


def _is_limited(rule: QueueRow) -> bool:
    return bool(rule.max_running or rule.rate or rule.limits_keys)


def _as_concern(reason: Reason) -> Reason:
    return msgspec.structs.replace(reason, code=_HELD[Code(reason.code)])


def _watched_s(facts: Facts) -> float:
    """Return for how long a supervisor has run: while none did, no worker could run a job."""
    uptimes = [worker.uptime_s for worker in facts.workers if worker.role == Role.SUPERVISOR]
    return max((uptime_s for uptime_s in uptimes if uptime_s is not None), default=float("inf"))


def _workers(facts: Facts) -> list[Worker]:
    return [worker for worker in facts.workers if worker.role == Role.WORKER]


# The system


_SEVERITIES = {
    ConcernCode.NO_WRITES: Severity.STOPS_WORK,
    ConcernCode.STOPPING: Severity.STOPS_WORK,
    ConcernCode.NOTHING_RUNS: Severity.STOPS_WORK,
    ConcernCode.NO_WORKER_READY: Severity.STOPS_WORK,
    ConcernCode.TYPE_QUARANTINED: Severity.STOPS_WORK,
    ConcernCode.NO_POOL: Severity.STOPS_WORK,
    ConcernCode.NO_WORKER: Severity.STOPS_WORK,
    ConcernCode.LITTLE_SPACE: Severity.STOPS_WORK,
    ConcernCode.CONFIGURATION_REJECTED: Severity.COSMETIC,
    ConcernCode.WAITS_LONG: Severity.COSMETIC,
    ConcernCode.RETENTION_LATE: Severity.COSMETIC,
}
_ORDER = [*Severity]
_WORSE_BY = 1.5
"""An acknowledged problem gets worse when its size has grown by half."""


def of_system(facts: Facts, system: SystemFacts) -> list[Reason]:
    """Return what needs a person, by severity; what is acknowledged comes last."""
    found = _concerns(facts, system)
    return sorted(found, key=lambda reason: (is_known(system, reason), rank_of(reason)))


def severity_of(reason: Reason) -> Severity:
    """Return what a problem does."""
    if reason.code is ConcernCode.SLOT and reason.data["state"] in _ALARMING:
        return Severity.STOPS_WORK
    return _SEVERITIES.get(ConcernCode(reason.code), Severity.LOSES_MONEY)


def rank_of(reason: Reason) -> int:
    """Return the rank of its severity: 0 is the worst."""
    return _ORDER.index(severity_of(reason))


def size_of(reason: Reason) -> int:
    """Return how many jobs, failures or slots a problem is about."""
    sizes = (reason.data.get(name) for name in ("waiting", "failed", "times", "jobs"))
    return next((int(size) for size in sizes if size), len(reason.data.get("slots", "1")))


def subject_of(reason: Reason) -> str:
    """Return the name of what a problem is about; empty: nothing in particular."""
    return (reason.by or "").partition(" ")[2]


def is_known(system: SystemFacts, reason: Reason) -> bool:
    """Return whether a problem is acknowledged and has not become worse since."""
    known = system.acknowledged.get((reason.code, subject_of(reason)))
    if known is None or rank_of(reason) < known.severity:
        return False
    return size_of(reason) < known.size * _WORSE_BY


def _concerns(facts: Facts, system: SystemFacts) -> Iterator[Reason]:
    if system.standstill is not None:
        yield Reason(ConcernCode.NO_WRITES, {"standstill": system.standstill})
    yield from _stopping(facts)
    has_supervisor = any(worker.role is Role.SUPERVISOR for worker in facts.workers)
    if not facts.workers or (system.gone is not None and not has_supervisor):
        left = _names(facts, facts.workers)
        about = {"gone": system.gone, "moved": facts.moved, "left": left}
        yield Reason(ConcernCode.NOTHING_RUNS, about)
    yield from _none_ready(facts)
    yield from _types(facts, system)
    yield from of_slots(facts)
    yield from _of_queues(facts)
    yield from _restless(facts, system)
    yield from _silent(facts)
    for name, late_s in system.late_schedules:
        late: dict[str, Any] = {"schedule": name, "late_s": late_s}
        since_ms = facts.now_ms - round(late_s * 1000)
        yield Reason(ConcernCode.SCHEDULE_LATE, late, by=f"schedule {name}", since_ms=since_ms)
    if (waits := system.long_waits) is not None:
        data = {**waits._asdict(), "for_s": (facts.now_ms - waits.since_ms) / 1000}
        by = f"job {waits.job_id}"
        yield Reason(ConcernCode.WAITS_LONG, data, by=by, since_ms=waits.since_ms)
    yield from _storage(system)


def _stopping(facts: Facts) -> Iterator[Reason]:
    for worker in facts.workers:
        if worker.role is Role.SUPERVISOR and worker.state is SlotState.STOPPING:
            (name,), until = _names(facts, [worker]), worker.until
            left_s = None if until is None else (parse_time_ms(until) - facts.now_ms) / 1000
            data = {"slot": name, "why": worker.reason, "left_s": left_s}
            yield Reason(ConcernCode.STOPPING, data, by=f"slot {name}")


def _none_ready(facts: Facts) -> Iterator[Reason]:
    """Yield that no worker is ready, once a job has waited longer than a start takes."""
    supervisors = [w.state for w in facts.workers if w.role is Role.SUPERVISOR]
    is_stopping = supervisors and set(supervisors) == {SlotState.STOPPING}
    oldest = facts.oldest_due()
    if not facts.workers or is_stopping or oldest is None or any(map(is_ready, _workers(facts))):
        return
    if min(oldest[0], _watched_s(facts)) >= START_S:
        waiting = sum(queue.due.jobs for queue in facts.queues.values())
        yield Reason(ConcernCode.NO_WORKER_READY, {"waiting": waiting, "oldest_s": oldest[0]})


_ALARMING = (SlotState.FATAL, SlotState.STUCK)


def of_slot(worker: Worker) -> ConcernCode | None:
    """Return the concern about a slot that is fatal, stuck or degraded, or rejects a file."""
    if worker.rejected is not None:
        return ConcernCode.CONFIGURATION_REJECTED
    is_bad = worker.degraded or worker.state in _ALARMING
    return ConcernCode.SLOT if is_bad else None


def of_slots(facts: Facts) -> Iterator[Reason]:
    """Yield a rejected configuration, and what is wrong with slots, the same of several once."""
    for worker in facts.workers:
        if worker.rejected is not None:
            yield Reason(ConcernCode.CONFIGURATION_REJECTED, {"why": worker.rejected})
    bad = [worker for worker in facts.workers if of_slot(worker) is ConcernCode.SLOT]

    def what(worker: Worker) -> tuple[str, str]:
        return worker.state, worker.reason

    for (state, why), group in groupby(sorted(bad, key=what), key=what):
        workers = list(group)
        names = _names(facts, workers)
        data = {"slots": names, "state": state, "why": why, "targets": _targets(facts, workers)}
        is_program = {"is_program": workers[0].role is Role.PROGRAM}
        yield Reason(ConcernCode.SLOT, data | is_program, by=f"slot {names[0]}")


def _targets(facts: Facts, workers: Sequence[Worker]) -> str:
    """Return the slots of the first one's host as the arguments of a command."""
    host = workers[0].host
    names = " ".join(worker.slot for worker in workers[:10] if worker.host == host)
    several = len({worker.host for worker in facts.workers}) > 1
    return f"{names} --host {host}" if several else names


def _restless(facts: Facts, system: SystemFacts) -> Iterator[Reason]:
    """Yield slots whose processes fail again and again, but that are not fatal yet.

    Not those that crash in jobs of a quarantined type: that problem says it.
    """
    for worker in facts.workers:
        job = crashing_job(worker) or 0
        is_told = system.crashing.get(job) in facts.quarantined
        if is_told or worker.state in _ALARMING or worker.failed_lately < RESTARTS_LEAST:
            continue
        (name,) = _names(facts, [worker])
        data = {
            "name": name,
            "job": job,
            "type": system.crashing.get(job),
            "slot": worker.slot,
            "times": worker.failed_lately,
            "why": worker.last_failure.reason if worker.last_failure else "",
            "target": _targets(facts, [worker]),
            "is_program": worker.role is Role.PROGRAM,
        }
        failures = [exit.at for exit in worker.recent_exits if exit.failed]
        first = failures[: worker.failed_lately][-1:]  # the newest comes first
        since_ms = parse_time_ms(first[0]) if first else None
        yield Reason(ConcernCode.RESTLESS, data, by=f"slot {name}", since_ms=since_ms)


def _silent(facts: Facts) -> Iterator[Reason]:
    """Yield slots that say nothing any more, before they are taken for dead."""
    for worker in facts.workers:
        if worker.silent:
            (name,) = _names(facts, [worker])
            for_s = worker.heartbeat_age_s or 0.0
            data = {
                "slot": name,
                "for_s": for_s,
                "dead_after_s": facts.dead_after_s,
                "role": worker.role,
                "target": _targets(facts, [worker]),
            }
            since_ms = facts.now_ms - round(for_s * 1000)
            yield Reason(ConcernCode.SILENT, data, by=f"slot {name}", since_ms=since_ms)


def _types(facts: Facts, system: SystemFacts) -> Iterator[Reason]:
    """Yield types that are held back, and those that fail, the most often failing first.

    A type that never succeeds stays for an hour: five minutes may be too short to see it.
    """
    for name, quarantine in facts.quarantined.items():
        held_back = {"type": name, "evidence": quarantine.evidence}
        since_ms = quarantine.since_ms
        yield Reason(ConcernCode.TYPE_QUARANTINED, held_back, by=f"type {name}", since_ms=since_ms)
    failing = {
        name: {"failed": failed, "of": done + failed, "hour": False}
        for name, (done, failed) in system.ended.items()
        if failed >= FAILING_LEAST and failed >= FAILING_SHARE * (done + failed)
    }
    failing |= {name: {"failed": n, "of": n, "hour": True} for name, n in system.failing.items()}
    for name, data in sorted(failing.items(), key=lambda item: (-item[1]["failed"], item[0])):
        by = f"type {name}" if name else None
        if name not in facts.quarantined:
            yield Reason(ConcernCode.TYPE_FAILING, {"type": name, **data}, by=by)


def _storage(system: SystemFacts) -> Iterator[Reason]:
    if system.retention_lag_s >= LATE_S:
        yield Reason(ConcernCode.RETENTION_LATE, {"lag_s": system.retention_lag_s})
    if system.free_bytes is not None and system.free_bytes < LITTLE_SPACE_BYTES:
        data = {"mb": system.free_bytes // 1_000_000, "database": system.database}
        yield Reason(ConcernCode.LITTLE_SPACE, data)
