"""Job types as the API and the command line list them."""

from typing import Any, cast

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


class JobType(TypedDict):
    """A job type."""

    name: str
    schema: dict[str, Any]
    """JSON Schema of the payload."""
    defaults: TypeDefaults
    description: str


def type_json(row: TypeRow, defaults: JobDefaults) -> JobType:
    """Return a job type; its `defaults` are its own, or else `defaults` of the configuration."""
    return {
        "name": row.name,
        "schema": cast("dict[str, Any]", orjson.Fragment(row.schema)),
        "defaults": {
            "queue": row.queue or "default",
            "max_retries": defaults.max_retries if row.max_retries is None else row.max_retries,
            "timeout": defaults.timeout_s if row.timeout_s is None else row.timeout_s,
        },
        "description": row.description,
    }
