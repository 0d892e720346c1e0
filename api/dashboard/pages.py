"""Serve the dashboard's pages and their static files.

A page holds structure only. Its scripts fetch everything about jobs and workers from the public
API and show it as text, so nothing here reads storage. The Content-Security-Policy below lets a
page load files from its own origin only and forbids inline scripts and styles, so that text
written by a job cannot become code.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from orpheus.api.dashboard.static_files import StaticFiles
from orpheus.api.dashboard.view import view_of
from orpheus.api.http.calls import parse_job_id
from orpheus.api.http.scope import caller_of

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_POLICY = {"Content-Security-Policy": _CONTENT_SECURITY_POLICY}
LOGIN_HEADERS = {**_POLICY, "Cache-Control": "no-store", "Vary": "Accept"}
LOGIN_FILES = frozenset(
    {
        "css/base.css",
        "css/login.css",
        "fonts/inter.woff2",
        "js/base/login.js",
        "js/base/theme-first.js",
        "favicon-ok.svg",
    }
)
"""The files of the login page: the only ones that are served without a login."""
_PLAIN = (
    "jobs", "queues", "schedules", "types", "errors", "history", "audit", "submit", "configuration",
)  # fmt: skip
_REVALIDATE = "no-cache"


class Pages(msgspec.Struct, frozen=True):
    """The routes `/`, `/ui/…` and `/ui/static/…`, and the login page as HTML if there are logins.

    `not_found` answers a browser that asked for something that is not there, with a sentence.
    Each page is made for its caller (api/dashboard/view.py).
    """

    routes: list[Route]
    login_page: str
    not_found: Callable[[Request, str], Response]


def make_pages(*, read_only: bool, needs_token: bool, root_path: str = "") -> Pages:
    """Read all files once and return the pages.

    `read_only`: the pages offer no action. `needs_token`: callers log in. `root_path`: what
    precedes the paths of all links.
    """
    files = StaticFiles(_HERE / "static", _POLICY)

    @cache
    def templates() -> "Environment":
        static = f"{root_path}/ui/static/{files.version}"
        known = {"static": static, "base": root_path, "read_only": read_only}
        return _templates(known | {"needs_token": needs_token})

    def rendered(
        request: Request, name: str, values: Mapping[str, object], status: int = 200
    ) -> Response:
        view = view_of(caller_of(request.scope), read_only=read_only)
        if why := view.refused.get(name):
            name, values = "not_found", {"heading": name.capitalize(), "detail": why}
        port = (request.scope.get("server") or ("", ""))[1]
        html = templates().get_template(f"{name}.html").render(values, view=view, port=port)
        return HTMLResponse(html, status, _POLICY | {"Cache-Control": _REVALIDATE})

    async def page(request: Request, name: str, **values: object) -> Response:
        if not templates.cache_info().currsize:
            await asyncio.to_thread(templates)  # no other request waits for the import
        return rendered(request, name, values)

    async def overview(request: Request) -> Response:
        if request.url.query:  # an address of an older version, with a filter
            return RedirectResponse(f"/ui/jobs?{request.url.query}", 302, _POLICY)
        if "overview" in view_of(caller_of(request.scope), read_only=read_only).refused:
            return RedirectResponse("/ui/jobs", 302, _POLICY)
        return await page(request, "overview")

    async def job(request: Request) -> Response:
        return await page(request, "job", job_id=parse_job_id(request.path_params["job_id"]))

    async def program(request: Request) -> Response:
        return await page(request, "program", slot=request.path_params["slot"])

    def not_found(request: Request, detail: str) -> Response:
        values = {"heading": "Not found", "detail": detail}
        response = rendered(request, "not_found", values, 404)
        response.headers["Vary"] = "Accept"
        return response

    routes = [
        Route("/", overview),
        *(Route(path, _to_overview) for path in ("/ui", "/ui/")),
        Route("/ui/jobs/{job_id}", job),
        Route("/ui/programs/{slot}", program),
        *(Route(f"/ui/{name}", partial(page, name=name)) for name in _PLAIN),
        Route("/ui/static/{version}/{path:path}", files.answer),
    ]
    login_page = templates().get_template("login.html").render() if needs_token else ""
    return Pages(routes, login_page, not_found)


async def _to_overview(_: Request) -> Response:
    return RedirectResponse("/", 302, _POLICY)


def _templates(known: Mapping[str, object]) -> "Environment":
    """Return the templates, in which the values `known` have names."""
    # Imported with the first page: it takes 30 ms, and many APIs never serve one.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    templates = Environment(
        loader=FileSystemLoader([_HERE / "templates", _HERE / "static"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(known)
    return templates
