"""The headers that every answer has, so that no route can forget one.

What a route sets itself stays: a page has its own policy for what it may load. Everything else may
load nothing at all, be framed by nobody and be kept by no cache.
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
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match",
    "Access-Control-Max-Age": "600",
}
"""What a page of a listed origin may send."""

RawHeaders = list[tuple[bytes, bytes]]


class AnswerHeaders:
    """Completes answers. `origins`: those whose pages may read them; no cookie is theirs."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins
        self._date_s = 0
        self._date = b""

    def complete(self, headers: RawHeaders, origin: bytes | None) -> None:
        """Add what is not there yet. `origin`: the request's, if it has one."""
        now_s = int(time.time())
        if now_s != self._date_s:
            self._date_s, self._date = now_s, formatdate(now_s, usegmt=True).encode()
        headers.append((b"date", self._date))
        names = {name for name, _ in headers}
        headers.extend(header for header in _ALWAYS if header[0] not in names)
        if self._origins:  # a cache must not give one origin's answer to another
            headers.append((b"vary", b"Origin"))
            if origin is not None and self.is_listed(origin):
                headers.append((b"access-control-allow-origin", origin))
                headers.append((b"access-control-expose-headers", _EXPOSED))

    def is_listed(self, origin: bytes) -> bool:
        """Whether pages of this origin may call."""
        return origin.decode("latin-1").lower() in self._origins

    def is_preflight(self, scope: Scope, origin: bytes | None, asked: bytes | None) -> bool:
        """Whether a browser asks if a page of a listed origin may send what it wants to."""
        is_question = scope["type"] == "http" and scope["method"] == "OPTIONS" and asked is not None
        return is_question and origin is not None and self.is_listed(origin)
