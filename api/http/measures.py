"""Measures since the start of this process: the times of answers, and the open WebSockets.

Answers are measured around everything else, so that refusals of the guard count as well. Labels
are bounded: a path counts under the template of its route, never as it was sent.
"""

import time
from collections.abc import Mapping, Sequence

import msgspec
from prometheus_client import Histogram, disable_created_metrics
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets; the last bucket has none."""
OTHER = "_other"
"""The label of paths without a route, and of methods that HTTP does not define."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})

disable_created_metrics()  # type: ignore[no-untyped-call]


def _answers() -> Histogram:
    return Histogram(
        "orpheus_http_request_seconds",
        "Time from a request to the beginning of its answer, by this API process.",
        labelnames=("method", "route", "status"),
        buckets=BOUNDS_S,
        registry=None,
    )


class Measures(msgspec.Struct):
    """The figures of one application."""

    websockets: int = 0
    """WebSockets that are open now."""
    answers: Histogram = msgspec.field(default_factory=_answers)
    """By method, route and status class (`2xx`)."""


class MeasuredApp:
    """The outermost ASGI middleware: times each answer until it begins, as streams never end."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], measures: Measures) -> None:
        self._app = app
        self._routes = routes
        self._measures = measures
        self._fixed = {path for route in routes if "{" not in (path := _template(route))}
        self._labelled: dict[tuple[str, str, str], Histogram] = {}  # labels() takes 2 us

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and measure it."""
        began_s = time.perf_counter()
        measures = self._measures
        is_open = False

        async def send_measured(message: Message) -> None:
            nonlocal is_open
            kind = message["type"]
            if kind in ("http.response.start", "websocket.http.response.start"):
                labels = (self._method(scope), self._route(scope), f"{message['status'] // 100}xx")
                if labels not in self._labelled:
                    self._labelled[labels] = measures.answers.labels(*labels)
                self._labelled[labels].observe(time.perf_counter() - began_s)
            elif kind == "websocket.accept":
                is_open = True
                measures.websockets += 1
            await send(message)

        try:
            await self._app(scope, receive, send_measured)
        finally:
            if is_open:
                measures.websockets -= 1

    @staticmethod
    def _method(scope: Scope) -> str:
        method: str = scope.get("method", "GET")  # a WebSocket that is refused has none
        return method if method in _METHODS else OTHER

    def _route(self, scope: Scope) -> str:
        path: str = scope["path"]
        if path in self._fixed:
            return path
        route = scope.get("route") or self._find(scope)
        return OTHER if route is None else _template(route)

    def _find(self, scope: Mapping[str, object]) -> BaseRoute | None:
        """Return the route of a request that did not reach it, or did not record it."""
        for route in self._routes:
            if route.matches(dict(scope))[0] is not Match.NONE:
                return route
        return None


def _template(route: BaseRoute) -> str:
    path: str = getattr(route, "path", OTHER)
    return path
