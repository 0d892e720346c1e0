"""What one request carries in its ASGI scope for the code behind: body, caller, address, limits.

The server and the guard (api/http/guard.py) write these values once; routes and streams read them
through the functions below.
"""

from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

from orpheus.api.http.auth import Caller
from orpheus.api.http.problems import Refusal

BODY = "orpheus.json"
CALLER = "orpheus.caller"
OVER_CLIENT_LIMIT = "orpheus.over_client_limit"
"""Key of the connection's state: it came when `max_clients` were connected already."""
IS_HEAD = "orpheus.is_head"
"""Key in the scope of a HEAD request, which routes see as a GET: do not start an endless answer."""

_MISSING = object()
_ANONYMOUS = Caller()

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


def client_address(scope: Scope) -> str:
    """Return the address of the client (of the last proxy, if there is one)."""
    client = scope.get("client")
    return client[0] if client else ""


def caller_of(scope: Scope) -> Caller:
    """Return who sent the request, as the guard found out."""
    caller: Caller = scope.get(CALLER, _ANONYMOUS)
    return caller


def is_over_client_limit(scope: Scope) -> bool:
    """Tell whether the connection was made when `max_clients` were connected already."""
    return bool(scope.get("state", {}).get(OVER_CLIENT_LIMIT))
