"""What routes share: answers, checked bodies, the ids in paths, and who acts."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Path, Request
from pydantic import BaseModel, ValidationError, WithJsonSchema
from starlette.responses import Response

from orpheus.api.contract.schemas import LARGEST_ID, Reason
from orpheus.api.http.guard import address_of, caller_of, optional_json_of
from orpheus.api.http.problems import invalid
from orpheus.shared.errors import NotFound
from orpheus.shared.operations.audit import Actor

Model = TypeVar("Model", bound=BaseModel)

JobId = Annotated[
    str, Path(), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LARGEST_ID})
]
"""A job's id in a path. As text: what is no id is an unknown job (404), not a bad field."""


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`value` as JSON."""
    return Response(orjson.dumps(value), status, headers, media_type="application/json")


def checked(model: type[Model], value: Any) -> Model:
    """`value`, a parsed body, as `model`. Raises Refusal (422) that names each invalid field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(error) from None


def actor_of(request: Request) -> Actor:
    """Who sent the request, and why, if its body says so. Raises Refusal (422)."""
    asked = checked(Reason, optional_json_of(request.scope))
    return actor_for(request, asked.reason)


def actor_for(request: Request, reason: str | None) -> Actor:
    """Who sent the request, for a reason that is known: `api:ADDRESS`, of a browser `…#SESSION`."""
    address, session_id = address_of(request.scope), caller_of(request.scope).session_id
    return Actor(f"api:{address}" + (f"#{session_id}" if session_id else ""), reason)


def job_id_of(text: str) -> int:
    """The id that `text` is. Raises NotFound if no job can have it."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID)):
        job_id = int(text)
        if job_id <= LARGEST_ID:
            return job_id
    raise NotFound(f"there is no job {text[:80]!r}")
