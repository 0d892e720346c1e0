"""The values of one request in its ASGI scope: body, caller, address, limits.

The server and the guard (api/http/guard.py) write these values once; routes and streams read them
through the functions below.
"""

from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

from orpheus.api.http.auth import NOBODY, Caller
from orpheus.api.http.open_connections import OpenConnection
from orpheus.api.http.problems import Refusal
from orpheus.shared.domain import access
from orpheus.shared.domain.traces import valid_traceparent

BODY = "orpheus.json"
CALLER = "orpheus.caller"
CONNECTION = "orpheus.connection"
"""Key of the connection's state: one of the open ones (api/http/open_connections.py)."""
TARGET_HOST = "orpheus.target_host"
"""Key of the request's state: the host in its target, where that is a whole URL."""
IS_HEAD = "orpheus.is_head"
"""Key in the scope of a HEAD request, which routes see as a GET: they start no endless answer."""

_MISSING = object()

Headers = Mapping[bytes, bytes]


def json_body(scope: Scope) -> Any:
    """Return the parsed body. Raises Refusal (400) if the request has none."""
    value = scope.get(BODY, _MISSING)
    if value is _MISSING:
        raise Refusal(400, "The body is empty; a JSON object is expected.")
    return value


def optional_json_body(scope: Scope) -> Any:
    """Return the parsed body, or an empty object if the request has none."""
    return scope.get(BODY, {})


def traceparent_of(scope: Scope) -> str | None:
    """Return the trace that the caller is in; None without exactly one valid header."""
    found = [value for name, value in scope["headers"] if name == b"traceparent"]
    return valid_traceparent(found[0].decode("latin-1")) if len(found) == 1 else None


def client_address(scope: Scope) -> str:
    """Return the address of the client (of the last proxy, if there is one)."""
    client = scope.get("client")
    return client[0] if client else ""


def caller_of(scope: Scope) -> Caller:
    """Return who sent the request, as the guard found out."""
    caller: Caller = scope.get(CALLER, NOBODY)
    return caller


def sight_of(scope: Scope) -> access.Scope | None:
    """Return which jobs the caller may see; None: all."""
    seen = caller_of(scope).scope
    return None if seen.has_everything else seen


def target_host(scope: Scope) -> str | None:
    """Return the host in the request's target, lower-case; None where the target is a path."""
    host: str | None = scope.get("state", {}).get(TARGET_HOST)
    return host


def connection_of(scope: Scope) -> OpenConnection | None:
    """Return the request's connection; None without a server."""
    connection: OpenConnection | None = scope.get("state", {}).get(CONNECTION)
    return connection
