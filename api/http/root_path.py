"""ASGI middleware for an API behind a proxy with a prefix (`[api] root_path`).

It stands before the guard, so that the guard and the routes see the same path, without the prefix.
A proxy may remove the prefix or keep it. Location headers get it here; pages, cookies and
/openapi.json contain it already.
"""

from collections.abc import Iterable

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RootPath:
    """Removes the prefix `root_path` from paths that begin with it, and adds it to Location."""

    def __init__(self, app: ASGIApp, root_path: str, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._prefix = root_path
        self._first_parts = {_first_part(getattr(route, "path", "/")) for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on without the prefix."""

        async def send_located(message: Message) -> None:
            if message["type"] == "http.response.start":
                prefix = self._prefix.encode()
                message["headers"] = [
                    (name, prefix + value if name == b"location" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        path = self._without_prefix(scope["path"])
        await self._app({**scope, "path": path}, receive, send_located)

    def _without_prefix(self, path: str) -> str:
        # With the prefix "/jobs", a proxy that removes it sends /jobs/7 for the call /jobs/7. So
        # the prefix is removed only before a path of the API: from /jobs/jobs/7, and not from
        # /jobs/7.
        rest = path.removeprefix(self._prefix)
        if path == self._prefix and _first_part(path) not in self._first_parts:
            return "/"
        is_below = path.startswith(f"{self._prefix}/")
        return rest if is_below and _first_part(rest) in self._first_parts else path


def _first_part(path: str) -> str:
    return path.split("/", 2)[1]
