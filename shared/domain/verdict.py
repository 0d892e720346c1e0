"""The verdict on a system: what needs a person, each with what to do, and one sentence. Pure.

The page, `orpheus status` and `GET /stats` show the same. Each had its own before, and each missed
what another one told: a paused queue with work in it, or 300 of 300 payments that failed beside a
million other jobs that did not.

What passes by itself, or is meant so, is no concern: a worker that starts, a queue that is paused
and empty, a delay of some seconds, jobs that wait for `max_running` or `rate` of their queue.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from orpheus.shared.domain.concerns import (
    LATE_S,
    MOST_REFUSED,
    START_S,
    About,
    AlertFacts,
    Concern,
    ConcernCode,
    Facts,
    RefusedRows,
    SlotFacts,
    Standstill,
    restart_of,
    waits_for_workers_s,
)
from orpheus.shared.domain.held_queues import held_queues
from orpheus.shared.domain.paces import LATELY_MINUTES
from orpheus.shared.domain.processes import (
    FAILURES_WITHIN_S,
    MOST_EXITS,
    RECENT_EXITS,
    Role,
    SlotState,
)
from orpheus.shared.domain.words import duration, jobs_wait, named

FAILING_SHARE = 0.1
FAILING_LEAST = 3
"""A type fails if so many of its jobs did lately, and so large a share."""
RESTARTS_LEAST = 3
"""A slot is restless if its processes failed so often within `FAILURES_WITHIN_S`."""
_MOST_RESTLESS = 5
"""At most so many concerns are about slots that fail."""
_MOST_COUNTED = MOST_EXITS - RECENT_EXITS
"""A slot with so many failures may have more: its latest exits take room even if they were none."""
_LATELY = f"{LATELY_MINUTES} to {LATELY_MINUTES + 1} minutes"
"""Jobs that ended are counted by whole minutes: in this one and those before it."""
LITTLE_SPACE_BYTES = 256_000_000
"""Less than this on the file system of the database is a concern."""
_LARGE_LOG_BYTES = 512 * 2**20


class SystemVerdict(msgspec.Struct, frozen=True):
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
    if not facts.workers:
        return "No worker is running."
    ready = sum(slot.ready for slot in facts.staying)
    if ready < len(facts.staying):
        return "Not every worker is ready." if ready else "Starting up."
    return "All is well." if facts.has_jobs else "Ready for the first job."


def _concerns(facts: Facts) -> Iterator[Concern]:
    yield from _no_writes(facts.standstill)
    yield from _stopping(facts.slots)
    yield from _nothing_runs(facts)
    yield from _rejection(facts.slots)
    yield from _nobody(facts)
    yield from _alerts(facts.undelivered)  # nobody is told of what follows
    yield from _slots(facts.slots)
    yield from _restless(facts)
    yield from _silent(facts)
    yield from _quarantined(facts.quarantined)
    yield from _types(facts)
    yield from _awaiting_hosts(facts.awaiting_gone_hosts)
    yield from held_queues(facts)
    yield from _schedules(facts.late_schedules)
    yield from _outboxes(facts.refused_rows)
    yield from _retention(facts.retention_lag_s)
    yield from _disk(facts)


def _no_writes(standstill: Standstill | None) -> Iterator[Concern]:
    """Yield who or what keeps all from writing: most of what follows may come of it."""
    if standstill is None:
        return
    if standstill.why:
        shown = "No job starts or ends, and each process is shown as it was before."
        text = f"{_sentence(f'Nothing can be written: {standstill.why}')} {shown}"
        yield Concern(ConcernCode.NO_WRITES, text)
        return
    who, command = "another process", None
    if standstill.pid is not None:
        runs = f" ({standstill.command})" if standstill.command else ""
        who, command = f"process {standstill.pid}{runs}", f"ps -fp {standstill.pid}"
    since = ""
    if standstill.for_s is not None:
        since = f", and nothing has been written for {duration(standstill.for_s)}"
    text = f"No write can begin: {who} holds the database's write lock{since}."
    yield Concern(ConcernCode.NO_WRITES, text, command)


def _stopping(slots: Sequence[SlotFacts]) -> Iterator[Concern]:
    for slot in slots:
        if slot.role is Role.SUPERVISOR and slot.state is SlotState.STOPPING:
            who = "Orpheus" if slot.name == slot.target else f"The {slot.name}"
            why = f" ({slot.reason})" if slot.reason else ""
            end = _end(slot.left_s)
            text = f"{who} is stopping{why}: {end}nothing is started or restarted any more."
            yield Concern(ConcernCode.STOPPING, text, about=About("slot", slot.name))


def _end(left_s: float | None) -> str:
    """Return when a supervisor that is stopping has ended at the latest."""
    if left_s is None:
        return ""
    whole_s = round(left_s)
    if whole_s < 0:
        return f"it should have ended {duration(-whole_s)} ago, and "
    return f"it ends {f'within {duration(whole_s)}' if whole_s else 'now'}, and "


def _nothing_runs(facts: Facts) -> Iterator[Concern]:
    gone = "" if facts.gone is None else f"the supervisor (process {facts.gone}) is gone"
    if facts.moved and not facts.slots:
        yield Concern(ConcernCode.NOTHING_RUNS, _sentence(f"Nothing runs: {facts.moved}"))
    elif not facts.slots:
        text = f"Nothing runs: {gone}." if gone else "Nothing runs."
        yield Concern(ConcernCode.NOTHING_RUNS, text, "orpheus")
    elif facts.left:
        end = f"{named(facts.left)} {'is' if len(facts.left) == 1 else 'are'} about to end"
        text = f"{gone[:1].upper()}{gone[1:]}: {end}, and nothing is started."
        yield Concern(ConcernCode.NOTHING_RUNS, text, "orpheus")


def _nobody(facts: Facts) -> Iterator[Concern]:
    """Yield that no worker is ready, once a job has waited longer than a start takes."""
    supervisors = [slot.state for slot in facts.slots if slot.role is Role.SUPERVISOR]
    are_all_stopping = supervisors and set(supervisors) == {SlotState.STOPPING}
    if are_all_stopping or (facts.pools and facts.are_unwanted):
        return  # that, or the concerns of the queues, which say by whom, tell why
    queues = [queue for queue in facts.queues if not queue.paused]
    oldest_s = max((queue.oldest_s or 0.0 for queue in queues), default=0.0)
    is_long = waits_for_workers_s(oldest_s, facts.workers) >= START_S
    if facts.slots and not facts.is_any_ready and is_long:
        waiting = jobs_wait(sum(queue.waiting for queue in queues))
        text = f"No worker is ready, and {waiting}, the first for {duration(oldest_s)}."
        yield Concern(ConcernCode.NO_WORKER_READY, text, "orpheus workers")


def _rejection(slots: Sequence[SlotFacts]) -> Iterator[Concern]:
    for slot in slots:
        if slot.rejects:
            rejected = "The configuration was rejected, so the one before it is in force"
            text = f"{rejected}: {slot.reason}"
            command = "orpheus config check --modules"  # it may be a module that it rejects
            yield Concern(ConcernCode.CONFIGURATION_REJECTED, text, command)


_ALARMING = {
    SlotState.FATAL: "failed (fatal)",
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
        restart = restart_of([slot.target for slot in group])
        command = restart if first.state in _ALARMING else None
        if first.state is SlotState.FATAL and first.role is Role.PROGRAM:
            command = _what_happened(first)  # started again, it would end the same way
        names = named([slot.name for slot in group])
        each = what if len(group) == 1 else f"each {what}".replace("each is", "are each", 1)
        text = _sentence(f"{names} {each}")
        yield Concern(ConcernCode.SLOT, text, command, About("slot", first.name))


def _restless(facts: Facts) -> Iterator[Concern]:
    """Yield a concern for each pool with slots that fail again and again, but are not given up yet.

    The pool that failed last comes first. If there are very many, the rest share one concern.
    """
    restless = [
        slot
        for slot in facts.slots
        if slot.state not in _ALARMING and slot.failed_exits >= RESTARTS_LEAST
    ]
    alike: dict[tuple[Role, str | None], list[SlotFacts]] = {}
    for slot in restless:
        alike.setdefault((slot.role, slot.pool), []).append(slot)
    groups = sorted(alike.values(), key=lambda group: _ago_s(_latest(group)))
    if len(groups) > _MOST_RESTLESS:
        rest = {slot.name for group in groups[_MOST_RESTLESS - 1 :] for slot in group}
        groups[_MOST_RESTLESS - 1 :] = [[slot for slot in restless if slot.name in rest]]
    for group in groups:
        latest = _latest(group)
        names = named([slot.name for slot in group])
        which = f" {latest.name}" if len(group) > 1 else ""
        last = ""
        if latest.last_exit_ago_s is not None:
            ago = duration(round(latest.last_exit_ago_s))
            last = f", most recently{which} {ago} ago: {latest.last_exit}"
        text = _sentence(f"{names} failed {_times(group)} in the last {_counted_for(group)}{last}")
        about = About("slot", latest.name)
        yield Concern(ConcernCode.RESTLESS, text, _what_happened(latest), about)


def _what_happened(slot: SlotFacts) -> str:
    """Return what tells why a slot fails: the output of a program, the whole exits of another."""
    if slot.role is Role.PROGRAM:
        return f"orpheus logs {slot.target}"
    return f"orpheus workers {slot.target.partition(' ')[0]}"  # it shows those of all hosts


def _latest(restless: Sequence[SlotFacts]) -> SlotFacts:
    return min(restless, key=_ago_s)


def _ago_s(slot: SlotFacts) -> float:
    return math.inf if slot.last_exit_ago_s is None else slot.last_exit_ago_s


def _times(restless: Sequence[SlotFacts]) -> str:
    are_all = all(slot.failed_exits < _MOST_COUNTED for slot in restless)
    return f"{'' if are_all else 'at least '}{sum(slot.failed_exits for slot in restless):,} times"


def _counted_for(restless: Sequence[SlotFacts]) -> str:
    """Return for how long failures are counted: what an earlier supervisor has seen is not known.

    It is rounded up, as all of them lie within it.
    """
    watched_s = [slot.watched_s for slot in restless if slot.watched_s is not None]
    known_s = max(watched_s, default=FAILURES_WITHIN_S)
    if known_s >= FAILURES_WITHIN_S:
        return f"{round(FAILURES_WITHIN_S / 60)} minutes"
    return duration(math.ceil(known_s))


def _silent(facts: Facts) -> Iterator[Concern]:
    """Yield slots that say nothing any more, before they are taken for dead."""
    silent = [slot for slot in facts.slots if slot.silent]
    yield from _hung(silent)
    silent = [slot for slot in silent if slot.role is not Role.SUPERVISOR]
    if silent:
        first, are_several = silent[0], len(silent) > 1
        longest_s = max(slot.silent_s or 0.0 for slot in silent)
        then = ""
        if longest_s < facts.silent_after_s:  # else the supervisor, which would do it, hangs too
            they_are = "they are" if are_several else "it is"
            then = f"; after {duration(facts.silent_after_s)} {they_are} taken for dead"
        names, have = named([slot.name for slot in silent]), "have" if are_several else "has"
        text = f"{names} {have} sent no heartbeat for {duration(longest_s)}{then}."
        has_stack = first.role in (Role.WORKER, Role.API)
        command = f"orpheus stack {first.target}" if has_stack else "orpheus workers"
        yield Concern(ConcernCode.SILENT, text, command, About("slot", first.name))


def _hung(silent: Sequence[SlotFacts]) -> Iterator[Concern]:
    """Yield each supervisor that is silent: nobody takes it for dead and replaces it."""
    for slot in silent:
        if slot.role is Role.SUPERVISOR:
            text = (
                f"The {slot.name} has sent no heartbeat for {duration(slot.silent_s or 0.0)}: "
                "until it does, nothing is started, restarted or stopped."
            )
            command = f"orpheus workers {slot.target.partition(' ')[0]}"
            yield Concern(ConcernCode.SILENT, text, command, About("slot", slot.name))


def _quarantined(types: Sequence[tuple[str, str]]) -> Iterator[Concern]:
    for name, evidence in types:
        text = f"Type {name} is quarantined until it is mended: {evidence}"
        command, about = f"orpheus release {name}", About("type", name)
        yield Concern(ConcernCode.TYPE_QUARANTINED, _sentence(text), command, about)


def _types(facts: Facts) -> Iterator[Concern]:
    """Yield types that fail, those that failed most often first.

    A type that never succeeds stays for an hour: within five minutes nobody might see it.
    """
    failing = {
        name: (failed, f"{failed:,} of the {done + failed:,} times", _LATELY)
        for name, (done, failed) in facts.ended.items()
        if failed >= FAILING_LEAST and failed >= FAILING_SHARE * (done + failed)
    }
    failing |= {
        name: (failed, f"all {failed:,} times", "hour") for name, failed in facts.failing.items()
    }
    for name, (_, times, lately) in sorted(failing.items(), key=lambda one: (-one[1][0], one[0])):
        jobs = name or "types that are not described"
        text = f"Jobs of {jobs} failed {times} that they ended in the last {lately}."
        about = About("type", name) if name else None
        yield Concern(ConcernCode.TYPE_FAILING, text, "orpheus errors", about)


def _awaiting_hosts(types: Sequence[str]) -> Iterator[Concern]:
    """Yield types of which jobs wait for code that no host has which is there."""
    for name in types:
        text = (
            f"Jobs of type {name} wait for code that only a host has which is gone: start it, or "
            "deploy that code to another."
        )
        command = f"orpheus jobs --type {name} --status pending"
        yield Concern(ConcernCode.TYPE_AWAITS_HOST, text, command, About("type", name))


def _schedules(late: Sequence[tuple[str, float]]) -> Iterator[Concern]:
    for name, late_s in late:
        text = f"Schedule {name} should have fired {duration(late_s)} ago, and has not."
        yield Concern(ConcernCode.SCHEDULE_LATE, text, "orpheus schedules", About("schedule", name))


def _outboxes(refused: Mapping[str, RefusedRows]) -> Iterator[Concern]:
    """Yield outboxes with refused rows: each is no job until a person corrects it."""
    for name, (rows, first_id, reason) in refused.items():
        what, first, them = "a row was refused", "", "it"
        if rows > 1:
            least = "at least " if rows >= MOST_REFUSED else ""
            what, first, them = f"{least}{rows:,} rows were refused", " the first,", "them"
        why = _sentence(f"Outbox {name}: {what},{first} with id {first_id}: {reason}")
        text = f"{why} Correct {them} and set refused_at to NULL, or delete {them}."
        yield Concern(ConcernCode.OUTBOX_ROWS_REFUSED, text, about=About("outbox", name))


def _alerts(undelivered: Sequence[AlertFacts]) -> Iterator[Concern]:
    """Yield rules whose alerts reach nobody. One that is still tried may get there by itself."""
    for one in undelivered:
        if not one.needs_person:
            continue
        what, have = f"An alert of rule {one.name}", "has"
        if one.alerts > 1:
            what, have = f"{one.alerts:,} alerts of rule {one.name}", "have"
        since = f"{', the first' if one.alerts > 1 else ''} for {duration(one.since_s)}"
        if one.job_id is None:
            why = (
                "the log says why (alert_refused)"
                if one.has_failed
                else "nothing looks at the rules"
            )
            text = f"{what} {have} been due{since}, but no job: {why}"
            command = "orpheus alerts"
        else:
            text = f"{what} {have} not been delivered{since}: {one.reason}"
            command = f"orpheus show {one.job_id}"
        about = About("alert", one.name)
        yield Concern(ConcernCode.ALERT_UNDELIVERED, _sentence(text), command, about)


def _retention(lag_s: float) -> Iterator[Concern]:
    """Yield that rows expire faster than they are deleted: the database grows."""
    if lag_s >= LATE_S:
        text = (
            "Jobs and events expire faster than they are deleted: the oldest should have gone "
            f"{duration(lag_s)} ago."
        )
        yield Concern(ConcernCode.RETENTION_LATE, text)


def _disk(facts: Facts) -> Iterator[Concern]:
    if facts.free_bytes is not None and facts.free_bytes < LITTLE_SPACE_BYTES:
        free = f"{facts.free_bytes // 1_000_000:,} MB"
        yield Concern(ConcernCode.LITTLE_SPACE, f"Only {free} are free where {facts.database} is.")
    if facts.log_bytes > _LARGE_LOG_BYTES:
        text = (
            f"The write-ahead log has {facts.log_bytes // 2**20:,} MiB, because a program keeps a "
            "read transaction open."
        )
        yield Concern(ConcernCode.LARGE_LOG, text)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
