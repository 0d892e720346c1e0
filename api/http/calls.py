"""Shared by routes: JSON answers, validated bodies, ids in paths, who acts, and who has left."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Path, Request
from pydantic import BaseModel, ValidationError, WithJsonSchema
from starlette.responses import Response
from starlette.types import Receive

from orpheus.api.contract.openapi import body
from orpheus.api.contract.requests import Reason
from orpheus.api.http.problems import invalid
from orpheus.api.http.scope import caller_of, client_address, json_body, optional_json_body
from orpheus.shared.domain.limits import LARGEST_ID, NAME
from orpheus.shared.errors import NotFound
from orpheus.shared.messages.encoding import encode
from orpheus.shared.storage import Actor

Model = TypeVar("Model", bound=BaseModel)

Name = Annotated[str, Path(), WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"})]
"""A name in a path: of a queue, a schedule or a job type."""
JobId = Annotated[
    str, Path(), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LARGEST_ID})
]
"""A job's id in a path. It is text, so that other text names an unknown job: 404 instead of 422."""
REASON = body(Reason, required=False)
"""For the document: the body that `audit_actor` reads."""


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with `value` as JSON. For a large one, call it on a reader's thread."""
    return Response(encode(value), status, headers, media_type="application/json")


def validate(model: type[Model], value: Any) -> Model:
    """Return `value` as `model`. Raises Refusal (422) that names each invalid field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(error) from None


def read_body(request: Request, model: type[Model]) -> Model:
    """Return the request's body. Raises Refusal: 400 without a body, 422 for invalid fields."""
    return validate(model, json_body(request.scope))


def audit_actor(request: Request, given: Reason | None = None) -> Actor:
    """Return who sent the request, and the reason in its body, for the audit log.

    The name is `api:TOKEN@ADDRESS#SESSION`: the name of the token, or `<LOGIN>`, if any, and the
    session of a browser. Without `given`, the reason is read from the request, if it has one.
    Raises Refusal (422) if that is invalid.
    """
    given = given or validate(Reason, optional_json_body(request.scope))
    caller = caller_of(request.scope)
    name = f"{caller.identity}@" if caller.name else ""
    session = f"#{caller.session_id}" if caller.session_id else ""
    return Actor(f"api:{name}{client_address(request.scope)}{session}", given.reason)


def parse_job_id(text: str) -> int:
    """Return the job id in `text`. Raises NotFound if no job can have it."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID)):
        job_id = int(text)
        if job_id <= LARGEST_ID:
            return job_id
    raise NotFound(f"there is no job {text[:80]!r}")


async def wait_until_left(receive: Receive) -> None:
    """Return when the client has closed its connection; what it still sends is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass
