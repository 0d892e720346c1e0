"""Lists workers and programs: slots, and processes without one.

The supervisor's rows count only while it runs; otherwise a database that it left behind would show
its workers for ever. If processes that it started still send heartbeats, it runs or hangs. A
process that runs alone is judged by its heartbeat row only. With several hosts, the slots of one
whose supervisor has vanished are shown as lost, until the host is forgotten.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from orpheus.shared.domain import jobs
from orpheus.shared.domain.processes import (
    FAILURES_WITHIN_S,
    RECENT_EXITS,
    Order,
    ProcessRecord,
    Role,
    SlotRecord,
    SlotState,
    is_silent,
)
from orpheus.shared.messages.encoding import optional_time, time_of
from orpheus.shared.messages.jobs import running_job_of
from orpheus.shared.messages.workers import Failure, Worker, exit_of, reason_of
from orpheus.shared.moments import rfc3339
from orpheus.shared.process.clock import is_alive
from orpheus.shared.process.supervisor_lock import is_gone, is_held
from orpheus.shared.storage import Standstill, Store


def workers_of(store: Store, *, supervised_on: str | None, beat_timeout_s: float) -> list[Worker]:
    """Return every slot, then every process that beats and has no slot, as GET /workers does.

    `supervised_on`: the host whose supervisor started this process, so there certainly is one; None
    if none did. Heartbeats are rows, so while nobody can write, no process counts as silent.
    """
    standstill = store.maintenance.standstill()
    with store.snapshot():
        slots = store.processes.slots()
        records = store.processes.all()
        running = store.jobs.running()
        drained_by = {
            slot: store.audit.drained_by(slot) for slot in slots if slot.order is Order.DRAINED
        }
    ages_s = _ages_s(store, records, standstill)
    gone = gone_supervisors(store, records)
    dead = _dead_with(gone, slots, records)
    beating = {
        record.incarnation: record
        for record in records
        if ages_s.get(record.incarnation, beat_timeout_s) < beat_timeout_s
        and record.incarnation not in dead
    }
    now_ms, supervisors = store.clock.wall_ms(), [x for x in records if x.role is Role.SUPERVISOR]
    supervised = {
        supervised_on,
        *(supervisor.host for supervisor in supervisors if supervisor.incarnation in beating),
    }
    supervised |= _hosts_of_hung(store, slots, supervisors, beating) - {
        supervisor.host for supervisor in gone
    }
    heard_ms = {
        supervisor.host: now_ms - round(1000 * ages_s[supervisor.incarnation])
        for supervisor in sorted(supervisors, key=lambda supervisor: supervisor.last_beat_mono_ms)
        if store.has_many_hosts and supervisor.host not in supervised
    }
    lost = [
        _lost(slot, heard_ms[slot.host])
        for slot in slots
        if slot.host in heard_ms and slot.incarnation not in beating
    ]
    slots = [*(slot for slot in slots if slot.host in supervised), *lost]
    # A process that its slot has replaced, and that only finishes what it began, is not shown.
    names = {(slot.host, slot.slot) for slot in slots}
    alone = [
        _slot_of(process)
        for process in beating.values()
        if (process.host, process.slot) not in names
    ]
    told_s = {} if standstill else ages_s
    known = {process.incarnation: process for process in records}
    return [
        _worker_of(slot, known, told_s, running, now_ms, beat_timeout_s, drained_by.get(slot, ""))
        for slot in [*slots, *alone]
    ]


def _ages_s(
    store: Store, records: Iterable[ProcessRecord], standstill: Standstill | None
) -> dict[str, float]:
    """Return how long each process has been silent while it could have written a heartbeat."""
    ages_s = {
        record.incarnation: age_ms / 1000
        for record in records
        if (age_ms := store.processes.silent_ms(record)) is not None
    }
    mute_s = 0.0
    if standstill:  # if it is unknown for how long: since the last heartbeat
        known_s = standstill.for_s
        mute_s = min(ages_s.values(), default=0.0) if known_s is None else known_s
    return {incarnation: max(0.0, age_s - mute_s) for incarnation, age_s in ages_s.items()}


def gone_supervisors(store: Store, records: Iterable[ProcessRecord]) -> list[ProcessRecord]:
    """Return the supervisors of this host that certainly no longer run, but have left their row."""
    return [
        record
        for record in records
        if record.role is Role.SUPERVISOR and is_gone(store.state.lock, record.incarnation)
    ]


def _dead_with(
    gone: Sequence[ProcessRecord], slots: Iterable[SlotRecord], records: Iterable[ProcessRecord]
) -> set[str]:
    """Return the incarnations of supervisors that are gone and of what died with them.

    The kernel ends what a supervisor has started with it; what still runs then is about to end.
    """
    hosts = {supervisor.host for supervisor in gone}
    started = {slot.incarnation for slot in slots if slot.host in hosts}
    ended = {
        record.incarnation
        for record in records
        if record.incarnation in started and not is_alive(record.pid, record.create_time_s)
    }
    return ended | {supervisor.incarnation for supervisor in gone}


def _hosts_of_hung(
    store: Store,
    slots: Iterable[SlotRecord],
    supervisors: Iterable[ProcessRecord],
    beating: Mapping[str, ProcessRecord],
) -> set[str]:
    """Return the hosts with a running supervisor, even a silent one: its lock or processes show it.

    With several hosts there is none: the slots of a silent supervisor are lost.
    """
    if store.has_many_hosts:
        return set()
    held = {
        supervisor.host
        for supervisor in supervisors
        if is_held(store.state.lock, supervisor.incarnation)
    }
    return held | {slot.host for slot in slots if slot.incarnation in beating}


def _lost(slot: SlotRecord, heard_ms: int) -> SlotRecord:
    """Return a slot of a host that has vanished; `heard_ms`: when its supervisor last beat."""
    return replace(
        slot,
        state=SlotState.DOWN,
        degraded=True,
        reason=f"lost: nothing was heard of {slot.host} since {rfc3339(heard_ms)}",
        pid=None,
        incarnation=None,
        cpu_percent=None,
        rss_bytes=None,
        rejected=None,
        until_ms=None,
        order=Order.LOST,
        waits="",
    )


def _slot_of(record: ProcessRecord) -> SlotRecord:
    """Return the slot that a process without a supervisor would have."""
    return SlotRecord(
        host=record.host,
        slot=record.slot,
        pool=record.pool,
        role=record.role,
        state=SlotState.READY if record.ready else SlotState.STARTING,
        degraded=False,
        reason="runs without a supervisor",
        pid=record.pid,
        incarnation=record.incarnation,
        started_at_ms=record.started_at_ms,
    )


def _worker_of(
    slot: SlotRecord,
    known: Mapping[str, ProcessRecord],
    ages_s: Mapping[str, float],
    running: Mapping[str, jobs.RunningJob],
    now_ms: int,
    beat_timeout_s: float,
    drained_by: str,
) -> Worker:
    record = known.get(slot.incarnation or "")  # of one that is silent: what it said last
    exits = tuple(exit_of(exit) for exit in slot.exits[:RECENT_EXITS])
    since_ms = now_ms - FAILURES_WITHIN_S * 1000
    failed = [exit for exit in slot.exits if exit.failed and exit.at_ms >= since_ms]
    job = running.get(slot.incarnation or "")
    places = record.places if record else 1
    age_s = ages_s.get(slot.incarnation or "")
    return Worker(
        host=slot.host,
        slot=slot.slot,
        role=slot.role,
        pool=slot.pool,
        state=slot.state,
        degraded=slot.degraded,
        reason=reason_of(slot, drained_by),
        order=slot.order,
        waits=slot.waits,
        why=slot.reason,
        rejected=slot.rejected,
        pid=slot.pid,
        incarnation=slot.incarnation,
        job=running_job_of(job),
        jobs_in_progress=0 if job is None else job.in_progress,
        places=places,
        runs_alone=places > 1 and job is not None and job.crashes > 0,
        heartbeat_age_s=None if age_s is None else round(age_s, 1),
        silent=is_silent(slot.state, age_s, beat_timeout_s),
        cpu_percent=slot.cpu_percent,
        rss_bytes=slot.rss_bytes,
        uptime_s=_uptime_s(slot.started_at_ms, now_ms) if slot.pid else None,
        jobs_done=record.jobs_done if record else 0,
        restarts=slot.restarts,
        last_exit=exits[0] if exits else None,
        last_failure=Failure(at=time_of(failed[0].at_ms), reason=failed[0].reason)
        if failed
        else None,
        leaves=slot.leaves,
        ended=slot.has_ended,
        until=optional_time(slot.until_ms),
        recent_exits=exits,
        failed_lately=len(failed),
    )


def _uptime_s(started_at_ms: int | None, now_ms: int) -> float | None:
    return None if started_at_ms is None else max(0.0, round((now_ms - started_at_ms) / 1000, 1))
