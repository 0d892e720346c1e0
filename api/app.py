"""The application: guard, then the hot route, then FastAPI with everything else.

POST /jobs does not go through FastAPI: its middleware, exit stacks and dependency solver cost
more than the job's own commit. FastAPI knows the route all the same, for /openapi.json.
"""

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from orpheus.api.contract import openapi
from orpheus.api.contract.docs import docs_routes
from orpheus.api.dashboard.pages import LOGIN_FILES, LOGIN_HEADERS, make_pages
from orpheus.api.http import problems as errors
from orpheus.api.http.auth import Doorkeeper
from orpheus.api.http.guard import Door, Guard, GuardRules, hosts_of
from orpheus.api.http.measures import Measured
from orpheus.api.routes import (
    actions,
    configuration,
    health,
    jobs,
    metrics,
    overview,
    queues,
    session,
    stream,
    supervision,
)
from orpheus.api.services import Services
from orpheus.shared.domain.handover import ApiHandover

_TITLE = "Orpheus"
_VERSION = "0.1.0"


def create_app(services: Services) -> ASGIApp:
    """The whole application on `services`, which the caller opened and will close."""
    app = FastAPI(
        title=_TITLE,
        version=_VERSION,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
    )
    options = services.options
    keeper = None if services.token is None else Doorkeeper(services.token)
    app.state.services, app.state.doorkeeper = services, keeper
    errors.install(app)
    for module in (
        jobs,
        actions,
        queues,
        supervision,
        overview,
        configuration,
        stream,
        health,
        metrics,
        session,
    ):
        app.router.routes.extend(module.router.routes)  # flat, so that a 405 can name every method
    pages = make_pages(read_only=options.read_only, has_sessions=keeper is not None)
    app.router.routes.extend([*docs_routes(), *pages.routes])
    cookie = None if keeper is None else keeper.cookie
    app.openapi = lambda: openapi.document(app, cookie)  # type: ignore[method-assign]
    door = None
    if keeper is not None:
        door = Door(keeper, pages.login_page, LOGIN_HEADERS, LOGIN_FILES)
    guard = Guard(HotRoute(app), rules_of(options), door)
    return Measured(guard, app.router.routes, services.measures)


def rules_of(options: ApiHandover) -> GuardRules:
    """What the guard lets pass, from the configuration."""
    return GuardRules(
        hosts=hosts_of(options.host, options.allowed_hosts),
        origins=frozenset(origin.lower() for origin in options.cors_origins),
        max_body_bytes=options.max_body_bytes,
        max_batch_body_bytes=options.max_batch_body_bytes,
        read_only=options.read_only,
    )


class HotRoute:
    """Answers POST /jobs itself, and passes the rest on."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Errors go up: the guard answers them."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == "/jobs":
            scope["app"] = self._app
            response = await jobs.submit_job(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)
