"""Workers and programs: slots, processes without one, and how processes ended."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import UNSET, Struct, UnsetType

from orpheus.shared.domain import processes
from orpheus.shared.domain.processes import Order, Role, SlotRecord, SlotState, rejection
from orpheus.shared.messages.encoding import Time, time_of
from orpheus.shared.messages.jobs import RunningJob


class LastExit(Struct, frozen=True, kw_only=True):
    """How one process of a slot ended."""

    at: Time
    reason: str
    signal: str | None
    code: int | None
    evidence: str | None
    """What is known of why: a stack, a line."""
    uptime_s: float
    """How long the process ran."""
    out_of_memory: bool | None
    """Whether the kernel killed it for memory; null where that cannot be told."""
    failed: bool
    """Whether it counted as a failure: a wanted exit did not, whatever its code."""
    output: str | None
    """The last lines, up to 20, that its jobs wrote; null if there are none."""
    jobs: tuple[int, ...]
    """The ids of the jobs that it was running, ascending."""


class Failure(Struct, frozen=True, kw_only=True):
    """When a process of a slot failed, and how."""

    at: Time
    reason: str


class WorkerSummary(Struct, frozen=True, kw_only=True):
    """A slot of a supervisor, or a process that runs alone."""

    host: str
    slot: str
    role: Role
    """What runs in it."""
    pool: str | None
    """The pool of a worker, the name of a program; null for the API and the supervisor."""
    state: SlotState
    degraded: bool
    reason: str
    """Of these: `order` in words, `waits`, and `why`; or the configuration that is `rejected`."""
    order: Order | None
    waits: str
    """What it waits for before it starts: `waits for db-1`; empty if for nothing."""
    why: str
    """What is wrong with it, or why it is in its state; empty if that is not to be told."""
    rejected: str | None
    """Of the supervisor: why the newest configuration is not in force; null: it is."""
    pid: int | None
    incarnation: str | None
    job: RunningJob | None
    """The job that it runs; of several, the oldest."""
    jobs_in_progress: int
    """How many jobs it has leased: those that run, and those that it has prefetched."""
    places: int
    """How many jobs it runs at once, if it is a worker."""
    runs_alone: bool
    """It runs one job only, however many places it has: that job crashed a worker before."""
    heartbeat_age_s: float | None
    """Null: it sends none, or could have written none, as nobody can write to the database now."""
    silent: bool
    """It is ready, but has sent no heartbeat for half the time after which it is taken for dead."""
    cpu_percent: float | None
    rss_bytes: int | None
    uptime_s: float | None
    jobs_done: int
    restarts: int
    last_exit: LastExit | None
    last_failure: Failure | None
    """The latest failure of the last 10 minutes, even if later processes ended well."""
    leaves: bool
    """It is scaled away: it is gone once its process has ended."""
    ended: bool
    """It is a program that did its work: it ended as its `restart` says, and did not fail."""
    until: Time | None
    """While it drains or stops: when it releases its jobs at the latest; of the supervisor, when it
    has ended. In backoff or fatal: when it is started. Of a program that starts: when it is stopped
    if it is not ready by then; `reason` tells what its `ready` found last. Else null."""


class Worker(WorkerSummary, frozen=True, kw_only=True):
    """A slot or a process that runs alone, with how its earlier processes ended."""

    recent_exits: tuple[LastExit, ...]
    """The latest, the newest first; `last_exit` is its head."""
    failed_lately: int
    """How often its processes failed in the last 10 minutes, since this supervisor started."""


class ConfiguredPool(Struct, frozen=True, kw_only=True):
    """A pool or program of the host that answers, also if it is scaled to 0 and has no slot."""

    host: str
    name: str
    workers: int | None
    """Its number of workers, or instances, in the configuration in force; null: not readable."""
    wanted: int
    """Its number now: the slots that it has, without those that are scaled away."""
    finishes_within_s: float | None
    """After this long a worker that is drained, restarted or scaled away releases the jobs that
    it has not finished, and they start again; a program that is asked to stop is killed. Null: it
    cannot be read.
    """


class Workers(Struct, frozen=True):
    """Every slot, the API's and the supervisor's too."""

    items: list[Worker]
    pools: list[ConfiguredPool] | UnsetType = UNSET
    """With `?pools=true`."""
    programs: list[ConfiguredPool] | UnsetType = UNSET
    """With `?pools=true`."""


class PoolSize(Struct, frozen=True):
    """The number of workers that was requested for a pool."""

    pool: str
    workers: int


class Stack(Struct, frozen=True, kw_only=True):
    """Where the code of a process stands."""

    slot: str
    pid: int
    incarnation: str
    job: RunningJob | None
    at: Time
    stack: str
    """The Python frames of every thread, the latest call first. What runs the job comes first."""


def exit_of(ended: processes.LastExit) -> LastExit:
    """Return how a process ended."""
    return LastExit(
        at=time_of(ended.at_ms),
        reason=ended.reason,
        signal=ended.signal,
        code=ended.code,
        evidence=ended.evidence,
        uptime_s=round(ended.uptime_s, 1),
        out_of_memory=ended.out_of_memory,
        failed=ended.failed,
        output=ended.output,
        jobs=tuple(ended.jobs),
    )


def summary_of(worker: Worker) -> WorkerSummary:
    """Return a worker without its earlier exits."""
    fields = WorkerSummary.__struct_fields__
    return WorkerSummary(**{name: getattr(worker, name) for name in fields})


def is_ready(worker: WorkerSummary) -> bool:
    """Return whether it does its work: a silent process is called ready, but may not."""
    return worker.state == SlotState.READY and not worker.silent


def named_slot(worker: WorkerSummary, *, with_host: bool) -> str:
    """Return its name, `default-1 on ada` where several hosts may have one of that name."""
    return f"{worker.slot} on {worker.host}" if with_host else worker.slot


def reason_of(slot: SlotRecord, drained_by: str = "") -> str:
    """Return why a slot is as it is; empty if its state needs no reason.

    `drained_by`: ` by cli:ada (disk swap)`, or empty.
    """
    if slot.rejected is not None:
        return rejection(slot.rejected)
    return "; ".join(filter(None, (_in_words(slot, drained_by), slot.waits, slot.reason)))


def _in_words(slot: SlotRecord, drained_by: str) -> str:
    """Return its order; empty if it has none, or if its own `reason` tells of it."""
    match slot.order:
        case Order.DRAINED:
            return f"drained{drained_by}"
        case Order.REPLACED:
            return "being replaced"
        case Order.SCALED_AWAY:
            members = "instances" if slot.role is Role.PROGRAM else "workers"
            until = "; it ends after its job" if slot.state is SlotState.DRAINING else ""
            return f"scaled away: fewer {members} are wanted{until}"
    return ""


def configured_pools(
    numbers: Mapping[str, int | None],
    workers: Iterable[Worker],
    host: str,
    finishes_within_s: Mapping[str, float | None],
) -> list[ConfiguredPool]:
    """Return these pools or programs of a host. `numbers`: from the configuration."""
    wanted = Counter(
        worker.pool
        for worker in workers
        if worker.host == host and "@" not in worker.slot and not worker.leaves
    )
    return [
        ConfiguredPool(
            host=host,
            name=name,
            workers=number,
            wanted=wanted[name],
            finishes_within_s=finishes_within_s.get(name),
        )
        for name, number in numbers.items()
    ]
