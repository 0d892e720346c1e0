"""Makes messages of facts, reasons and sentences."""

from collections.abc import Mapping
from typing import cast

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.processes import Role
from orpheus.shared.domain.rates import rate_text
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.shared.explain import reasons, sentences
from orpheus.shared.explain.facts import Facts, QueueFacts, SystemFacts, read_job, read_system
from orpheus.shared.explain.reasons import Reason
from orpheus.shared.messages import queues
from orpheus.shared.messages.audit import pause_of
from orpheus.shared.messages.encoding import optional_time, time_of
from orpheus.shared.messages.queues import Code, Counts, Queue, Why
from orpheus.shared.messages.status import About, Acknowledged, Concern, ConcernCode, Verdict
from orpheus.shared.messages.worker_list import workers_of
from orpheus.shared.messages.workers import is_ready
from orpheus.shared.storage import Acknowledgement, Actor, Pause, Store

_MORE_WORKERS = (1, 3)


def counts_of(counts: Mapping[Status, int]) -> Counts:
    """Return how many jobs have each status; 0 for one that `counts` lacks."""
    return cast("Counts", {status.value: counts.get(status, 0) for status in Status})


def queues_of(facts: Facts) -> list[Queue]:
    """Return the queues, by name."""
    return [_queue(facts, queue) for queue in facts.queues.values()]


def is_known(queue: Queue) -> bool:
    """Return whether a queue has had a job, is paused or has a limit."""
    limits = queue.limits
    is_limited = limits.max_running or limits.rate or limits.max_running_per_key
    has_jobs = any(queue.counts.values())
    return bool(has_jobs or queue.paused or is_limited or limits.rate_per_key)


def why_of(store: Store, facts: Facts, job_id: int) -> Why:
    """Return why a job does not run. Raises NotFound. The facts are about its queue."""
    found = reasons.of_job(facts, read_job(store, job_id))
    told = [reason_of(reason) for reason in found]
    return Why(runs=not found, reasons=told, has_steps=store.steps.any(job_id))


def reason_of(reason: Reason) -> queues.WhyReason:
    """Return a reason with its text."""
    until = optional_time(reason.until_ms)
    return queues.WhyReason(Code(reason.code), sentences.text_of(reason), until, reason.by)


def verdict_of(store: Store, facts: Facts) -> Verdict:
    """Return how the system is."""
    system = read_system(store, facts)
    found = [_concern(reason, system) for reason in reasons.of_system(facts, system)]
    known = sum(concern.acknowledged is not None for concern in found)
    staying = [w for w in facts.workers if w.role is Role.WORKER and not w.leaves]
    line = sentences.headline(
        len(found) - known,
        known,
        workers=len(staying),
        ready=sum(map(is_ready, staying)),
        has_jobs=any(any(queue.counts.values()) for queue in facts.queues.values()),
    )
    return Verdict(line, found)


def acknowledgement_of(
    store: Store, facts: Facts, code: str, subject: str | None, actor: Actor, for_s: float
) -> Acknowledgement:
    """Return an acknowledgement of a problem of now. `subject` None: of the only one of this code.

    Raises NotFound, and TransitionRefused if there are several.
    """
    concerns = reasons.of_system(facts, read_system(store, facts))
    found = [
        reason
        for reason in concerns
        if reason.code == code and subject in (None, reasons.subject_of(reason))
    ]
    if not found:
        raise NotFound(f"there is no problem {code} {subject or ''}".rstrip())
    if len(found) > 1:
        names = ", ".join(map(reasons.subject_of, found))
        raise TransitionRefused(
            f"there are several problems {code}: name the subject of one ({names})"
        )
    (reason,) = found
    return Acknowledgement(
        code,
        reasons.subject_of(reason),
        facts.now_ms + round(for_s * 1000),
        actor.name,
        actor.reason or "",
        reasons.rank_of(reason),
        reasons.size_of(reason),
    )


def slots_in_trouble(store: Store, dead_after_s: float) -> list[tuple[str, str, str]]:
    """Return the host, the slot and a sentence for each slot that needs a person, one by one."""
    workers = workers_of(store, supervised_on=None, beat_timeout_s=dead_after_s)
    found = []
    for worker in workers:
        if code := reasons.of_slot(worker):
            facts = Facts(workers=[worker])
            concerns = reasons.of_slots(facts)
            texts = [sentences.text_of(concern) for concern in concerns if concern.code is code]
            found += [(worker.host, worker.slot, text) for text in texts]
    return found


def _concern(reason: Reason, system: SystemFacts) -> Concern:
    name = reasons.subject_of(reason)
    code, acknowledged = ConcernCode(reason.code), None
    if reasons.is_known(system, reason):
        known = system.acknowledged[code, name]
        acknowledged = Acknowledged(known.by, time_of(known.until_ms), known.reason)
    return Concern(
        code,
        reasons.severity_of(reason),
        sentences.text_of(reason),
        sentences.command_of(reason),
        About(reason.by.partition(" ")[0], name) if reason.by else None,
        acknowledged,
        optional_time(reason.since_ms),
    )


def _queue(facts: Facts, queue: QueueFacts) -> Queue:
    rule, reason = queue.rule, reasons.of_queue(facts, queue)
    rate = rule.rate or rule.per_key.rate
    return Queue(
        name=queue.name,
        paused=pause_of(queue.pause or Pause()) if rule.paused else None,
        counts=counts_of(queue.counts),
        due=queue.due.jobs,
        oldest_due_s=facts.age_s(queue.name),
        in_per_minute=queue.flow.in_per_minute,
        out_per_minute=queue.flow.out_per_minute,
        limits=queues.Limits(
            rule.max_running,
            rate_text(rule.rate),
            rate.burst if rate else 1,
            rule.per_key.max_running,
            rate_text(rule.per_key.rate),
        ),
        pools=[
            queues.ServingPool(pool.name, len(pool.ready) + len(pool.others), len(pool.ready))
            for pool in facts.serving(queue.name)
        ],
        reason=reason_of(reason) if reason else None,
        empty_in_s=queue.empty_in_s,
        empty_in_s_with=_empty_in_s_with(facts, queue),
    )


def _empty_in_s_with(facts: Facts, queue: QueueFacts) -> dict[str, float]:
    """Return when it is empty with more workers: the time that its jobs run, by the places.

    Empty if the queue is paused, or no run of its jobs is known.
    """
    jobs, run_s, rule = queue.to_do, queue.flow.run_s, queue.rule
    if not jobs or run_s is None or rule.paused:
        return {}
    workers = [worker for pool in facts.serving(queue.name) for worker in pool.ready]
    each = max((worker.places for worker in workers), default=1)
    found = {}
    for more in _MORE_WORKERS:
        places = sum(worker.places for worker in workers) + more * each
        seconds = jobs * run_s / (min(places, rule.max_running) if rule.max_running else places)
        by_rate = queue.due.jobs / rule.rate.per_s if rule.rate else 0.0
        found[str(more)] = max(seconds, by_rate)
    return found
