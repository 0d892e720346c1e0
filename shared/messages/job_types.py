"""Job types, their quarantines, and what their attempts cost."""

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from orpheus.shared.domain import quarantine as domain
from orpheus.shared.domain.access import Scope
from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import Status
from orpheus.shared.messages.encoding import Seconds, Time, finished_json, time_of
from orpheus.shared.storage import OTHER_TYPES, Distribution, Store, TypeFigures, TypeRow

OTHER = "_other"
"""The name of types that are not described, and of all beyond the first 100 in GET /metrics.
No type and no queue has it: names begin with a letter or a digit."""


class TypeDefaults(Struct, frozen=True):
    """What a job of this type gets when its request does not say."""

    queue: str
    max_retries: int
    timeout: Seconds
    backoff_base: Seconds | UnsetType = UNSET
    """The four backoff fields are there only if the type sets them; else [jobs] applies."""
    backoff_factor: float | UnsetType = UNSET
    backoff_max: Seconds | UnsetType = UNSET
    backoff_jitter: float | UnsetType = UNSET
    retention: Seconds | UnsetType = UNSET
    """How long its jobs are kept after they are done; only if the type sets it."""


class Crash(Struct, frozen=True):
    """A worker that a job has killed."""

    job: int
    attempt: int
    worker: str
    pid: int
    at: Time
    evidence: str
    """How the process ended: `killed by SIGSEGV`."""


class Quarantine(Struct, frozen=True):
    """A job type that is held back as a whole, because its jobs kill their workers."""

    type: str
    since: Time
    text: str
    """The evidence in a clause: `after crashing 5 workers in a row (last: …)`."""
    crashes: list[Crash]
    """Oldest first."""


class TypeState(Struct, frozen=True):
    """Whether a job type is quarantined."""

    name: str
    quarantine: Quarantine | None
    """null: it is not."""


class JobType(Struct, frozen=True):
    """A job type."""

    name: str
    schema: dict[str, Any]
    """JSON Schema of the payload."""
    defaults: TypeDefaults
    description: str
    quarantine: Quarantine | None
    """null: it is not quarantined."""
    versions: int
    """How many versions of it hosts have now. This is the newest one; with several, each job runs
    where the code can read it."""
    hidden: list[str]
    """The fields that nobody sees but its jobs: `payload.card`, `payload.*.password`."""


class JobTypes(Struct, frozen=True):
    """Every job type the configured modules define."""

    items: list[JobType]


def seen_types(types: Iterable[JobType], sight: Scope | None) -> list[JobType]:
    """Return the types that a caller may see; who crashed a worker may be in another queue."""
    if sight is None:
        return [*types]
    seen = [item for item in types if sight.sees_type(item.name)]
    return [
        replace(item, quarantine=item.quarantine and replace(item.quarantine, text="", crashes=[]))
        for item in seen
    ]


class Percentiles(Struct, frozen=True):
    """Seconds, interpolated in the buckets of a histogram; null: there is no such attempt."""

    p50: float | None
    p95: float | None
    p99: float | None


class EndedJobs(Struct, frozen=True):
    """Jobs of a type that ended. A failed attempt that is retried is not counted."""

    done: int
    failed: int
    cancelled: int


class TypeStats(Struct, frozen=True):
    """What all attempts of a type cost, since the database was created."""

    name: str
    """`_other`: all types that were not described when their attempts ended."""
    ended: dict[str, int]
    """Attempts by outcome; an outcome that none had is left out."""
    run_s: Percentiles
    """From when the code of the job was entered until it returned."""
    wait_s: Percentiles
    """From when the job was due and free to run until it started."""
    cpu_s: Percentiles
    """Of the attempts whose CPU time was measured."""
    cpu_total_s: float
    """The CPU time of all these attempts together."""
    max_rss_bytes: int | None
    """The largest peak of an attempt; null: none was measured."""
    last_hour: EndedJobs
    """In this minute and the 60 before it."""


class TypesStats(Struct, frozen=True):
    """Every type that has an ended attempt, by name."""

    items: list[TypeStats]


def job_types_of(store: Store, defaults: JobDefaults) -> JobTypes:
    """Return every job type, by name; `defaults`: from the configuration."""
    with store.snapshot():
        rows, held = (
            store.types.all(),
            {quarantine.type: quarantine for quarantine in store.quarantines.all()},
        )
    return JobTypes([job_type_of(row, defaults, held.get(row.name)) for row in rows])


def quarantine_of(quarantine: domain.Quarantine) -> Quarantine:
    """Return a quarantine with its evidence."""
    crashes = [
        Crash(
            crash.job, crash.attempt, crash.worker, crash.pid, time_of(crash.at_ms), crash.evidence
        )
        for crash in quarantine.crashes
    ]
    since = time_of(quarantine.since_ms)
    return Quarantine(quarantine.type, since, quarantine.evidence, crashes)


def job_type_of(
    row: TypeRow, defaults: JobDefaults, quarantine: domain.Quarantine | None = None
) -> JobType:
    """Return a job type; its `defaults` are its own, or else `defaults` of the configuration."""
    backoff = {
        "backoff_base": row.backoff_base_s,
        "backoff_factor": row.backoff_factor,
        "backoff_max": row.backoff_max_s,
        "backoff_jitter": row.backoff_jitter,
        "retention": row.retention_s,
    }
    return JobType(
        row.name,
        finished_json(row.schema),
        TypeDefaults(
            row.queue or "default",
            defaults.max_retries if row.max_retries is None else row.max_retries,
            defaults.timeout_s if row.timeout_s is None else row.timeout_s,
            **{name: value for name, value in backoff.items() if value is not None},
        ),
        row.description,
        None if quarantine is None else quarantine_of(quarantine),
        1 + len(row.others),
        row.hide.split(),
    )


def types_stats_of(store: Store) -> TypesStats:
    """Return what the attempts of each type cost, and how its jobs ended lately, by name."""
    with store.snapshot():
        lately = store.stats.finished_by_type(60)
        figures = store.stats.types()
    return TypesStats([_type_stats_of(figure, lately.get(figure.name, {})) for figure in figures])


def _type_stats_of(figures: TypeFigures, lately: dict[Status, int]) -> TypeStats:
    return TypeStats(
        shown_name(figures.name),
        {outcome.value: n for outcome, n in sorted(figures.ended.items())},
        _percentiles_of(figures.runs),
        _percentiles_of(figures.waits),
        _percentiles_of(figures.cpu),
        figures.cpu.sum_s,
        figures.peak_bytes,
        EndedJobs(*(lately.get(status, 0) for status in _ENDS)),
    )


_ENDS = (Status.DONE, Status.FAILED, Status.CANCELLED)


def shown_name(name: str) -> str:
    """Return the name of a type, or the name of all types that are not described."""
    return OTHER if name == OTHER_TYPES else name


def _percentiles_of(times: Distribution) -> Percentiles:
    return Percentiles(*map(times.percentile_s, (0.5, 0.95, 0.99)))
