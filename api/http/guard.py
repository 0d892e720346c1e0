"""What stands before the application: no request reaches a route unless it passed here.

In this order, cheapest first: the limit of clients (503), the Host (400: a page that rebinds its
DNS name to this address sends its own), the origin of writes and WebSockets (403: another site's
page in the operator's browser), the token or session (401), read-only (403), the content type
(415: a cross-site form cannot send JSON), the size (413), and the strict JSON gate (400, 422).
What passes has its body parsed, once, for `json_of`, and says who sent it, for `caller_of`.

Without a token are reached: /healthz and /readyz, for those who watch whether we live; the login
page, which is what a browser is shown with its 401, and its files; and POST /session, which takes
the token. Everything else asks for it, also /metrics, /docs and /openapi.json.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message as HeaderParser
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orpheus.api.http import strict_json
from orpheus.api.http.auth import CHALLENGE, Caller, Doorkeeper, bearer_of
from orpheus.api.http.headers import PREFLIGHT, AnswerHeaders
from orpheus.api.http.problems import Refusal, refusal_of
from orpheus.api.server.connections import is_beyond_limit
from orpheus.shared.logs import get_logger

log = get_logger()

_BODY = "orpheus.json"
_CALLER = "orpheus.caller"
_NO_BODY = object()
_LARGE_BODY_BYTES = 65_536  # parsed on a thread: 16 MiB would hold the event loop for 100 ms
_BATCH_PATH = "/jobs/batch"
HEAD_ONLY = "orpheus.head_only"
"""In the scope of a GET that was a HEAD: what never ends is not to begin."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104
_HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
_STATIC_PATH = "/ui/static/"
_STREAMS = frozenset({"/ws", "/events"})
_SESSION_ENDED = 1008  # RFC 6455: against a policy
SESSION_PATH = "/session"
_LARGEST_LOGIN_BYTES = 8_192

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
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Door:
    """Who checks the token, and what those see who have none: a page, and its static files."""

    keeper: Doorkeeper
    login_page: str
    login_headers: Mapping[str, str]
    login_files: frozenset[str]

    def is_open(self, scope: Scope) -> bool:
        """Whether anyone may call this."""
        path = scope["path"]
        if path.startswith(_STATIC_PATH):
            return "".join(path.split("/", 4)[4:]) in self.login_files
        is_login = path == SESSION_PATH and scope.get("method") == "POST"
        return path in _HEALTH_PATHS or is_login


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


def address_of(scope: Scope) -> str:
    """The address that a request comes from, of a proxy if it came through one."""
    client = scope.get("client")
    return client[0] if client else ""


def caller_of(scope: Scope) -> Caller:
    """Who sent a request that passed the guard."""
    caller: Caller = scope.get(_CALLER, _ANYONE)
    return caller


_ANYONE = Caller()


class Guard:
    """ASGI middleware that applies `rules`, and adds the headers that every answer has.

    `door`: None, where no token is asked for.
    """

    def __init__(self, app: ASGIApp, rules: GuardRules, door: Door | None = None) -> None:
        self._app = app
        self._rules = rules
        self._door = door
        self._headers = AnswerHeaders(rules.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                started = True
                self._headers.complete(message["headers"], origin)
            elif message["type"] == "websocket.accept":
                started = True
            await send(message)

        try:
            await self._answer(scope, headers, receive, answer)
        except Exception as error:  # whatever it is, the client gets a problem
            refusal = refusal_of(error)
            if refusal.status == 500:
                log.exception("request_failed", path=scope["path"])
            if not started:
                await self._shown(refusal, scope, headers)(scope, receive, answer)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, answer: Send) -> None:
        if is_beyond_limit(scope) and scope["path"] not in _HEALTH_PATHS:
            detail = "As many clients are connected as may be (max_clients)."
            raise Refusal(503, detail, headers={"Connection": "close"})
        rules = self._rules
        host = check_host(scope["headers"], rules.hosts)
        asked = headers.get(b"access-control-request-method")
        if self._headers.is_preflight(scope, headers.get(b"origin"), asked):
            await Response(status_code=204, headers=PREFLIGHT)(scope, receive, answer)
            return
        is_write = scope["type"] == "http" and scope["method"] not in _SAFE_METHODS
        if is_write:
            check_write_origin(headers, host, rules.origins)
        elif scope["type"] == "websocket":
            check_websocket_origin(headers, host, rules.origins)
        caller = scope[_CALLER] = await self._admitted(scope, headers)
        if scope["path"].endswith("\n"):
            raise Refusal(404, "There is nothing at this path.")  # a route's $ takes a last newline
        if is_write:
            check_may_write(scope["path"], rules)
            scope = await self._with_body(scope, headers, receive)
        elif scope["type"] == "http" and scope["method"] == "HEAD":
            # The server drops the body of an answer to HEAD; routes need not know the method.
            scope = {**scope, "method": "GET", HEAD_ONLY: True}
        if caller.session_id is not None and scope["path"] in _STREAMS:
            await self._until_it_ends(caller, scope, receive, answer)
        else:
            await self._app(scope, receive, answer)

    async def _admitted(self, scope: Scope, headers: Headers) -> Caller:
        """Who calls. Raises Refusal (401), after a while where the token is wrong."""
        door = self._door
        if door is None:
            return _ANYONE
        caller = door.keeper.caller(headers)
        if caller is not None:
            return caller
        if door.is_open(scope):
            return _ANYONE
        if bearer_of(headers) is None:
            raise Refusal(401, "Send the token: Authorization: Bearer …", headers=CHALLENGE)
        await door.keeper.slow_down(address_of(scope))
        raise Refusal(401, "The token is not the right one.", headers=CHALLENGE)

    async def _until_it_ends(
        self, caller: Caller, scope: Scope, receive: Receive, answer: Send
    ) -> None:
        """A stream ends with the session that opened it."""
        try:
            async with asyncio.timeout(caller.ends_at_s - time.time()) as limit:
                await self._app(scope, receive, answer)
        except TimeoutError:
            if not limit.expired():
                raise
            if scope["type"] == "websocket":
                reason = "the session has ended"
                await answer({"type": "websocket.close", "code": _SESSION_ENDED, "reason": reason})

    async def _with_body(self, scope: Scope, headers: Headers, receive: Receive) -> Scope:
        rules = self._rules
        is_batch = scope["path"] == _BATCH_PATH
        limit = rules.max_batch_body_bytes if is_batch else rules.max_body_bytes
        if scope["path"] == SESSION_PATH:  # open to everybody, and a token is short
            limit = _LARGEST_LOGIN_BYTES
        body = await read_body(headers, receive, limit)
        if len(body) > _LARGE_BODY_BYTES:
            scope[_BODY] = await asyncio.to_thread(strict_json.parse, body)
        elif body:
            scope[_BODY] = strict_json.parse(body)
        return scope

    def _shown(self, refusal: Refusal, scope: Scope, headers: Headers) -> Response:
        """A person who has not logged in is shown where to; everybody else the problem."""
        is_page = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
        if (
            self._door
            and refusal.status == 401
            and is_page
            and b"text/html" in headers.get(b"accept", b"")
        ):
            shown = {**refusal.headers, **self._door.login_headers}
            return HTMLResponse(self._door.login_page, 401, shown)
        return refusal.response()


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


def check_may_write(path: str, rules: GuardRules) -> None:
    """Raises Refusal (403) if nothing may be changed. To log in and out changes nothing."""
    if rules.read_only and path != SESSION_PATH:
        raise Refusal(403, "This API is read-only (api.read_only): it changes nothing.")


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
