"""Builds /openapi.json: what FastAPI finds in the signatures, and what routes declare here.

Routes take their bodies from the guard and answer with finished JSON, so bodies, answers, problems
and headers are declared with the functions here. A test calls the API as the document says and
holds every answer against it (tests/api/test_schemathesis.py).
"""

import ast
import inspect
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Any, get_args, get_type_hints

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orpheus.api.contract import queries, requests
from orpheus.api.contract.access import call_of
from orpheus.shared.messages.http import RETRY_AFTER_S, Problem

Part = dict[str, Any]
"""A part of an OpenAPI document."""
Responses = dict[int | str, Part]
"""`responses` of a route."""

_REFERENCE = "#/components/schemas/{model}"
_WHEN = {
    400: "The request cannot be read, or the Host is not allowed.",
    401: "The token or the session is missing, wrong or expired.",
    403: "Sent by a page of another site, the API is read-only, or this cannot be changed here.",
    404: "Nothing has that id or name.",
    409: "The state of the job, the process or the file does not allow it, or another number of "
    "jobs matches than expected.",
    412: "The file is not what If-Match names.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "Fields are not valid.",
    428: "A whole text needs If-Match.",
    503: "The database is locked or unusable, too many requests wait, no supervisor is running, or "
    "a process does not answer; see Retry-After.",
    507: "The disk is full.",
}
_ALWAYS_POSSIBLE = frozenset({400, 401, 422, 503})
_EMPTY_IS_WRONG = frozenset({"/config"})
_TAGS = {
    "jobs": "Submit jobs, list them, follow one.",
    "actions": "What operators do to jobs; GET /audit lists it.",
    "queues and schedules": "Pause and resume queues; run, pause and resume schedules.",
    "supervision": "Requests to the supervisor: restart, drain, scale, stacks.",
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
    "description": "The cookie of POST /session, for browsers. Its name differs between two "
    "Orpheus systems on one host.",
}
_DESCRIPTION = """Jobs, the workers that run them, and what operators do to both.

Errors are RFC 9457 problems. Durations are seconds on the way out; on the way in also texts such
as `500ms`, `30s`, `15m`, `2h`, `7d`. Times are RFC 3339 in UTC."""

_bodies: set[type[BaseModel]] = set()
_answers: set[Any] = set()
"""What the routes take and answer. The schemas are made with the document, not before."""


def body(model: type[BaseModel], *, required: bool = True) -> Part:
    """Return the `openapi_extra` of a route that takes `model` as JSON."""
    _bodies.add(model)
    content = {"application/json": {"schema": _reference(model)}}
    return {"requestBody": {"required": required, "content": content}}


def answers(model: Any, status: int = 200, **more: Any) -> Responses:
    """Return the `responses` of a route that answers with `model`, a message.

    `more`: other parts of the response, as `description` and `headers`.
    """
    _answers.add(model)
    return {status: {"content": {"application/json": {"schema": _reference(model)}}, **more}}


def header(name: str, description: str, example: str) -> Part:
    """Return a header that a response always has."""
    schema = {"type": "string"}
    described = {"description": description, "schema": schema, "example": example}
    return {name: {**described, "required": True}}


def header_parameter(name: str, description: str, schema: Part) -> Part:
    """Return the `openapi_extra` of a route that takes an optional header."""
    header = {"name": name, "in": "header", "required": False}
    return {"parameters": [{**header, "description": description, "schema": schema}]}


_IDEMPOTENCY_KEY = header_parameter(
    "Idempotency-Key",
    "Sent again within 24 hours, the request gets its first answer again, with "
    "`Idempotent-Replayed: true`, and makes no second job.",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
)
_TRACEPARENT = header_parameter(
    "traceparent",
    "The trace that the caller is in (W3C Trace Context): the job is part of it. One that is not "
    "valid is ignored.",
    {"type": "string", "examples": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]},
)
SUBMIT_HEADERS = {"parameters": _IDEMPOTENCY_KEY["parameters"] + _TRACEPARENT["parameters"]}
"""The `openapi_extra` of the routes that submit jobs."""
LOCATION = header("Location", "Where the job is.", "/jobs/7")
REPLAYED = {
    "Idempotent-Replayed": {
        "description": "This is the first answer to a request with this Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
_CHALLENGE = header("WWW-Authenticate", "How to send the token.", 'Bearer realm="orpheus"')
_RETRY_AFTER = header("Retry-After", "Seconds after which to ask again.", "1")


def problems(*statuses: int) -> Responses:
    """Return the `responses` of a route for these problems, and those that any call may meet."""
    content = {"application/problem+json": {"schema": _reference(Problem)}}
    found: Responses = {}
    for status in sorted(_ALWAYS_POSSIBLE.union(statuses)):
        found[status] = {"description": _WHEN[status], "content": content}
        if status == 401:
            found[status]["headers"] = _CHALLENGE
        elif status in RETRY_AFTER_S:
            found[status]["headers"] = _RETRY_AFTER
    return found


def document(app: FastAPI, cookie: str | None, root_path: str = "") -> Part:
    """Return the OpenAPI document, made at the first call.

    `cookie`: the name of the session cookie; None if no token is needed. `root_path`: the prefix of
    all paths, for callers of the proxy.
    """
    if app.openapi_schema is None:
        for module in (requests, queries):
            _describe_fields(module)  # first: FastAPI takes descriptions of parameters from them
        made = get_openapi(
            title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
        )
        if root_path:
            made["servers"] = [{"url": root_path}]
        components = made.setdefault("components", {})
        components["schemas"] = components.get("schemas", {}) | _schemas()
        made["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
        if cookie is not None:
            schemes = {"token": _TOKEN, "session": {**_SESSION, "name": cookie}}
            components["securitySchemes"] = schemes
            made["security"] = [{name: []} for name in schemes]
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]  # FastAPI's own; ours are problems
                if call_of(method.upper(), path).least is None:
                    operation["security"] = []
                for parameter in operation.get("parameters", ()):
                    _say_what_may_be_empty(parameter, path)
        app.openapi_schema = made
    return app.openapi_schema


def _describe_fields(module: Any) -> None:
    """Give the fields of a module's models their docstrings as descriptions.

    pydantic can do it, too, but reads the sources when the API starts: a tenth of its start.
    """
    for model in vars(module).values():
        if isinstance(model, type) and issubclass(model, BaseModel):
            docs = field_docs(model)
            for name, field in model.model_fields.items():
                field.description = field.description or docs.get(name)


def _schemas() -> Part:
    """Return the JSON Schema of every declared body and answer, and of what they refer to."""
    _, bodies = models_json_schema([(m, "validation") for m in _bodies], ref_template=_REFERENCE)
    types = sorted({*_answers, Problem}, key=lambda kind: kind.__name__)
    named = _REFERENCE.format(model="{name}")
    _, found = msgspec.json.schema_components(types, ref_template=named)
    for kind in _classes_in(types):
        properties = found.get(kind.__name__, {}).get("properties", {})
        for name in properties & (docs := field_docs(kind)).keys():
            properties[name]["description"] = docs[name]
    defined: Part = bodies["$defs"]
    return defined | found


def _classes_in(types: Iterable[Any]) -> set[type]:
    """Return the classes that the fields of messages have as their types, at any depth."""
    found: set[type] = set()
    left = [*types]
    while left:
        kind = left.pop()
        left += get_args(kind)
        if isinstance(kind, type) and kind not in found:
            found.add(kind)
            left += get_type_hints(kind).values()
    return found


def field_docs(kind: type) -> dict[str, str]:
    """Return the docstrings of a class's fields; none where it is installed without its source."""
    ours = [base for base in reversed(kind.__mro__) if base.__module__.startswith("orpheus.")]
    return {field: text for base in ours for field, text in _docs_in(base).items()}


@cache
def _docs_in(kind: type) -> dict[str, str]:
    """Return the docstrings of the fields that a class itself defines."""
    try:
        (node,) = ast.parse(dedent(inspect.getsource(kind))).body
    except (OSError, TypeError):
        return {}
    docs: dict[str, str] = {}
    for pair in pairwise(node.body if isinstance(node, ast.ClassDef) else ()):
        match pair:
            case (
                ast.AnnAssign(target=ast.Name(id=field)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                docs[field] = " ".join(text.split())
    return docs


def _say_what_may_be_empty(parameter: Part, path: str) -> None:
    """Replace null, which a query cannot hold, by the empty text that a form sends."""
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


def _reference(model: Any) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
