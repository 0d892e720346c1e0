"""Job types as the API and the command line list them."""

from typing import Any, NotRequired, cast

import orjson
from typing_extensions import TypedDict

from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.storage import TypeRow
from orpheus.shared.views.values import Seconds


class TypeDefaults(TypedDict):
    """What a job of this type gets when its request does not say."""

    queue: str
    max_retries: int
    timeout: Seconds
    backoff_base: NotRequired[Seconds]
    """These four: only where the type says so; else they are those of [jobs]."""
    backoff_factor: NotRequired[float]
    backoff_max: NotRequired[Seconds]
    backoff_jitter: NotRequired[float]


class JobType(TypedDict):
    """A job type."""

    name: str
    schema: dict[str, Any]
    """JSON Schema of the payload."""
    defaults: TypeDefaults
    description: str


def type_json(row: TypeRow, defaults: JobDefaults) -> JobType:
    """Return a job type; its `defaults` are its own, or else `defaults` of the configuration."""
    result: JobType = {
        "name": row.name,
        "schema": cast("dict[str, Any]", orjson.Fragment(row.schema)),
        "defaults": {
            "queue": row.queue or "default",
            "max_retries": defaults.max_retries if row.max_retries is None else row.max_retries,
            "timeout": defaults.timeout_s if row.timeout_s is None else row.timeout_s,
        },
        "description": row.description,
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
