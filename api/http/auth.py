"""Authentication: a request carries the token, or a session that was opened with it.

A program sends `Authorization: Bearer TOKEN`. A browser exchanges the token once for a session
cookie, which scripts cannot read and other sites cannot send. The cookie holds the time at which
the session ends and a signature. The signing key is derived from the token, so nothing is stored:
a session survives a restart of the API, and ends at its time or when the token changes.

This process remembers the closed sessions until they would have ended; their streams end at once.
Other processes do not know of them. To end a stolen session for good, change the token: that ends
every session.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping
from time import time

import msgspec

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
_LONGEST_SESSION = 200


class Caller(msgspec.Struct, frozen=True):
    """Who sent a request. A browser has a `session_id` and must log in again at `ends_at_s`."""

    session_id: str | None = None
    ends_at_s: float = float("inf")


class Authenticator:
    """Checks the token and the sessions derived from it. `clock`: wall time in seconds."""

    def __init__(self, token: str, clock: Callable[[], float] = time) -> None:
        secret = token.encode()
        self._clock = clock
        self._wrong_tokens = 0
        self._logged_at_s = float("-inf")
        self._closed: dict[str, float] = {}  # session -> when it would have ended
        self._watchers: dict[str, set[Callable[[], None]]] = {}
        self._token_digest = _digest(secret)
        self._key = hmac.digest(secret, b"orpheus: key of sessions", "sha256")
        # Cookies ignore ports: two systems on one host must not overwrite each other's.
        self.cookie = (
            "orpheus_" + hmac.digest(secret, b"orpheus: name of cookie", "sha256")[:4].hex()
        )

    def is_token(self, text: str | bytes) -> bool:
        """Tell whether `text` is the token, in constant time."""
        given = text.encode(errors="replace") if isinstance(text, str) else text
        return hmac.compare_digest(_digest(given), self._token_digest)

    def authenticate(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Return who sent these headers, or None without a valid token or session."""
        token = bearer_token(headers)
        if token is not None:
            return Caller() if self.is_token(token) else None
        session = _cookie_value(headers.get(b"cookie", b""), self.cookie.encode())
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

    def new_session(self) -> tuple[str, str]:
        """Open a session of SESSION_S; return the value of its cookie and its id."""
        session_id = secrets.token_hex(_ID_BYTES)
        content = f"{int(self._clock()) + SESSION_S}.{session_id}"
        return f"{content}.{self._signature(content.encode())}", session_id

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
        if not hmac.compare_digest(signature, self._signature(content).encode()):
            return None
        ends_at, _, session_id = content.decode().partition(".")
        ends_at_s = int(ends_at)  # cannot fail: the signature says that we wrote it
        is_open = self._clock() < ends_at_s and session_id not in self._closed
        return Caller(session_id, ends_at_s) if is_open else None

    def _signature(self, content: bytes) -> str:
        return hmac.digest(self._key, content, "sha256").hex()


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
