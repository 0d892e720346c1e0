"""The headers of every answer, added in one place so that no route can forget one.

A header that a route sets itself is kept: a page has its own policy for what it may load. All
other answers may not load anything, be framed or be cached.

Cross-origin requests (CORS) are answered here. Starlette's middleware would answer a preflight with
200, or 400 in plain text, and add its headers only to what has passed the guard.
"""

import time
from email.utils import formatdate

from starlette.types import Scope

_POLICY = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_ALWAYS = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_EXPOSED = b"ETag, Location, Retry-After, Idempotent-Replayed, WWW-Authenticate"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, If-Match, Traceparent"
    ),
    "Access-Control-Max-Age": "600",
}
"""The headers that a page of a listed origin may send."""

RawHeaders = list[tuple[bytes, bytes]]


class AnswerHeaders:
    """Adds headers to answers. Pages of `origins` may read them, but never send a cookie."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins
        self._date_s = 0
        self._date = b""

    def complete(self, headers: RawHeaders, origin: bytes | None) -> None:
        """Add every header that is missing. `origin`: the request's, if it has one."""
        now_s = int(time.time())
        if now_s != self._date_s:
            self._date_s, self._date = now_s, formatdate(now_s, usegmt=True).encode()
        headers.append((b"date", self._date))
        names = {name for name, _ in headers}
        headers.extend(header for header in _ALWAYS if header[0] not in names)
        if self._origins:  # a cache must not give one origin's answer to another
            headers.append((b"vary", b"Origin"))
            if origin is not None and self._is_listed(origin):
                headers.append((b"access-control-allow-origin", origin))
                headers.append((b"access-control-expose-headers", _EXPOSED))

    def is_preflight(
        self, scope: Scope, origin: bytes | None, requested_method: bytes | None
    ) -> bool:
        """Tell whether a browser asks what a page of a listed origin may send."""
        if scope["type"] != "http" or scope["method"] != "OPTIONS" or requested_method is None:
            return False
        return origin is not None and self._is_listed(origin)

    def _is_listed(self, origin: bytes) -> bool:
        return origin.decode("latin-1").lower() in self._origins
