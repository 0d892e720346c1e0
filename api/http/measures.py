"""What this process measures of itself, from its start: how long answers took, who listens.

Measured in one place, around everything else, so that what the guard refuses counts as well; kept
as plain numbers, as it is on the way of each request (about a microsecond). Labels are bounded:
a path counts under the template of its route, never as it was sent.
"""

import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets; behind them is one for what took longer."""
OTHER = "_other"
"""The label of paths that no route has, and of methods that are none of HTTP's own."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})

Labels = tuple[str, str, str]
"""Method, route and status class (`2xx`)."""


@dataclass(slots=True)
class Latencies:
    """How often an answer began within each of `BOUNDS_S`, and one beyond all; seconds in all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0


@dataclass(slots=True)
class Measures:
    """The figures. Changed and read on the event loop."""

    websockets: int = 0
    """WebSockets that are open now."""
    resets: int = 0
    """How often a listener of the stream lost events and began anew."""
    answers: dict[Labels, Latencies] = field(default_factory=dict)

    def answered(self, labels: Labels, took_s: float) -> None:
        """An answer began `took_s` after its request."""
        latencies = self.answers.get(labels)
        if latencies is None:
            latencies = self.answers[labels] = Latencies()
        latencies.counts[bisect_left(BOUNDS_S, took_s)] += 1
        latencies.sum_s += took_s

    def copy(self, *, resets: int) -> "Measures":
        """The figures of this moment, for another thread; `resets` as the broadcaster counts."""
        answers = {key: Latencies(list(one.counts), one.sum_s) for key, one in self.answers.items()}
        return Measures(self.websockets, resets, answers)


class Measured:
    """ASGI middleware, the outermost: an answer is timed to its beginning, as some never end."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], measures: Measures) -> None:
        self._app = app
        self._routes = routes
        self._measures = measures
        self._fixed = {path for route in routes if "{" not in (path := _template(route))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and measure."""
        began_s = time.perf_counter()
        measures = self._measures
        is_open = False

        async def answer(message: Message) -> None:
            nonlocal is_open
            kind = message["type"]
            if kind == "http.response.start":
                labels = (self._method(scope), self._route(scope), f"{message['status'] // 100}xx")
                measures.answered(labels, time.perf_counter() - began_s)
            elif kind == "websocket.accept":
                is_open = True
                measures.websockets += 1
            await send(message)

        try:
            await self._app(scope, receive, answer)
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
        """The route of a request that did not reach it, or one that leaves no trace of itself."""
        for route in self._routes:
            if route.matches(dict(scope))[0] is not Match.NONE:
                return route
        return None


def _template(route: BaseRoute) -> str:
    path: str = getattr(route, "path", OTHER)
    return path
