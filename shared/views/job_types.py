"""Job types as the API and the command line list them."""

from typing import Any, NotRequired

from typing_extensions import TypedDict

from orpheus.shared.domain import quarantine as domain
from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.messages.encoding import finished_json
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import Store, TypeRow
from orpheus.shared.views.values import Seconds, Time


class TypeDefaults(TypedDict):
    """What a job of this type gets when its request does not say."""

    queue: str
    max_retries: int
    timeout: Seconds
    backoff_base: NotRequired[Seconds]
    """The four backoff fields are there only if the type sets them; else those of [jobs] hold."""
    backoff_factor: NotRequired[float]
    backoff_max: NotRequired[Seconds]
    backoff_jitter: NotRequired[float]


class Crash(TypedDict):
    """A worker that a job has killed."""

    job: int
    attempt: int
    worker: str
    pid: int
    at: Time
    evidence: str
    """How the process ended: `killed by SIGSEGV`."""


class Quarantine(TypedDict):
    """A job type that is held back as a whole, because its jobs kill their workers."""

    type: str
    since: Time
    text: str
    """The evidence in a clause: `its jobs killed 5 workers without a success between, …`."""
    crashes: list[Crash]
    """Oldest first."""


class TypeState(TypedDict):
    """Whether a job type is quarantined."""

    name: str
    quarantine: Quarantine | None
    """null: it is not."""


class JobType(TypedDict):
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


def types_json(store: Store, defaults: JobDefaults) -> list[JobType]:
    """Return every job type, by name; `defaults`: those of the configuration."""
    with store.snapshot():
        rows, held = store.types.all(), {one.type: one for one in store.quarantines.all()}
    return [type_json(row, defaults, held.get(row.name)) for row in rows]


def quarantine_json(quarantine: domain.Quarantine) -> Quarantine:
    """Return a quarantine with its evidence."""
    return {
        "type": quarantine.type,
        "since": rfc3339(quarantine.since_ms),
        "text": quarantine.evidence,
        "crashes": [
            {
                "job": one.job,
                "attempt": one.attempt,
                "worker": one.worker,
                "pid": one.pid,
                "at": rfc3339(one.at_ms),
                "evidence": one.evidence,
            }
            for one in quarantine.crashes
        ],
    }


def type_json(
    row: TypeRow, defaults: JobDefaults, quarantine: domain.Quarantine | None = None
) -> JobType:
    """Return a job type; its `defaults` are its own, or else `defaults` of the configuration."""
    result: JobType = {
        "name": row.name,
        "schema": finished_json(row.schema),
        "defaults": {
            "queue": row.queue or "default",
            "max_retries": defaults.max_retries if row.max_retries is None else row.max_retries,
            "timeout": defaults.timeout_s if row.timeout_s is None else row.timeout_s,
        },
        "description": row.description,
        "quarantine": None if quarantine is None else quarantine_json(quarantine),
        "versions": 1 + len(row.others),
    }
    if row.backoff_base_s is not None:
        result["defaults"]["backoff_base"] = row.backoff_base_s
    if row.backoff_factor is not None:
        result["defaults"]["backoff_factor"] = row.backoff_factor
    if row.backoff_max_s is not None:
        result["defaults"]["backoff_max"] = row.backoff_max_s
    if row.backoff_jitter is not None:
        result["defaults"]["backoff_jitter"] = row.backoff_jitter
    return result
