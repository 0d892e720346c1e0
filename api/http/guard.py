"""ASGI middleware in front of the application: every request passes these checks first.

In this order, the cheapest first: the limit of clients (503), the Host (400: DNS rebinding sends
another name), the origin of writes and WebSockets (403: another site's page in the operator's
browser), the token or session (401), read-only (403), the content type (415: a cross-site form
cannot send JSON), the size (413), and the strict JSON parser (400, 422). The body of a request that
passes is parsed once and kept in the scope (api/http/scope.py), and so is its caller.

Some paths can be reached without a token: /healthz and /readyz, for probes; the login page, which a
browser gets with its 401, and its files; and POST /session, which takes the token. Everything else
needs the token, even /metrics, /docs and /openapi.json.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping

import msgspec
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orpheus.api.http import strict_json
from orpheus.api.http.auth import CHALLENGE, EVERYBODY, NOBODY, Authenticator, Caller, bearer_token
from orpheus.api.http.headers import PREFLIGHT, AnswerHeaders
from orpheus.api.http.large_bodies import LARGE_BODY_BYTES, HeldBody, LargeBodies
from orpheus.api.http.problems import Refusal, refusal_of
from orpheus.api.http.scope import (
    BODY,
    CALLER,
    IS_HEAD,
    Headers,
    client_address,
    connection_of,
    target_host,
)
from orpheus.shared.logs import get_logger

log = get_logger()

_BATCH_PATH = "/jobs/batch"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_ONCE = (
    b"authorization",
    b"origin",
    b"sec-fetch-site",
    b"content-type",
    b"if-match",
    b"last-event-id",
)
"""Headers that may be sent only once: of two, some readers take the first, others the last."""
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
_HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
_STATIC_PATH = "/ui/static/"
_STREAM_PATHS = frozenset({"/ws", "/events"})
POLICY_VIOLATION = 1008  # RFC 6455
SESSION_PATH = "/session"
_LARGEST_LOGIN_BYTES = 8_192


class GuardRules(msgspec.Struct, frozen=True):
    """What the guard allows. Sizes in bytes."""

    hosts: frozenset[str]
    """Lower-case values of Host; one without a port allows every port."""
    origins: frozenset[str]
    """Origins that may write, besides the called host's own (`https://tool.example`)."""
    max_body_bytes: int
    max_batch_body_bytes: int
    read_only: bool = False


class LoginRules(msgspec.Struct, frozen=True):
    """How callers log in, and what they can reach before: the login page and its static files."""

    authenticator: Authenticator
    page: str
    page_headers: Mapping[str, str]
    files: frozenset[str]

    def is_public(self, scope: Scope) -> bool:
        """Tell whether this request needs no token."""
        path = scope["path"]
        if path.startswith(_STATIC_PATH):
            return "".join(path.split("/", 4)[4:]) in self.files
        is_login = path == SESSION_PATH and scope.get("method") == "POST"
        return path in _HEALTH_PATHS or is_login


def _make_known(scope: Scope) -> None:
    connection = connection_of(scope)
    if connection is not None:
        connection.make_known()


def allowed_hosts(bound_host: str, extra: Iterable[str]) -> frozenset[str]:
    """Return the names of this API: loopback, the address it is bound to, and `extra`."""
    names = {*_LOOPBACK_NAMES, *(name.lower() for name in extra)}
    if bound_host not in _ANY_ADDRESS:
        names.add(f"[{bound_host}]" if ":" in bound_host else bound_host.lower())
    return frozenset(names)


class Guard:
    """Applies `rules`, and adds the headers that every answer has.

    `login`: None if the API has no token.
    """

    def __init__(self, app: ASGIApp, rules: GuardRules, login: LoginRules | None = None) -> None:
        self._app = app
        self._rules = rules
        self._login = login
        self._headers = AnswerHeaders(rules.origins)
        self._bodies = LargeBodies(max(rules.max_body_bytes, rules.max_batch_body_bytes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on; answer every exception with a problem."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        started = False

        async def send_complete(message: Message) -> None:
            nonlocal started
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                started = True
                self._headers.complete(message["headers"], origin)
            elif message["type"] == "websocket.accept":
                started = True
            await send(message)

        try:
            await self._handle(scope, headers, receive, send_complete)
        except Exception as error:
            refusal = refusal_of(error)
            if refusal.status == 500:
                log.exception("request_failed", path=scope["path"])
            if not started:
                await self._response(refusal, scope, headers)(scope, receive, send_complete)

    async def _handle(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        connection = connection_of(scope)
        if connection is not None and connection.is_refused and scope["path"] not in _HEALTH_PATHS:
            detail = "The limit of connected clients (api.max_clients) is reached."
            raise Refusal(503, detail, headers={"Connection": "close"})
        rules = self._rules
        check_framing(scope)
        host = check_host(scope["headers"], rules.hosts, target_host(scope))
        requested_method = headers.get(b"access-control-request-method")
        if self._headers.is_preflight(scope, headers.get(b"origin"), requested_method):
            await Response(status_code=204, headers=PREFLIGHT)(scope, receive, send)
            return
        is_write = scope["type"] == "http" and scope["method"] not in _SAFE_METHODS
        if is_write:
            check_write_origin(headers, host, rules.origins)
        elif scope["type"] == "websocket":
            check_websocket_origin(headers, host, rules.origins)
        caller = scope[CALLER] = await self._authenticate(scope, headers)
        if scope["path"].endswith("\n"):
            # A route's pattern ends with `$`, which also matches before a last newline: such a path
            # would pass the limits that are set for one path.
            raise Refusal(404, "There is nothing at this path.")
        if is_write:
            check_may_write(scope["path"], rules)
            await self._pass_on_with_body(scope, headers, receive, send)
            return
        if scope["type"] == "http" and scope["method"] == "HEAD":
            # The server drops the body of an answer to HEAD, so routes only need to know GET.
            scope = {**scope, "method": "GET", IS_HEAD: True}
        if self._login and caller.session_id is not None and scope["path"] in _STREAM_PATHS:
            authenticator = self._login.authenticator
            await self._stream_until_session_ends(authenticator, caller, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope, headers: Headers) -> Caller:
        """Return who calls. Raises Refusal (401); for a wrong token, after a delay."""
        login = self._login
        if login is None:
            _make_known(scope)
            return EVERYBODY
        caller = login.authenticator.authenticate(scope["headers"], client_address(scope))
        if caller is not None:
            _make_known(scope)
            return caller
        if login.is_public(scope):
            return NOBODY
        if bearer_token(headers) is None:
            raise Refusal(401, "Send the token: Authorization: Bearer …", headers=CHALLENGE)
        await login.authenticator.delay_refusal(client_address(scope))
        raise Refusal(401, "Wrong token.", headers=CHALLENGE)

    async def _stream_until_session_ends(
        self,
        authenticator: Authenticator,
        caller: Caller,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(caller.ends_at_s - time.time()) as limit:
                with authenticator.calling_at_close(
                    caller.session_id or "", lambda: limit.reschedule(loop.time())
                ):
                    await self._app(scope, receive, send)
        except TimeoutError:
            if not limit.expired():
                raise
            if scope["type"] == "websocket":
                reason = "the session has ended"
                await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pass_on_with_body(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send
    ) -> None:
        with HeldBody(self._bodies) as held:
            await self._read_json(scope, headers, receive, held)
            try:
                await self._app(scope, receive, send)
            finally:
                scope.pop(BODY, None)  # the server keeps the scope until the next request

    async def _read_json(
        self, scope: Scope, headers: Headers, receive: Receive, held: HeldBody
    ) -> None:
        rules = self._rules
        is_batch = scope["path"] == _BATCH_PATH
        limit = rules.max_batch_body_bytes if is_batch else rules.max_body_bytes
        if scope["path"] == SESSION_PATH:  # anybody may call it, and a token is short
            limit = _LARGEST_LOGIN_BYTES
        body = await read_body(headers, receive, limit, held)
        if len(body) > LARGE_BODY_BYTES:
            await held.wait_to_parse()
            # On a thread: 16 MiB would block the event loop for 100 ms.
            scope[BODY] = await asyncio.to_thread(strict_json.parse, body)
        elif body:
            scope[BODY] = strict_json.parse(body)

    def _response(self, refusal: Refusal, scope: Scope, headers: Headers) -> Response:
        """Return the problem; for a browser that has not logged in, the login page."""
        is_page = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
        wants_html = b"text/html" in headers.get(b"accept", b"")
        if self._login and refusal.status == 401 and is_page and wants_html:
            page_headers = {**refusal.headers, **self._login.page_headers}
            return HTMLResponse(self._login.page, 401, page_headers)
        return refusal.response()


def check_framing(scope: Scope) -> None:
    """Raise Refusal unless every reader takes the request in the same way.

    400 for a repeated header that can have only one value, and for a transfer coding in HTTP/1.0,
    which has none; 501 for a coding other than chunked, which the server would not undo (RFC 9112,
    6).
    """
    names = [name for name, _ in scope["headers"]]
    if len(set(names)) < len(names):
        for name in _ONCE:
            if names.count(name) > 1:
                raise _unreadable(
                    400, f"The request has {names.count(name)} {name.decode()} headers"
                )
    if b"transfer-encoding" not in names:
        return
    if scope.get("http_version") == "1.0":
        raise _unreadable(400, "HTTP/1.0 has no Transfer-Encoding")
    values = [value for name, value in scope["headers"] if name == b"transfer-encoding"]
    if [value.strip().lower() for value in values] != [b"chunked"]:
        raise _unreadable(501, "Of transfer codings, only chunked is understood")


def _unreadable(status: int, detail: str) -> Refusal:
    return Refusal(status, f"{detail}.", headers={"Connection": "close"})


def check_host(
    headers: Iterable[tuple[bytes, bytes]], hosts: frozenset[str], target: str | None
) -> str:
    """Return the request's Host, lower-case. Raises Refusal (400) unless it is allowed.

    `target`: the host in the request's target, if that is a whole URL; it must be the same.
    """
    found = [value for name, value in headers if name == b"host"]
    if len(found) != 1:
        raise Refusal(400, f"The request has {len(found)} Host headers; exactly one is needed.")
    host = found[0].decode("latin-1").lower()
    if host not in hosts and _without_port(host) not in hosts:
        raise Refusal(
            400,
            f"This server is not called {host[:200]!r}. To allow another name, add it to "
            "allowed_hosts in the [api] table of the configuration.",
        )
    if target not in (None, host):
        raise Refusal(400, "The Host header and the host in the request's target differ.")
    return host


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isascii() and port.isdigit()) else host


def check_write_origin(headers: Headers, host: str, trusted: frozenset[str]) -> None:
    """Raise Refusal (403) if a browser sent this write for a page of another site.

    A browser sends Sec-Fetch-Site or Origin; a program such as curl sends neither.
    """
    site = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin")
    if site in (b"same-origin", b"none") or (site is None and origin is None):
        return
    if origin is not None and _is_trusted(origin, host, trusted):
        return
    raise Refusal(403, "A page of another site may not change anything here.")


def check_websocket_origin(headers: Headers, host: str, trusted: frozenset[str]) -> None:
    """Raise Refusal (403) if a page of another site opens this WebSocket."""
    origin = headers.get(b"origin")
    if origin is not None and not _is_trusted(origin, host, trusted):
        site = origin.decode("latin-1")
        log.warning("websocket_refused", origin=site, host=host)
        detail = (
            f"A page of another site may not listen here: its Origin is {site!r}, and this is "
            f"{host!r}. A proxy must pass on the Host; see also api.cors_origins."
        )
        raise Refusal(403, detail)


def _is_trusted(origin: bytes, host: str, trusted: frozenset[str]) -> bool:
    text = origin.decode("latin-1").lower()
    return text in (f"http://{host}", f"https://{host}") or text in trusted


def check_may_write(path: str, rules: GuardRules) -> None:
    """Raise Refusal (403) if the API is read-only. Logging in and out is always allowed."""
    if rules.read_only and path != SESSION_PATH:
        raise Refusal(403, "This API is read-only (api.read_only): it changes nothing.")


async def read_body(headers: Headers, receive: Receive, limit_bytes: int, held: HeldBody) -> bytes:
    """Return the whole body. Raises Refusal: 413 if it is too large, 415 if it is not JSON.

    And 503 if `held` cannot grow by so much.

    Starlette's RequestBodyLimitMiddleware cannot do this: it answers with plain text, has one limit
    for all paths, and does not collect the body, so this loop would still be needed.
    """
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The body ended early.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        held.grow(size)
    if size:
        check_content_type(headers.get(b"content-type", b""))
    return b"".join(parts)


def check_content_type(content_type: bytes) -> None:
    """Raise Refusal (415) unless it is `application/json`, in UTF-8 if it names a charset."""
    if content_type == b"application/json":
        return
    media_type, *parameters = (part.strip() for part in content_type.lower().split(b";"))
    named = (parameter.partition(b"=") for parameter in parameters)
    charsets = {value.strip(b' \t"') for name, _, value in named if name.strip() == b"charset"}
    if media_type != b"application/json" or not charsets <= {b"utf-8"}:
        shown = content_type.decode("latin-1")[:200] or "missing"
        raise Refusal(
            415,
            f"The content type is {shown}; application/json is expected: write `curl --json` "
            "instead of `curl -d`, or add -H 'Content-Type: application/json'.",
        )


def _too_large(limit_bytes: int) -> Refusal:
    detail = f"The body is larger than {limit_bytes} bytes."
    return Refusal(413, detail, headers={"Connection": "close"})
