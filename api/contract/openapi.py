"""What /openapi.json says besides what FastAPI finds in the signatures.

Routes read their bodies from the guard and answer with finished JSON, so the bodies' models, the
problems, the headers and the examples are named here and in api/contract/examples.py. A test runs
a program against the document (tests/api/test_schemathesis.py): what it says is what happens.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orpheus.api.contract import schemas
from orpheus.api.contract.examples import EXAMPLES, problem_example

_REFERENCE = "#/components/schemas/{model}"
_MODELS: tuple[type[BaseModel], ...] = (
    schemas.SubmitJob,
    schemas.SubmitBatch,
    schemas.BulkChange,
    schemas.Reason,
    schemas.Scale,
    schemas.Login,
    schemas.EditConfiguration,
    schemas.Problem,
)
_WHEN = {
    400: "The request cannot be read, or the Host is not allowed.",
    401: "The token or the session is missing, wrong or over.",
    403: "Sent by a page of another site, the API is read-only, or this is not changed here.",
    404: "There is none of that id or name.",
    409: "The state of the job, the process or the file does not allow it, or other jobs match "
    "than expected.",
    412: "The file is not what If-Match names.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "Fields are not valid.",
    428: "A whole text needs If-Match.",
    503: "The database is locked or unusable, too much is waiting, no supervisor is running, or a "
    "process does not answer; see Retry-After.",
    507: "The disk is full.",
}
_ALWAYS_POSSIBLE = frozenset({400, 401, 503})
_EMPTY_IS_WRONG = frozenset({"/config", "/events"})
_TAGS = {
    "jobs": "Submit jobs, list them, follow one.",
    "actions": "What operators do to jobs; GET /audit tells of it.",
    "queues and schedules": "Pause and resume queues; run, pause and resume schedules.",
    "supervision": "What is asked of the supervisor: restart, drain, scale, stacks.",
    "overview": "Workers, job types and figures.",
    "configuration": "The settings in force, and their file.",
    "stream": "Every change as it happens. The same by WebSocket: `/ws`.",
    "health": "Liveness, readiness, Prometheus.",
    "session": "The dashboard's login: the token for a cookie.",
}
_TOKEN = {"type": "http", "scheme": "bearer", "description": "What api.token_file holds."}
_SESSION = {
    "type": "apiKey",
    "in": "cookie",
    "description": "The cookie of POST /session, for browsers. Its name tells one Orpheus on a "
    "host from another.",
}
_DESCRIPTION = """Jobs, the workers that run them, and what operators do to both.

Errors are RFC 9457 problems. Durations are seconds on the way out; on the way in also texts such
as `500ms`, `30s`, `15m`, `2h`, `7d`. Times are RFC 3339 in UTC."""


def body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of a route that takes `model`, one of those named above, as JSON."""
    return {
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": _reference(model)}},
        }
    }


def header(name: str, description: str, example: str) -> dict[str, Any]:
    """Part of a response: a header it always has."""
    told = {"description": description, "schema": {"type": "string"}, "example": example}
    return {"headers": {name: {**told, "required": True}}}


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


def located() -> dict[str, Any]:
    """Part of a response that tells of a job."""
    return header("Location", "Where the job is.", "/jobs/7")


def replayed() -> dict[str, Any]:
    """Part of a response that may be an earlier one, sent again."""
    told = {
        "description": "This is the first answer to a request with this Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    }
    return {"headers": {"Idempotent-Replayed": told}}


def created() -> dict[str, Any]:
    """Both."""
    return {"headers": {**located()["headers"], **replayed()["headers"]}}


_RETRY_AFTER = header("Retry-After", "Seconds after which to ask again.", "1")
_CHALLENGE = header("WWW-Authenticate", "How to show the token.", 'Bearer realm="orpheus"')
_HEADERS_OF = {401: _CHALLENGE, 503: _RETRY_AFTER, 507: _RETRY_AFTER}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: the problems it may answer with, and those that any may."""
    return {
        status: {
            "description": _WHEN[status],
            "content": {
                "application/problem+json": {
                    "schema": _reference(schemas.Problem),
                    "example": problem_example(status),
                }
            },
            **_HEADERS_OF.get(status, {}),
        }
        for status in sorted(_ALWAYS_POSSIBLE.union(statuses))
    }


def document(app: FastAPI, cookie: str | None) -> dict[str, Any]:
    """The OpenAPI document, made at the first call. `cookie`: of sessions; None without a token."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
        )
        _, definitions = models_json_schema(
            [(model, "validation") for model in _MODELS], ref_template=_REFERENCE
        )
        made["components"]["schemas"] |= definitions["$defs"]
        made["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
        if cookie is not None:
            schemes = {"token": _TOKEN, "session": {**_SESSION, "name": cookie}}
            made["components"]["securitySchemes"] = schemes
            made["security"] = [{name: []} for name in schemes]
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                _complete(operation, f"{method.upper()} {path}")
                for parameter in operation.get("parameters", ()):
                    _tell_what_may_be_left_out(parameter, path)
        app.openapi_schema = made
    return app.openapi_schema


def _complete(operation: dict[str, Any], call: str) -> None:
    """Add the examples of a call, and take out what FastAPI adds and is not so."""
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    example = EXAMPLES.get(call, {})
    if "request" in example:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    for status, shown in example.get("responses", {}).items():
        responses[status]["content"]["application/json"]["example"] = shown
    if example.get("open"):  # anyone may call it, where others need the token
        operation["security"] = []


def _tell_what_may_be_left_out(parameter: dict[str, Any], path: str) -> None:
    """A query has no null; but fields that a form left empty are not given (`?status=`)."""
    if parameter["in"] != "query":
        return
    schema = parameter["schema"]
    kinds = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema = parameter["schema"] = {**kinds[0], **schema}
    elif kinds:
        schema["anyOf"] = kinds
    if path not in _EMPTY_IS_WRONG:
        parameter["allowEmptyValue"] = True
        parameter["schema"] = {"anyOf": [schema, {"type": "string", "maxLength": 0}]}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
