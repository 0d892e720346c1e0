"""How a request is sent: over connections that are kept, blocking or awaited. Imports httpx2.

A connection is used by the process that opened it, and by one event loop. After a fork, or on
another loop, a new pool is made, and the old one is left to the process or loop that owns it.
"""

import asyncio
import os
import re
import threading
from collections.abc import Mapping
from typing import Any

import httpx2
import msgspec

from orpheus.client.steps import Answer, Failure, Send

_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
_LARGE_BYTES = 65_536
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Server(msgspec.Struct, frozen=True):
    """Where the API is, and the token that it wants."""

    url: str
    token: str | None
    timeout_s: float
    """How long a request may take, apart from the time for which it asks the server to wait."""

    def __post_init__(self) -> None:
        """Check the URL. Raises ValueError if it is not the URL of a server."""
        shown = _without_secrets(self.url)
        try:
            parsed = httpx2.URL(self.url)
        except httpx2.InvalidURL as error:
            reason = "" if shown != self.url else f": {error}"  # it may quote the URL
            raise ValueError(f"{shown!r} is no URL{reason}") from None
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError(f"{shown!r} is no URL of a server, such as http://127.0.0.1:8000")

    def __repr__(self) -> str:
        return f"Server({_without_secrets(self.url)!r})"  # without the token

    def options(self) -> dict[str, Any]:
        """Return the arguments with which a client of httpx2 is made."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"base_url": self.url, "headers": headers, "limits": _LIMITS}

    def request(self, send: Send) -> dict[str, Any]:
        """Return the arguments with which a client of httpx2 sends a request."""
        headers = {}
        if send.body is not None:
            headers["Content-Type"] = "application/json"
        if send.key is not None:
            headers["Idempotency-Key"] = send.key
        if send.traceparent is not None:
            headers["traceparent"] = send.traceparent
        return {
            "method": send.method,
            "url": send.path,
            "params": dict(send.query),
            "content": send.body,
            "headers": headers,
            "timeout": httpx2.Timeout(self.timeout_s, read=self.timeout_s + send.hold_s),
        }


def _without_secrets(url: str) -> str:
    """Return a URL as an error may show it: where it can hold a password, only its scheme."""
    if "@" not in url and "?" not in url:
        return url
    scheme = re.match(r"[a-z][a-z0-9+.-]*://", url, re.IGNORECASE)
    return f"{scheme[0] if scheme else ''}…"


class _Here(threading.local):
    requests = 0
    """How many requests this thread is inside of."""


class BlockingTransport:
    """Sends requests from any thread."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._here = _Here()
        self._pools: dict[tuple[int, int], httpx2.Client] = {}
        """(process, how many requests were interrupted) -> the pool. After a fork, those of the
        parent stay, and are not closed here."""

    def perform(self, step: Send) -> Answer | Failure:
        """Send the request, and return what the server answers."""
        interrupted = self._here.requests
        try:
            self._here.requests += 1
            return _answer(self._pool(interrupted).request(**self._server.request(step)))
        except httpx2.TransportError as error:
            return _failure(error)
        finally:
            self._here.requests = interrupted

    def _pool(self, interrupted: int) -> httpx2.Client:
        key = os.getpid(), interrupted
        pool = self._pools.get(key)
        if pool is None:  # the first one set is used by all; a lock could be held at a fork
            pool = self._pools.setdefault(key, httpx2.Client(**self._server.options()))
        return pool

    def close(self) -> None:
        """Close the connections."""
        for key in [key for key in self._pools if key[0] == os.getpid()]:
            self._pools.pop(key).close()


class AwaitedTransport:
    """Sends requests on the running event loop."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pool: tuple[asyncio.AbstractEventLoop, httpx2.AsyncClient] | None = None
        self._blocking = BlockingTransport(server)

    async def perform(self, step: Send) -> Answer | Failure:
        """Send the request, and return what the server answers."""
        if step.body is not None and len(step.body) > _LARGE_BYTES:
            # asyncio loses an answer that comes before the body is written: it is too large
            return await asyncio.to_thread(self._blocking.perform, step)
        loop = asyncio.get_running_loop()
        if self._pool is None or self._pool[0] is not loop:
            self._pool = (loop, httpx2.AsyncClient(**self._server.options()))
        try:
            return _answer(await self._pool[1].request(**self._server.request(step)))
        except httpx2.TransportError as error:
            return _failure(error)

    async def close(self) -> None:
        """Close the connections."""
        pool, self._pool = self._pool, None
        if pool is not None and pool[0] is asyncio.get_running_loop():
            await pool[1].aclose()
        self._blocking.close()


def _answer(response: httpx2.Response) -> Answer:
    headers: Mapping[str, str] = response.headers
    return Answer(response.status_code, headers, response.content)


def _failure(error: httpx2.TransportError) -> Failure:
    reason = f"{error.request.url.host}:{error.request.url.port or ''} does not answer: {error}"
    return Failure(reason, was_sent=not isinstance(error, _NEVER_SENT))
