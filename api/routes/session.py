"""The dashboard's session: a browser exchanges the token once for a cookie.

Nothing is stored, so a login works while the database cannot be written, and if the API is
read-only. Logins are written to the log; what operators then do, to the audit log.
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, body, problems
from orpheus.api.contract.requests import Login
from orpheus.api.http.auth import CHALLENGE, SESSION_S, Authenticator
from orpheus.api.http.calls import json_response, read_body
from orpheus.api.http.guard import SESSION_PATH
from orpheus.api.http.problems import Refusal
from orpheus.api.http.scope import caller_of, client_address
from orpheus.api.services import services_of
from orpheus.shared.domain.access import Role
from orpheus.shared.logs import get_logger
from orpheus.shared.messages.encoding import time_of
from orpheus.shared.messages.http import Session

log = get_logger()
router = APIRouter(tags=["session"])


@router.get(SESSION_PATH, responses=answers(Session) | problems())
async def get_session(request: Request) -> Response:
    """Who the caller is, what it may do and see, and when its session ends."""
    caller = caller_of(request.scope)
    ends_at = None if caller.session_id is None else time_of(int(caller.ends_at_s) * 1000)
    read_only = services_of(request).options.read_only
    role, scope = caller.role or Role.VIEWER, caller.scope
    return json_response(
        Session(read_only, ends_at, caller.name or None, role, scope.queues, scope.types)
    )


@router.post(
    SESSION_PATH,
    status_code=204,
    response_class=Response,
    responses=problems(403, 409, 413, 415, 422),
    openapi_extra=body(Login),
)
async def open_session(request: Request) -> Response:
    """Exchange the token for a session: a cookie that lasts 12 hours."""
    token = read_body(request, Login).token
    authenticator: Authenticator | None = request.app.state.authenticator
    if authenticator is None:
        raise Refusal(409, "This API needs no token (api.token_file), so there is no session.")
    address = client_address(request.scope)
    caller = authenticator.caller_with(token)
    if caller is None:
        await authenticator.delay_refusal(address)
        raise Refusal(401, "Wrong token.", headers=CHALLENGE)
    value, session_id = authenticator.new_session(token)
    log.info("session_opened", client=address, session=session_id, token=caller.name)
    response = Response(status_code=204)
    response.set_cookie(
        authenticator.cookie,
        value,
        path=_path(request),
        max_age=SESSION_S,
        secure=_is_https(request),
        httponly=True,
        samesite="strict",
    )
    return response


@router.delete(
    SESSION_PATH,
    status_code=204,
    response_class=Response,
    responses=problems(403, 413, 415),
)
async def close_session(request: Request) -> Response:
    """End the session, with its streams, and make the browser forget it."""
    authenticator: Authenticator | None = request.app.state.authenticator
    response = Response(status_code=204)
    if authenticator is not None:
        caller = caller_of(request.scope)
        authenticator.close_session(caller)
        log.info("session_closed", client=client_address(request.scope), session=caller.session_id)
        response.delete_cookie(
            authenticator.cookie,
            path=_path(request),
            secure=_is_https(request),
            httponly=True,
            samesite="strict",
        )
    return response


def _path(request: Request) -> str:
    """Return the path for which the browser keeps the cookie."""
    return services_of(request).options.root_path or "/"


def _is_https(request: Request) -> bool:
    """Tell whether the browser uses TLS, maybe to a proxy: its Origin says so."""
    origin = request.headers.get("origin", "")
    return request.url.scheme == "https" or origin.lower().startswith("https://")
