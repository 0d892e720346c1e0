"""The application: the guard, the fast path of POST /jobs, then FastAPI with the rest.

POST /jobs does not go through FastAPI, whose middleware, exit stacks and dependency solver cost
more than the job's commit. FastAPI still has the route, for /openapi.json.
"""

import asyncio
from hashlib import sha256

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from orpheus.api.contract import openapi
from orpheus.api.contract.access import call_of
from orpheus.api.contract.docs import docs_routes
from orpheus.api.dashboard.pages import LOGIN_FILES, LOGIN_HEADERS, make_pages
from orpheus.api.database.shared_read import SharedRead
from orpheus.api.http import problems
from orpheus.api.http.auth import Authenticator
from orpheus.api.http.guard import Guard, GuardRules, LoginRules, allowed_hosts
from orpheus.api.http.root_path import RootPath
from orpheus.api.routes import (
    audit,
    configuration,
    durable,
    health,
    history,
    job_actions,
    jobs,
    metrics,
    overview,
    queues,
    schedules,
    session,
    stream,
    workers,
)
from orpheus.api.routes.enforced import check, enforce
from orpheus.api.services import Services
from orpheus.shared.domain.handover import ApiHandover
from orpheus.shared.messages.encoding import encode
from orpheus.shared.storage import shown_url
from orpheus.shared.version import VERSION

_TITLE = "Orpheus"
_ROUTERS = (
    jobs.router,
    job_actions.router,
    durable.router,
    audit.router,
    queues.router,
    schedules.router,
    workers.router,
    workers.overview,
    overview.router,
    history.router,
    configuration.router,
    stream.router,
    health.router,
    metrics.router,
    session.router,
)


def create_app(services: Services) -> ASGIApp:
    """Return the whole application on `services`, which the caller opened and will close."""
    app = FastAPI(
        title=_TITLE,
        version=VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
    )
    options = services.options
    authenticator = None
    if services.keys or options.proxy is not None:
        authenticator = Authenticator(services.keys, cookie_name(options), options.proxy)
    app.state.services, app.state.authenticator = services, authenticator
    root_path = options.root_path
    pages = make_pages(
        read_only=options.read_only,
        needs_token=authenticator is not None,
        root_path=root_path,
    )
    problems.install(app, pages.not_found)
    for router in _ROUTERS:
        app.router.routes.extend(router.routes)  # flat, so that a 405 can name every method
    cookie = None if authenticator is None else authenticator.cookie
    # On a thread: to make the document takes a third of a second.
    document = SharedRead(
        lambda: asyncio.to_thread(lambda: encode(openapi.document(app, cookie, root_path)))
    )
    app.router.routes.extend([*docs_routes(document.get), *pages.routes])
    login = None
    if authenticator is not None:
        login = LoginRules(authenticator, pages.login_page, LOGIN_HEADERS, LOGIN_FILES)
    enforce(app.router.routes)
    guard = Guard(FastPath(app), rules_of(options), login)
    return RootPath(guard, root_path, app.router.routes) if root_path else guard


def cookie_name(options: ApiHandover) -> str:
    """Return the name of the session's cookie: another one for each database."""
    database = shown_url(options.storage.url) + options.storage.state_dir
    return f"orpheus_{sha256(database.encode()).hexdigest()[:8]}"


def rules_of(options: ApiHandover) -> GuardRules:
    """Return the rules of the guard, as the configuration sets them."""
    return GuardRules(
        hosts=allowed_hosts(options.host, options.allowed_hosts),
        origins=frozenset(origin.lower() for origin in options.cors_origins),
        max_body_bytes=options.max_body_bytes,
        max_batch_body_bytes=options.max_batch_body_bytes,
        read_only=options.read_only,
    )


class FastPath:
    """ASGI middleware that answers POST /jobs itself and passes everything else on."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on. Errors are raised: the guard answers them."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == "/jobs":
            scope["app"] = self._app
            await check(scope, call_of("POST", "/jobs"))
            response = await jobs.submit_job(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)
