"""/docs: Swagger UI from the package's own files, without a CDN and without an inline script.

FastAPI's page would load from elsewhere and run inline code, which no strict policy allows.
"""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Orpheus API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#ui", deepLinking: true, tryItOutEnabled: true, filter: true,
  validatorUrl: null,
});
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def docs_routes() -> list[Route]:
    """`/docs` and the files it needs."""
    return [
        Route("/docs", _page),
        Route("/docs/start.js", _start),
        *(
            Route(f"/docs/{name}", _file(name))
            for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
        ),
    ]


async def _page(_: Request) -> Response:
    headers = {"Content-Security-Policy": _POLICY}
    return Response(_PAGE, headers=headers, media_type="text/html")


async def _start(_: Request) -> Response:
    return Response(_START, media_type="text/javascript")


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    path = Path(str(files("fastapi_swagger.resources") / name))

    async def serve(_: Request) -> Response:
        return FileResponse(path)

    return serve
