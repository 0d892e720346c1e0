"""Reads what explanations need, in one snapshot of the database."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.domain.processes import Role
from orpheus.shared.domain.quarantine import Quarantine
from orpheus.shared.domain.rooms import FREE, Room
from orpheus.shared.domain.schedules import LATE_MS, overdue_tick_ms
from orpheus.shared.domain.serving import serves
from orpheus.shared.domain.steps import LongWaits
from orpheus.shared.messages.worker_list import gone_supervisors
from orpheus.shared.messages.workers import Worker, is_ready
from orpheus.shared.process.clock import is_alive
from orpheus.shared.storage import (
    LATELY_MINUTES,
    Acknowledgement,
    DueInQueue,
    Flow,
    JobFacts,
    Pause,
    QueueRow,
    Standstill,
    Store,
)

FAILING_MINUTES = 60
"""How far back jobs that failed count."""
FAILING_LEAST = 3
"""A type that fails has failed this often."""

_USUAL_QUEUE: str = NewJob._field_defaults["queue"]

Pools = Mapping[str, Sequence[str]]
"""The queues that each pool of the configuration serves."""


class Pool(msgspec.Struct, frozen=True):
    """A pool with its workers."""

    name: str
    queues: Sequence[str]
    """Empty: not known, as only the configuration of another host names the pool."""
    ready: Sequence[Worker] = ()
    others: Sequence[Worker] = ()

    @property
    def free(self) -> int:
        """How many more jobs its ready workers could run now."""
        return sum(free_places(worker) for worker in self.ready)

    def serves(self, queue: str) -> bool:
        """Return whether its workers lease jobs of `queue`."""
        return serves(self.queues, queue)


def free_places(worker: Worker) -> int:
    """Return how many more jobs a worker could run now."""
    return 0 if worker.runs_alone else max(0, worker.places - worker.jobs_in_progress)


class QueueFacts(msgspec.Struct, frozen=True):
    """A queue: its rules, and its jobs."""

    rule: QueueRow
    counts: Mapping[Status, int]
    room: Room = FREE
    """Its limits as they stand."""
    pause: Pause | None = None
    due: DueInQueue = DueInQueue()
    flow: Flow = Flow()

    @property
    def name(self) -> str:
        """Its name."""
        return self.rule.name

    @property
    def to_do(self) -> int:
        """How many jobs are due or run."""
        return self.due.jobs + self.counts.get(Status.IN_PROGRESS, 0)

    @property
    def empty_in_s(self) -> float | None:
        """In how many seconds none is left at the pace of the last minutes; None: it grows."""
        fewer_per_minute = self.flow.out_per_minute - self.flow.in_per_minute
        if not self.to_do:
            return 0.0
        return self.to_do / fewer_per_minute * 60 if fewer_per_minute > 0 else None


class Facts(msgspec.Struct, frozen=True):
    """What the reasons of jobs and queues are made of."""

    now_ms: int = 0
    workers: Sequence[Worker] = ()
    """Every slot, and every process without one."""
    pools: Sequence[Pool] = ()
    queues: Mapping[str, QueueFacts] = {}
    quarantined: Mapping[str, Quarantine] = {}
    watched: Collection[str] = ()
    """The incarnations that a supervisor watches, or that are seen to run on this machine."""
    dead_after_s: float = 30.0
    """After this long without a heartbeat, a process is taken for dead."""
    waits_long_s: float = 30 * 86_400.0
    """A function that waits for a signal for longer than this is a concern."""
    moved: str = ""
    """Where the database was moved to, so that nothing can be started on it; empty: it was not."""

    def serving(self, queue: str) -> list[Pool]:
        """Return the pools that serve a queue."""
        return [pool for pool in self.pools if pool.serves(queue)]

    def oldest_due(self) -> tuple[float, str] | None:
        """Return how long the due job that has waited longest waits, and its queue."""
        ages = [(age_s, name) for name in self.queues if (age_s := self.age_s(name)) is not None]
        return max(ages, default=None)

    def age_s(self, queue: str) -> float | None:
        """Return for how long the oldest due job of a queue has waited; None: none is due."""
        since_ms = self.queues[queue].due.since_ms
        return None if since_ms is None else max(0, self.now_ms - since_ms) / 1000


class SystemFacts(msgspec.Struct, frozen=True):
    """What the verdict is made of besides `Facts`."""

    ended: Mapping[str, tuple[int, int]] = {}
    """By type, of the last `LATELY_MINUTES`: how often jobs ended done, and how often failed."""
    failing: Mapping[str, int] = {}
    """The types whose jobs all failed in the last `FAILING_MINUTES`, and how often."""
    late_schedules: Sequence[tuple[str, float]] = ()
    """Schedules whose tick has passed, and by how many seconds."""
    retention_lag_s: float = 0.0
    """How long ago the oldest expired row expired, as the supervisor that leads says."""
    long_waits: LongWaits | None = None
    """The functions that have waited for a signal for longer than `waits_long_s`."""
    standstill: Standstill | None = None
    gone: int | None = None
    """The process of a supervisor that is gone and has not said so."""
    free_bytes: int | None = None
    database: str = ""
    crashing: Mapping[int, str] = {}
    """The jobs in which processes failed last, and their types."""
    acknowledged: Mapping[tuple[str, str], Acknowledgement] = {}
    """The problems that operators know of, by code and subject."""


def read(
    store: Store,
    workers: Sequence[Worker],
    pools: Pools,
    dead_after_s: float,
    waits_long_s: float,
    *,
    only: Collection[str] | None = None,
) -> Facts:
    """Return the facts about queues and pools; `only`: about these queues, whatever is known.

    `workers`: see `workers_of`, which cannot be called within the snapshot.
    """
    with store.snapshot():
        served = _pools(workers, pools)
        return Facts(
            now_ms=store.clock.wall_ms(),
            workers=workers,
            pools=served,
            queues=_queues(store, served, only),
            quarantined={quarantine.type: quarantine for quarantine in store.quarantines.all()},
            watched=_watched(store, workers),
            dead_after_s=dead_after_s,
            waits_long_s=waits_long_s,
            moved=store.moves.says,
        )


def read_job(store: Store, job_id: int) -> JobFacts:
    """Return what the database knows of what holds a job back. Raises NotFound."""
    return store.waiting.of_job(job_id)


def read_system(store: Store, facts: Facts) -> SystemFacts:
    """Return what else the verdict needs."""
    workers = facts.workers
    with store.snapshot():
        now_ms = store.clock.wall_ms()
        gone = gone_supervisors(store, store.processes.all())
        hosts = {worker.host for worker in workers if worker.role is Role.SUPERVISOR}
        lags_s = [store.supervision.gauges(host).get("retention_lag_s", 0.0) for host in hosts]
        return SystemFacts(
            ended={
                name: (by_status.get(Status.DONE, 0), by_status.get(Status.FAILED, 0))
                for name, by_status in store.stats.finished_by_type(LATELY_MINUTES).items()
            },
            failing=store.stats.only_failed(FAILING_MINUTES, FAILING_LEAST),
            late_schedules=list(_late_schedules(store, now_ms)),
            retention_lag_s=max(lags_s, default=0.0),
            long_waits=store.signals.long_waits(now_ms - round(facts.waits_long_s * 1000)),
            standstill=store.maintenance.standstill(),
            gone=gone[-1].pid if gone else None,
            free_bytes=store.maintenance.free_bytes(),
            database=store.state.database,
            crashing=_types_of(store, filter(None, map(crashing_job, workers))),
            acknowledged=store.acknowledgements.standing(),
        )


def crashing_job(worker: Worker) -> int | None:
    """Return the job that the last failed process of a slot ran, if it ran just one."""
    jobs = next((exit.jobs for exit in worker.recent_exits if exit.failed), ())
    return jobs[0] if len(jobs) == 1 else None


def _types_of(store: Store, job_ids: Iterable[int]) -> dict[int, str]:
    ids = tuple(job_ids)
    found = store.lists.page(JobFilter(ids=ids), len(ids)).jobs if ids else ()
    return {job.id: job.type for job in found}


def _pools(workers: Sequence[Worker], pools: Pools) -> list[Pool]:
    """Return the pools of the configuration, and those that only workers of other hosts name."""
    named = {worker.pool or "" for worker in workers if worker.role is Role.WORKER}
    found = []
    for name, queues in {**pools, **dict.fromkeys(sorted(named - pools.keys()), ())}.items():
        mine = [worker for worker in workers if worker.pool == name]
        found.append(
            Pool(
                name,
                queues,
                [worker for worker in mine if is_ready(worker)],
                [worker for worker in mine if not is_ready(worker)],
            )
        )
    return found


def _queues(
    store: Store, pools: Sequence[Pool], only: Collection[str] | None
) -> dict[str, QueueFacts]:
    counts, rules = store.stats.counts_by_queue(), {row.name: row for row in store.queues.all()}
    rooms, pauses, flows = store.queues.rooms(), store.waiting.pauses(), store.stats.flows()
    due = store.waiting.due_by_queue(rooms, only)
    if only is None:
        given = _names_given(store, {pool.name: pool.queues for pool in pools})
        has_rule = {name for name, rule in rules.items() if rule.has_effect or name in given}
        only = counts.keys() | has_rule
    return {
        name: QueueFacts(
            rules.get(name, QueueRow(name, paused=False, max_running=0, rate=None)),
            counts.get(name, {}),
            rooms.get(name, FREE),
            pauses.get(name),
            due.get(name, DueInQueue()),
            flows.get(name, Flow()),
        )
        for name in sorted(only)
    }


def _watched(store: Store, workers: Sequence[Worker]) -> set[str]:
    """Return the incarnations that a supervisor watches, or that are seen to run here.

    A supervisor also watches a process that its slot has replaced and that finishes its job.
    """
    supervisors = (worker for worker in workers if worker.role == Role.SUPERVISOR)
    hosts = {worker.host for worker in supervisors if worker.incarnation}
    boot_id = store.own_clock.boot_id
    return {
        record.incarnation
        for record in store.processes.all()
        if record.host in hosts
        or (record.boot_id == boot_id and is_alive(record.pid, record.create_time_s))
    }


def _late_schedules(store: Store, now_ms: int) -> Iterator[tuple[str, float]]:
    for row in store.schedules.all():
        tick_ms = overdue_tick_ms(row.tick_ms, now_ms, LATE_MS, paused=row.paused)
        if tick_ms is not None:
            yield row.definition.name, (now_ms - tick_ms) / 1000


def queue_names(store: Store, pools: Pools) -> set[str]:
    """Return the queues that exist: those with jobs or settings, and those that are named."""
    settings = {row.name for row in store.queues.all()}
    return settings | {*store.stats.counts_by_queue()} | _names_given(store, pools)


def _names_given(store: Store, pools: Pools) -> set[str]:
    """Return the queues that a job type, a schedule or a pool names, and the default queue."""
    asked = [row.definition.queue for row in store.schedules.all()]
    asked += [row.queue for row in store.types.all()]
    served = {name for queues in pools.values() for name in queues}
    return served.union(name for name in asked if name) | {_USUAL_QUEUE}
