"""What needs a person, as the page, GET /stats and the command line show it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from typing_extensions import TypedDict

from orpheus.shared.domain.concerns import (
    FAILING_MINUTES,
    STANDSTILL_MINUTES,
    About,
    ConcernCode,
    Facts,
    QueueFacts,
    SlotFacts,
)
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.paces import LATELY_MINUTES
from orpheus.shared.domain.processes import Role
from orpheus.shared.domain.rooms import FREE
from orpheus.shared.domain.schedules import LATE_MS, overdue_tick_ms
from orpheus.shared.domain.verdict import FAILING_LEAST, verdict
from orpheus.shared.domain.why import Pause
from orpheus.shared.domain.words import by_whom
from orpheus.shared.moments import parse_time_ms
from orpheus.shared.storage import QueueRow, Store
from orpheus.shared.views.alerts import undelivered_alerts
from orpheus.shared.views.pools import scaled_by
from orpheus.shared.views.workers import (
    DrainedBy,
    Worker,
    gone_supervisors,
    is_ready,
    named_slot,
    workers_json,
)

_OF_A_SLOT = frozenset({ConcernCode.SLOT, ConcernCode.CONFIGURATION_REJECTED})
_OF_THE_SYSTEM = _OF_A_SLOT | {
    ConcernCode.NO_WRITES,
    ConcernCode.NOTHING_RUNS,
    ConcernCode.NO_WORKER_READY,
    ConcernCode.RESTLESS,
    ConcernCode.SILENT,
    ConcernCode.SCHEDULE_LATE,
    ConcernCode.ALERT_UNDELIVERED,
    ConcernCode.RETENTION_LATE,
    ConcernCode.LITTLE_SPACE,
    ConcernCode.LARGE_LOG,
}


class ConcernAbout(TypedDict):
    """What a concern is about and its name.

    It is a `queue`, `type`, `slot`, `schedule`, `outbox` or `alert`.
    """

    kind: str
    name: str


class ConcernEntry(TypedDict):
    """One thing that needs a person."""

    code: ConcernCode
    text: str
    """A sentence."""
    command: str | None
    """What may mend it, or tells more: `orpheus resume mail`."""
    about: ConcernAbout | None


class VerdictEntry(TypedDict):
    """How the system is."""

    headline: str
    concerns: list[ConcernEntry]
    """The most urgent first."""


def verdict_json(
    store: Store,
    workers: Sequence[Worker],
    pools: Mapping[str, Sequence[str]],
    beat_timeout_s: float,
    oldest_s: Mapping[str, float],
) -> VerdictEntry:
    """Return how the system is.

    `pools`: the queues that each pool serves; `oldest_s`: see `Waiting.oldest_pending_by_queue`.
    """
    found = verdict(_facts(store, workers, pools, beat_timeout_s, oldest_s))
    return {
        "headline": found.headline,
        "concerns": [
            {
                "code": one.code,
                "text": one.text,
                "command": one.command,
                "about": None if one.about is None else _about(one.about),
            }
            for one in found.concerns
        ],
    }


def _about(about: About) -> ConcernAbout:
    return {"kind": about.kind, "name": about.name}


def _facts(
    store: Store,
    workers: Sequence[Worker],
    pools: Mapping[str, Sequence[str]],
    beat_timeout_s: float,
    oldest_s: Mapping[str, float],
) -> Facts:
    with store.snapshot():
        now_ms = store.clock.wall_ms()
        counts = store.stats.counts_by_queue()
        ended = store.stats.finished_by_type(LATELY_MINUTES)
        gone = gone_supervisors(store, store.processes.all())
        return Facts(
            slots=_slots(workers, now_ms),
            queues=list(_queues(store, counts, oldest_s)),
            pools=pools,
            scaled_to_0=dict(_scaled_to_0(store, workers, pools)),
            ended={
                name: (by_status.get(Status.DONE, 0), by_status.get(Status.FAILED, 0))
                for name, by_status in ended.items()
            },
            failing=store.stats.only_failed(FAILING_MINUTES, FAILING_LEAST),
            quarantined=[(one.type, one.evidence) for one in store.quarantines.all()],
            awaiting_gone_hosts=store.versions.awaiting_gone_hosts(),
            late_schedules=list(_late_schedules(store, now_ms)),
            refused_rows=store.outboxes.refused_now(),
            undelivered=undelivered_alerts(store, now_ms),
            retention_lag_s=_retention_lag_s(store, workers),
            standstill=store.maintenance.standstill(),
            moved=store.moves.says,
            gone=gone[-1].pid if gone else None,
            left=_left(store, workers) if gone else (),
            silent_after_s=beat_timeout_s,
            free_bytes=store.maintenance.free_bytes(),
            database=store.state.database,
            log_bytes=store.maintenance.wal_bytes(),
            has_jobs=any(n for by_status in counts.values() for n in by_status.values()),
        )


def _scaled_to_0(
    store: Store, workers: Sequence[Worker], pools: Iterable[str]
) -> Iterator[tuple[str, str]]:
    there = {one["pool"] for one in workers if not one["leaves"]}
    hosts = {one["host"] for one in workers}
    for pool in pools:
        if pool not in there and (scaled := scaled_by(store, "pool", pool, 0, hosts)):
            yield pool, by_whom(scaled["by"], scaled["reason"])


def _slots(workers: Sequence[Worker], now_ms: int) -> list[SlotFacts]:
    watched_s = {one["host"]: one["uptime_s"] for one in workers if one["role"] == Role.SUPERVISOR}
    several = len({one["host"] for one in workers}) > 1
    return [_slot(one, watched_s.get(one["host"]), now_ms, several=several) for one in workers]


def _slot(worker: Worker, watched_s: float | None, now_ms: int, *, several: bool) -> SlotFacts:
    name, host = worker["slot"], worker["host"]
    failed = worker["last_failure"]
    until = worker["until"]
    return SlotFacts(
        name=named_slot(worker, with_host=several),
        role=worker["role"],
        pool=worker["pool"],
        state=worker["state"],
        degraded=worker["degraded"],
        reason=worker["rejected"] or worker["reason"],
        target=f"{name} --host {host}" if several else name,
        rejects=worker["rejected"] is not None,
        ready=is_ready(worker),
        silent=worker["silent"],
        runs_alone=worker["runs_alone"],
        leaves=worker["leaves"],
        drained_by=_drained_by(worker["drained"]),
        silent_s=worker["heartbeat_age_s"],
        failed_exits=worker["failed_lately"],
        last_exit=failed["reason"] if failed else "",
        last_exit_ago_s=_ago_s(failed["at"], now_ms) if failed else None,
        watched_s=watched_s,
        left_s=None if until is None else (parse_time_ms(until) - now_ms) / 1000,
    )


def _ago_s(moment: str, now_ms: int) -> float:
    return max(0, now_ms - parse_time_ms(moment)) / 1000


def _left(store: Store, workers: Sequence[Worker]) -> list[str]:
    """Return the slots whose processes still run though the supervisor that started them died."""
    if any(one["role"] == Role.SUPERVISOR for one in workers):
        return []
    started = {one.incarnation for one in store.processes.slots() if one.incarnation}
    return [one["slot"] for one in workers if one["incarnation"] in started]


def _drained_by(drained: DrainedBy | None) -> str | None:
    return None if drained is None else by_whom(drained["by"], drained["reason"])


def _queues(
    store: Store, counts: Mapping[str, Mapping[Status, int]], oldest_s: Mapping[str, float]
) -> Iterator[QueueFacts]:
    rules = {row.name: row for row in store.queues.all()}
    pauses = store.standings.pauses()
    ended = store.stats.ran_by_queue(STANDSTILL_MINUTES)
    ended_lately = store.stats.ran_by_queue(LATELY_MINUTES)
    runs_per_s = store.stats.runs_per_s()
    rooms = store.queues.rooms()
    due = store.waiting.due_by_queue(pauses) if pauses else {}
    for name, by_status in sorted(counts.items()):
        waiting = due[name].jobs if name in due else by_status[Status.PENDING]
        if not waiting:
            continue
        rule = rules.get(name, QueueRow(name, paused=False, max_running=0, rate=None))
        yield QueueFacts(
            name=name,
            waiting=waiting,
            running=by_status[Status.IN_PROGRESS],
            oldest_s=oldest_s.get(name),
            paused=rule.paused,
            paused_by=_paused_by(pauses[name]) if rule.paused else "",
            max_running=rule.max_running,
            rate=rule.rate,
            waits_for_rate=rooms.get(name, FREE).is_spent,
            ended=ended.get(name, 0),
            ended_lately=ended_lately.get(name, 0),
            runs_per_s=runs_per_s.get(name, 0.0),
        )


def _paused_by(pause: Pause) -> str:
    return by_whom(pause.by or "the configuration", pause.reason)


def _retention_lag_s(store: Store, workers: Sequence[Worker]) -> float:
    """Return by how much deleting is late, if that grows, as the supervisor that leads tells."""
    hosts = {one["host"] for one in workers if one["role"] == Role.SUPERVISOR}
    gauges = [store.supervision.gauges(host) for host in sorted(hosts)]
    late_s = [told["retention_lag_s"] for told in gauges if told.get("retention_grows")]
    return max(late_s, default=0.0)


def _late_schedules(store: Store, now_ms: int) -> Iterator[tuple[str, float]]:
    for row in store.schedules.all():
        tick_ms = overdue_tick_ms(row.tick_ms, now_ms, LATE_MS, paused=row.paused)
        if tick_ms is not None:
            yield row.definition.name, (now_ms - tick_ms) / 1000


def trouble(store: Store, beat_timeout_s: float) -> list[str]:
    """Return a sentence for each concern about the system; not for those about what jobs do."""
    workers = workers_json(store, supervised_on=None, beat_timeout_s=beat_timeout_s)
    oldest_s = store.waiting.oldest_pending_by_queue()
    found = verdict(_facts(store, workers, {}, beat_timeout_s, oldest_s))
    return [one.text for one in found.concerns if one.code in _OF_THE_SYSTEM]


def slots_in_trouble(store: Store, beat_timeout_s: float) -> list[tuple[str, str, str]]:
    """Return the host, the slot and a sentence for each slot that needs a person, one by one."""
    workers = workers_json(store, supervised_on=None, beat_timeout_s=beat_timeout_s)
    now_ms = store.clock.wall_ms()
    return [
        (one["host"], one["slot"], concern.text)
        for one, slot in zip(workers, _slots(workers, now_ms), strict=True)
        for concern in verdict(Facts([slot])).concerns
        if concern.code in _OF_A_SLOT
    ]
