"""What /openapi.json says besides what FastAPI finds in the signatures.

Routes read their bodies from the guard and answer with finished JSON, so the bodies' models and
the problems are named here.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api import schemas

_REFERENCE = "#/components/schemas/{model}"
_MODELS: tuple[type[BaseModel], ...] = (
    schemas.SubmitJob,
    schemas.SubmitBatch,
    schemas.BulkChange,
    schemas.Reason,
    schemas.Scale,
    schemas.Login,
    schemas.Problem,
)
_WHEN = {
    400: "The request cannot be read, or the Host is not allowed.",
    401: "The token or the session is missing, wrong or over.",
    403: "Sent by a page of another site, or the API is read-only.",
    404: "There is none of that id or name.",
    409: "The job's or process's state does not allow it, or other jobs match than expected.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "Fields are not valid.",
    503: "The database is locked or unusable, too much is waiting, no supervisor is running, or a "
    "process does not answer; see Retry-After.",
    507: "The disk is full.",
}


def body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of a route that takes `model`, one of those named above, as JSON."""
    return {
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": _reference(model)}},
        }
    }


def idempotent() -> dict[str, Any]:
    """`openapi_extra` of a route that takes an Idempotency-Key."""
    return {
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Sent again within 24 hours, the request gets its first answer "
                "again, with `Idempotent-Replayed: true`, and makes no second job.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            }
        ]
    }


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: the problems it may answer with, and those that any may."""
    content = {"application/problem+json": {"schema": _reference(schemas.Problem)}}
    return {
        status: {"description": _WHEN[status], "content": content}
        for status in sorted({400, 401, *statuses, 503})
    }


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made at the first call."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, routes=app.routes)
        _, definitions = models_json_schema(
            [(model, "validation") for model in _MODELS], ref_template=_REFERENCE
        )
        made["components"]["schemas"] |= definitions["$defs"]
        app.openapi_schema = made
    return app.openapi_schema


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
