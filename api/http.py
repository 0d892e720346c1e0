"""What every route shares: answers, and the ids in paths."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Path
from pydantic import WithJsonSchema
from starlette.responses import Response

from api.schemas import LARGEST_ID
from shared.errors import NotFound

JobId = Annotated[
    str, Path(), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LARGEST_ID})
]
"""A job's id in a path. As text: what is no id is an unknown job (404), not a bad field."""


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`value` as JSON."""
    return Response(orjson.dumps(value), status, headers, media_type="application/json")


def job_id_of(text: str) -> int:
    """The id that `text` is. Raises NotFound if no job can have it."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID)):
        job_id = int(text)
        if job_id <= LARGEST_ID:
            return job_id
    raise NotFound(f"there is no job {text[:80]!r}")
