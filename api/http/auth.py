"""Authentication: a request carries a token, a session opened with one, or the name of a login.

A program sends `Authorization: Bearer TOKEN`. A browser exchanges the token once for a session
cookie, which scripts cannot read and other sites cannot send. The cookie holds the time at which
the session ends, the name of its token and a signature. The signing key is derived from the token,
so nothing is stored: a session survives a restart of the API, and ends at its time or when the
token is no longer in its file. The role is the one that the configuration gives the token now.

A proxy that people log in to names them in a header, which counts only from its addresses.

This process remembers the closed sessions until they would have ended; their streams end at once.
Other processes do not know of them. To end a stolen session for good, change the token: that ends
every session.
"""

import asyncio
import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from time import time

import msgspec
from msgspec.structs import replace

from orpheus.api.http.problems import Refusal
from orpheus.shared.domain.access import ProxyRules, Role, Scope
from orpheus.shared.logs import get_logger

log = get_logger()

SESSION_S = 12 * 3600
"""How long a session lasts."""
WRONG_TOKEN_S = 1.0
"""How long the answer to a wrong token is delayed. A 32-character token cannot be guessed; the
delay slows attempts down, and they are logged."""
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="orpheus"', "Connection": "close"}
"""The headers of a 401: a client without the token does not keep its connection."""

_ID_BYTES = 6
_LONGEST_SESSION = 300
_LONGEST_NAME = 200
_PLAIN = re.compile(r"[^\x00-\x1f\x7f-\x9f<>]*")


class Caller(msgspec.Struct, frozen=True):
    """Who sent a request, and what they may do.

    A browser has a `session_id` and must log in again at `ends_at_s`.
    """

    role: Role | None = None
    """None: nobody has logged in, so only what is public may be called."""
    scope: Scope = Scope()
    name: str = ""
    """The name of the token or of the login; empty: that of `api.token_file`, or none is needed."""
    session_id: str | None = None
    ends_at_s: float = float("inf")
    is_login: bool = False
    """`name` is that of a person whom the proxy let in, not of a token."""

    @property
    def identity(self) -> str:
        """The name, which no login can share with a token: `ci`, `<ada@example.org>`."""
        return f"<{self.name}>" if self.is_login else self.name


NOBODY = Caller()
EVERYBODY = Caller(Role.ADMIN)
"""Who calls an API that asks nobody."""


class Key(msgspec.Struct, frozen=True):
    """A token that opens the API: its present text and maybe the earlier one, and what it opens."""

    secrets: tuple[str, ...]
    role: Role = Role.ADMIN
    scope: Scope = Scope()
    name: str = ""


class Authenticator:
    """Checks tokens, and the sessions derived from them.

    `cookie`: the name of the session's cookie; cookies ignore ports, so two systems on one host
    need different ones. `clock`: wall time in seconds.
    """

    def __init__(
        self,
        keys: Sequence[Key],
        cookie: str,
        proxy: ProxyRules | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        self.cookie = cookie
        self._clock = clock
        self._wrong_tokens = 0
        self._logged_at_s = float("-inf")
        self._closed: dict[str, float] = {}  # session -> when it would have ended
        self._watchers: dict[str, set[Callable[[], None]]] = {}
        self._callers = {key.name: Caller(key.role, key.scope, key.name) for key in keys}
        # Found by digest: how long that takes says nothing about the text of a token.
        self._names = {_digest(text.encode()): key.name for key in keys for text in key.secrets}
        self._signing = {key.name: [*map(_signing_key, key.secrets)] for key in keys}
        self._proxy = None if proxy is None else Proxy(proxy)

    def caller_with(self, token: str | bytes) -> Caller | None:
        """Return who sends this token; None if it is none."""
        given = token.encode(errors="replace") if isinstance(token, str) else token
        name = self._names.get(_digest(given))
        return None if name is None else self._callers[name]

    def authenticate(self, headers: Sequence[tuple[bytes, bytes]], address: str) -> Caller | None:
        """Return who sent these headers; None without a valid token, session or login.

        Raises Refusal for a login that the sender may not name (403), that is given twice (400) or
        that has no role (403).
        """
        if self._proxy and (caller := self._proxy.caller_of(headers, address)):
            return caller
        values = dict(headers)
        token = bearer_token(values)
        if token is not None:
            return self.caller_with(token)
        session = _cookie_value(values.get(b"cookie", b""), self.cookie.encode())
        return None if session is None else self._session_caller(session)

    async def delay_refusal(self, address: str) -> None:
        """Log a wrong token and wait, before it is refused. Other requests are not delayed.

        At most one line a second is logged, with the number of wrong tokens since the last one.
        """
        self._wrong_tokens += 1
        now_s = self._clock()
        if now_s - self._logged_at_s >= 1:
            log.warning("wrong_token", client=address, times=self._wrong_tokens)
            self._wrong_tokens, self._logged_at_s = 0, now_s
        await asyncio.sleep(WRONG_TOKEN_S)

    def new_session(self, token: str) -> tuple[str, str]:
        """Open a session of SESSION_S with a valid token; return its cookie's value and its id."""
        name = self._names[_digest(token.encode())]
        session_id = secrets.token_hex(_ID_BYTES)
        content = f"{int(self._clock()) + SESSION_S}.{session_id}.{name}"
        return f"{content}.{_signature(_signing_key(token), content.encode())}", session_id

    def close_session(self, caller: Caller) -> None:
        """Close the session of `caller`: it opens nothing more, and what it has open ends."""
        if caller.session_id is None:
            return
        now_s = self._clock()
        self._closed = {
            session: ends_s for session, ends_s in self._closed.items() if ends_s > now_s
        }
        self._closed[caller.session_id] = caller.ends_at_s
        for end in list(self._watchers.get(caller.session_id, ())):
            end()

    @contextlib.contextmanager
    def calling_at_close(self, session_id: str, end: Callable[[], None]) -> Iterator[None]:
        """Call `end` if the session is closed while the block runs."""
        watchers = self._watchers.setdefault(session_id, set())
        watchers.add(end)
        try:
            yield
        finally:
            watchers.discard(end)
            if not watchers:
                self._watchers.pop(session_id, None)

    def _session_caller(self, session: bytes) -> Caller | None:
        content, _, signature = session.rpartition(b".")
        name = content.decode("latin-1").split(".", 2)[-1]
        if not any(
            hmac.compare_digest(signature, _signature(key, content).encode())
            for key in self._signing.get(name, ())
        ):
            return None
        ends_at, session_id, _ = content.decode().split(".", 2)
        ends_at_s = int(ends_at)  # cannot fail: the signature says that we wrote it
        is_open = self._clock() < ends_at_s and session_id not in self._closed
        caller = self._callers[name]
        return replace(caller, session_id=session_id, ends_at_s=ends_at_s) if is_open else None


class Proxy:
    """Reads who has logged in from the headers of a trusted proxy."""

    def __init__(self, rules: ProxyRules) -> None:
        self._rules = rules
        self._networks = [ip_network(network) for network in rules.trusted]

    def caller_of(self, headers: Sequence[tuple[bytes, bytes]], address: str) -> Caller | None:
        """Return who has logged in; None if the headers name nobody. Raises Refusal."""
        name = _value_of(headers, self._rules.header)
        roles = _value_of(headers, self._rules.roles_header) if self._rules.roles_header else None
        if name is roles is None:
            return None
        if not self._is_trusted(address):
            log.warning("login_from_elsewhere", client=address)
            detail = f"{self._rules.header} is taken only from the proxy (api.proxy_auth.trusted)."
            raise Refusal(403, detail)
        if not name:
            return None
        if not self._rules.roles_header:
            return Caller(Role.VIEWER, name=name, is_login=True)
        given = {role.strip().lower() for role in (roles or "").split(",")}
        known = [role for role in Role if role in given]
        if not known:
            raise Refusal(
                403, f"{name} has no role here: the proxy names none of {', '.join(Role)}."
            )
        return Caller(known[-1], name=name, is_login=True)

    def _is_trusted(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in network for network in self._networks)


def _value_of(headers: Sequence[tuple[bytes, bytes]], name: str) -> str | None:
    wanted = name.lower().encode()
    found = [value.decode("latin-1") for header, value in headers if header == wanted]
    if len(found) > 1:
        raise Refusal(400, f"The request has {len(found)} {name} headers.")
    if found and not (len(found[0]) <= _LONGEST_NAME and _PLAIN.fullmatch(found[0])):
        raise Refusal(400, f"{name} is not plain text of at most {_LONGEST_NAME} characters.")
    return found[0].strip() if found else None


def _signing_key(token: str) -> bytes:
    return hmac.digest(token.encode(), b"orpheus: key of sessions", "sha256")


def _signature(key: bytes, content: bytes) -> str:
    return hmac.digest(key, content, "sha256").hex()


def bearer_token(headers: Mapping[bytes, bytes]) -> bytes | None:
    """Return what follows `Bearer` in the Authorization header; None without one."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None


def _cookie_value(header: bytes, name: bytes) -> bytes | None:
    for pair in header.split(b";"):
        key, separator, value = pair.strip().partition(b"=")
        if separator and key == name and len(value) <= _LONGEST_SESSION:
            return value
    return None


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
