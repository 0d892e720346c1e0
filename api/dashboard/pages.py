"""The dashboard's pages and the files they need.

The pages hold structure only: everything about jobs and workers is fetched by their scripts from
the same API that everyone uses, and shown as text. So a page that was opened keeps nothing of the
server but its address, and nothing here reads storage. The policy below lets a page load from its
own origin alone and run no inline script or style: text that a job wrote cannot become code.

Static files live under a path that names their content, so browsers may keep them for ever and a
new version is never mixed with an old one.
"""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

_HERE = Path(__file__).parent
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_POLICY = {"Content-Security-Policy": _CONTENT_SECURITY_POLICY}
LOGIN_HEADERS = {**_POLICY, "Cache-Control": "no-store", "Vary": "Accept"}
LOGIN_FILES = frozenset(
    {"css/base.css", "css/login.css", "js/login.js", "js/theme-first.js", "favicon-ok.svg"}
)
"""What the login page loads: all that is served to those who have not logged in."""
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


@dataclass(frozen=True, slots=True)
class Pages:
    """The routes `/`, `/ui/…` and `/ui/static/…`; and the login page."""

    routes: list[Route]
    login_page: str


def make_pages(*, read_only: bool, has_sessions: bool) -> Pages:
    """All pages. Reads all files once. `read_only`: they offer no action."""
    files = _read_files(_HERE / "static")
    version = _version_of(files)
    templates = Environment(
        loader=FileSystemLoader([_HERE / "templates", _HERE / "static"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["static"] = f"/ui/static/{version}"
    templates.globals["read_only"] = read_only
    templates.globals["has_sessions"] = has_sessions

    def page(name: str, **values: object) -> Response:
        headers = _POLICY | {"Cache-Control": _ASK_AGAIN}
        return HTMLResponse(templates.get_template(name).render(values), headers=headers)

    async def overview(_: Request) -> Response:
        return page("overview.html")

    async def job(request: Request) -> Response:
        return page("job.html", job_id=request.path_params["job_id"])

    async def submit(_: Request) -> Response:
        return page("submit.html")

    async def configuration(_: Request) -> Response:
        return page("configuration.html")

    async def static(request: Request) -> Response:
        path = request.path_params["path"]
        if path not in files:
            raise HTTPException(404)
        # A page of an older version asks by its own name: it gets what there is, for this once.
        kept = _FOREVER if request.path_params["version"] == version else _ASK_AGAIN
        headers = _POLICY | {"Cache-Control": kept}
        return Response(files[path], media_type=_media_type(path), headers=headers)

    routes = [
        Route("/", overview),
        Route("/ui/jobs/{job_id:int}", job),
        Route("/ui/submit", submit),
        Route("/ui/configuration", configuration),
        Route("/ui/static/{version}/{path:path}", static),
    ]
    return Pages(routes, templates.get_template("login.html").render())


def _read_files(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its path there."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _version_of(files: dict[str, bytes]) -> str:
    """One name for the content of all files: modules import each other by relative paths."""
    digest = hashlib.sha256()
    for path, content in files.items():
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _media_type(path: str) -> str:
    if path.endswith(".js"):  # some systems map .js to types that browsers refuse for modules
        return "text/javascript"
    return mimetypes.guess_type(path)[0] or "application/octet-stream"
