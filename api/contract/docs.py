"""/docs: Swagger UI from the package's own files, without a CDN and without inline scripts.

FastAPI's own page loads files from a CDN and runs inline code, which a strict policy forbids.
The page's addresses are relative, so that it works behind a proxy with a prefix.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from orpheus.shared.resources import folder_of

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Orpheus API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#ui", deepLinking: true, tryItOutEnabled: true, filter: true,
  validatorUrl: null,
});
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def docs_routes(document: Callable[[], Awaitable[bytes]]) -> list[Route]:
    """Return the routes of `/openapi.json`, which `document` makes, of `/docs` and of its files."""

    async def openapi(_: Request) -> Response:
        return Response(await document(), media_type="application/json")

    async def page(_: Request) -> Response:
        headers = {"Content-Security-Policy": _POLICY}
        return Response(_PAGE, headers=headers, media_type="text/html")

    async def start(_: Request) -> Response:
        return Response(_START, media_type="text/javascript")

    async def file(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return FileResponse(folder_of("fastapi_swagger.resources") / name)

    names = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
    return [
        Route("/openapi.json", openapi, include_in_schema=False),
        Route("/docs", page),
        Route("/docs/start.js", start),
        *(Route(f"/docs/{name}", file) for name in names),
    ]
