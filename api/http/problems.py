"""Every refusal of the API as RFC 9457 problem details.

One table maps the program's errors to statuses; FastAPI's errors, unknown paths and wrong methods
are mapped below. Anything else is a 500 without a traceback; the guard logs it. Answers that a
client should repeat carry `Retry-After`.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from msgspec import UNSET
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from orpheus.shared.domain.json_values import json_pointer
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.errors import (
    DatabaseFull,
    FieldProblem,
    InvalidJob,
    NamesFields,
    NoAnswer,
    NoSupervisor,
    NotFound,
    OrpheusError,
    TooLarge,
    TransitionRefused,
    Unavailable,
)
from orpheus.shared.messages.encoding import encode
from orpheus.shared.messages.http import RETRY_AFTER_S, FieldError, Problem
from orpheus.shared.operations.configuration import FileChanged, NotEditable
from orpheus.shared.sentences import sentence

PROBLEM_JSON = "application/problem+json"
MAX_FIELD_PROBLEMS = 100

_STATUS_OF: Mapping[type[OrpheusError], int] = {
    NotFound: 404,
    TransitionRefused: 409,
    NotEditable: 409,
    FileChanged: 412,
    TooLarge: 413,
    InvalidJob: 422,
    NoSupervisor: 503,
    NoAnswer: 503,
    DatabaseFull: 507,
    Unavailable: 503,
}


class Refusal(OrpheusError):
    """A request that is answered with `status` and a problem that says why."""

    def __init__(
        self,
        status: int,
        detail: str,
        problems: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.problems = tuple(problems[:MAX_FIELD_PROBLEMS])
        self.headers = dict(headers or {})
        if status in RETRY_AFTER_S:
            self.headers.setdefault("Retry-After", RETRY_AFTER_S[status])

    def response(self) -> Response:
        """Return the answer. As an ASGI application it also denies a WebSocket's handshake."""
        errors = [FieldError(problem.pointer, problem.detail) for problem in self.problems]
        title = HTTPStatus(self.status).phrase
        body = Problem("about:blank", title, self.status, self.detail, errors or UNSET)
        return Response(encode(body), self.status, self.headers, media_type=PROBLEM_JSON)


def refusal_of(error: Exception) -> Refusal:
    """Return the answer to `error`: a 500 unless it was raised on purpose."""
    if isinstance(error, Refusal):
        return error
    for kind, status in _STATUS_OF.items():
        if isinstance(error, kind):
            problems = error.problems if isinstance(error, NamesFields) else ()
            return Refusal(status, str(error), problems)
    return Refusal(500, "Orpheus failed to answer; its log says why.")


def invalid(error: ValidationError | RequestValidationError) -> Refusal:
    """Return a 422 with a pointer to each field that pydantic refused."""
    # FastAPI puts where it found the field ("query", "path") before the field's own name.
    skip = 1 if isinstance(error, RequestValidationError) else 0
    return refused_fields(
        [
            FieldProblem(json_pointer(found["loc"][skip:]), _sentence(found))
            for found in error.errors()[:MAX_FIELD_PROBLEMS]
        ]
    )


def refused_fields(problems: Sequence[FieldProblem]) -> Refusal:
    """Return a 422 that names each field and why it is refused."""
    first = f"{problems[0].pointer or 'the body'}: {problems[0].detail}"
    return Refusal(422, first + and_more(problems), problems)


def and_more(problems: Sequence[FieldProblem]) -> str:
    """Return ` (and 2 more)` for three problems, and nothing for one."""
    return f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""


def _sentence(found: Mapping[str, Any]) -> str:
    match found["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a known field"
        case "model_type" | "dict_type":
            return "must be an object"
        case "string_pattern_mismatch" if NAME.pattern in found["ctx"]["pattern"]:
            return NAME_RULE
        case _:
            return sentence(found)


def install(app: FastAPI, not_found_page: Callable[[Request, str], Response]) -> None:
    """Make `app` answer every error with a problem.

    `not_found_page` makes the page that a browser gets instead of a 404, from a sentence.
    """

    async def handle(request: Request, error: Exception) -> Response:
        refusal = _refusal_in(request, error)
        if refusal.status == 404 and _wants_a_page(request):
            return not_found_page(request, refusal.detail)
        return refusal.response()

    for kind in (OrpheusError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, handle)


def _refusal_in(request: Request, error: Exception) -> Refusal:
    if isinstance(error, RequestValidationError):
        return invalid(error)
    if isinstance(error, HTTPException):
        return _http_refusal(request, error)
    return refusal_of(error)


def _wants_a_page(request: Request) -> bool:
    """Return whether a person is reading: a browser accepts HTML, curl does not ask for it."""
    if request.scope["type"] != "http":  # a WebSocket's handshake comes here, too
        return False
    is_read = request.method in ("GET", "HEAD")
    is_page = request.url.path.startswith("/ui/")
    return is_read and (is_page or "text/html" in request.headers.get("accept", ""))


def _http_refusal(request: Request, error: HTTPException) -> Refusal:
    if error.status_code == 404:
        return Refusal(404, f"There is nothing at {request.url.path}.")
    if error.status_code == 405:
        allowed = ", ".join(sorted(_methods_of(request)))
        detail = f"{request.method} is not possible at {request.url.path}, but {allowed}."
        return Refusal(405, detail, headers={"Allow": allowed})
    return Refusal(error.status_code, str(error.detail), headers=error.headers)


def _methods_of(request: Request) -> set[str]:
    """Return every method that is possible at the path; Starlette names the first route's only.

    Routes that are not in the document exist only to answer 405, so their methods do not count. A
    route with exactly this path goes before one with a parameter.
    """
    routes: Sequence[BaseRoute] = request.app.routes
    found = [
        route
        for route in routes
        if isinstance(route, Route)
        and route.include_in_schema
        and route.matches(request.scope)[0] is not Match.NONE
    ]
    own = [route for route in found if route.path == request.url.path]
    return {method for route in own or found for method in route.methods or ()}
