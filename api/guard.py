"""What stands before the application: no request reaches a route unless it passed here.

In this order, cheapest first: too many clients (503), the Host (400: a page that rebinds its DNS
name to this address sends its own), the origin of writes and WebSockets (403: another site's page
in the operator's browser), the content type (415: a cross-site form cannot send JSON), the size
(413), and the strict JSON gate (400, 422). What passes has its body parsed, once, for `json_of`.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message as HeaderParser
from email.utils import formatdate
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import strict_json
from api.errors import Refusal, refusal_of
from shared.logs import get_logger

log = get_logger()

_BODY = "orpheus.json"
_NO_BODY = object()
_LARGE_BODY_BYTES = 65_536  # parsed on a thread: 16 MiB would hold the event loop for 100 ms
_BATCH_PATH = "/jobs/batch"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104
_SECURITY_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class GuardRules:
    """What the guard lets pass. Sizes in bytes."""

    hosts: frozenset[str]
    """Lower-case values of Host, with a port or without one (then any port will do)."""
    origins: frozenset[str]
    """Origins besides the called host's own that may write (`https://tool.example`)."""
    max_body_bytes: int
    max_batch_body_bytes: int
    max_clients: int
    """Requests and WebSockets at one time."""


def hosts_of(bound_host: str, extra: Iterable[str]) -> frozenset[str]:
    """The names by which this API may be called: loopback, the bound host, and `extra`."""
    names = {*_LOOPBACK_NAMES, *(name.lower() for name in extra)}
    if bound_host not in _ANY_ADDRESS:
        names.add(f"[{bound_host}]" if ":" in bound_host else bound_host.lower())
    return frozenset(names)


def json_of(scope: Scope) -> Any:
    """The parsed body of a request that passed the guard. Raises Refusal (400) if it has none."""
    value = scope.get(_BODY, _NO_BODY)
    if value is _NO_BODY:
        raise Refusal(400, "The body is empty; a JSON object is expected.")
    return value


def optional_json_of(scope: Scope) -> Any:
    """The parsed body of a request that may have none: then an empty object."""
    return scope.get(_BODY, {})


class Guard:
    """ASGI middleware that applies `rules`, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, rules: GuardRules) -> None:
        self._app = app
        self._rules = rules
        self._clients = 0
        self._date_s = 0
        self._date = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._complete(message["headers"])
            elif message["type"] == "websocket.accept":
                started = True
            await send(message)

        self._clients += 1
        try:
            if self._clients > self._rules.max_clients:
                raise Refusal(503, f"{self._rules.max_clients} clients are connected already.")
            await self._app(await self._checked(scope, receive), receive, answer)
        except Exception as error:  # whatever it is, the client gets a problem
            refusal = refusal_of(error)
            if refusal.status == 500:
                log.exception("request_failed", path=scope["path"])
            if not started:
                await refusal.response()(scope, receive, answer)
        finally:
            self._clients -= 1

    async def _checked(self, scope: Scope, receive: Receive) -> Scope:
        rules = self._rules
        headers = dict(scope["headers"])
        host = check_host(scope["headers"], rules.hosts)
        if scope["type"] == "websocket":
            check_websocket_origin(headers, host, rules.origins)
            return scope
        if scope["method"] in _SAFE_METHODS:
            # The server drops the body of an answer to HEAD; routes need not know the method.
            return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        check_write_origin(headers, host, rules.origins)
        is_batch = scope["path"] == _BATCH_PATH
        limit = rules.max_batch_body_bytes if is_batch else rules.max_body_bytes
        body = await read_body(headers, receive, limit)
        if len(body) > _LARGE_BODY_BYTES:
            scope[_BODY] = await asyncio.to_thread(strict_json.parse, body)
        elif body:
            scope[_BODY] = strict_json.parse(body)
        return scope

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> None:
        now_s = int(time.time())
        if now_s != self._date_s:
            self._date_s, self._date = now_s, formatdate(now_s, usegmt=True).encode()
        headers.append((b"date", self._date))
        names = {name for name, _ in headers}
        headers.extend(header for header in _SECURITY_HEADERS if header[0] not in names)


def check_host(headers: Iterable[tuple[bytes, bytes]], hosts: frozenset[str]) -> str:
    """The request's Host, lower-case. Raises Refusal (400) unless it has one that is allowed."""
    found = [value for name, value in headers if name == b"host"]
    if len(found) != 1:
        raise Refusal(400, f"The request has {len(found)} Host headers; exactly one is needed.")
    host = found[0].decode("latin-1").lower()
    if host not in hosts and _without_port(host) not in hosts:
        raise Refusal(
            400,
            f"This server is not called {host[:200]!r}. Another name by which it may be called "
            "goes into allowed_hosts in the [api] table of the configuration.",
        )
    return host


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isascii() and port.isdigit()) else host


def check_write_origin(headers: Headers, host: str, trusted: frozenset[str]) -> None:
    """Raises Refusal (403) if a browser sent this write for a page of another site.

    A browser tells by Sec-Fetch-Site or Origin; a program such as curl sends neither.
    """
    site = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin")
    if site in (b"same-origin", b"none") or (site is None and origin is None):
        return
    if origin is not None and _is_trusted(origin, host, trusted):
        return
    raise Refusal(403, "A page of another site may not change anything here.")


def check_websocket_origin(headers: Headers, host: str, trusted: frozenset[str]) -> None:
    """Raises Refusal (403) if a page of another site opens this WebSocket."""
    origin = headers.get(b"origin")
    if origin is not None and not _is_trusted(origin, host, trusted):
        raise Refusal(403, "A page of another site may not listen here.")


def _is_trusted(origin: bytes, host: str, trusted: frozenset[str]) -> bool:
    text = origin.decode("latin-1").lower()
    return text in (f"http://{host}", f"https://{host}") or text in trusted


async def read_body(headers: Headers, receive: Receive, limit_bytes: int) -> bytes:
    """The whole body. Raises Refusal: 413 if it is larger, 415 if it is there but not JSON."""
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The body ended early.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
    if body:
        check_content_type(headers.get(b"content-type", b""))
    return body


def check_content_type(content_type: bytes) -> None:
    """Raises Refusal (415) unless it is `application/json`, in UTF-8 if it names a charset."""
    if content_type == b"application/json":
        return
    parsed = HeaderParser()
    parsed["content-type"] = content_type.decode("latin-1")
    is_json = content_type and parsed.get_content_type() == "application/json"
    if not is_json or parsed.get_content_charset("utf-8") != "utf-8":
        shown = content_type.decode("latin-1")[:200] or "missing"
        raise Refusal(
            415,
            f"The content type is {shown}; application/json is expected. With curl, write "
            "--json instead of -d, or add -H 'Content-Type: application/json'.",
        )


def _too_large(limit_bytes: int) -> Refusal:
    detail = f"The body is larger than {limit_bytes} bytes."
    return Refusal(413, detail, headers={"Connection": "close"})
