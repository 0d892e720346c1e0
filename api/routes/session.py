"""The dashboard's session: the token is exchanged for a cookie, once for every browser.

Nothing of it is stored, so one can log in where the database cannot be written, and where the API
is read-only. Who logs in and out stands in the log; what they then do, in the trail.
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract import schemas
from orpheus.api.contract.openapi import body, problems
from orpheus.api.http.auth import CHALLENGE, SESSION_S, Doorkeeper
from orpheus.api.http.calls import answer, checked
from orpheus.api.http.guard import SESSION_PATH, address_of, caller_of, json_of
from orpheus.api.http.problems import Refusal
from orpheus.api.services import services_of
from orpheus.shared.logs import get_logger
from orpheus.shared.views.jobs import rfc3339

log = get_logger()
router = APIRouter(tags=["session"])


@router.get(SESSION_PATH, response_model=schemas.Session, responses=problems())
async def get_session(request: Request) -> Response:
    """Whether the caller may change anything, and until when it is let in."""
    caller = caller_of(request.scope)
    ends_at = None if caller.session_id is None else rfc3339(int(caller.ends_at_s) * 1000)
    read_only = services_of(request).options.read_only
    return answer({"read_only": read_only, "ends_at": ends_at})


@router.post(
    SESSION_PATH,
    status_code=204,
    response_class=Response,
    responses=problems(403, 409, 413, 415, 422),
    openapi_extra=body(schemas.Login),
)
async def open_session(request: Request) -> Response:
    """Exchange the token for a session: a cookie that lasts 12 hours."""
    shown = checked(schemas.Login, json_of(request.scope)).token
    keeper: Doorkeeper | None = request.app.state.doorkeeper
    if keeper is None:
        raise Refusal(409, "This API asks for no token (api.token_file), so there is no session.")
    address = address_of(request.scope)
    if not keeper.is_token(shown):
        await keeper.slow_down(address)
        raise Refusal(401, "The token is not the right one.", headers=CHALLENGE)
    value, session_id = keeper.new_session()
    log.info("session_opened", client=address, session=session_id)
    done = Response(status_code=204)
    done.set_cookie(
        keeper.cookie,
        value,
        max_age=SESSION_S,
        secure=_is_https(request),
        httponly=True,
        samesite="strict",
    )
    return done


@router.delete(
    SESSION_PATH,
    status_code=204,
    response_class=Response,
    responses=problems(403, 413, 415),
)
async def close_session(request: Request) -> Response:
    """Have the browser forget its session."""
    keeper: Doorkeeper | None = request.app.state.doorkeeper
    done = Response(status_code=204)
    if keeper is not None:
        log.info(
            "session_closed",
            client=address_of(request.scope),
            session=caller_of(request.scope).session_id,
        )
        done.delete_cookie(
            keeper.cookie, secure=_is_https(request), httponly=True, samesite="strict"
        )
    return done


def _is_https(request: Request) -> bool:
    """Whether the browser speaks TLS, maybe to a proxy before us: its Origin tells."""
    origin = request.headers.get("origin", "")
    return request.url.scheme == "https" or origin.lower().startswith("https://")
