"""Who may call: whoever shows the token, or a session that was opened with it.

A program sends `Authorization: Bearer TOKEN`. A browser exchanges the token once for a session: a
cookie that no script can read and no other site can send, which holds when the session ends and a
signature over it. The key is made of the token, so there is nothing to keep: a session outlives
the process that gave it out, and ends with its time or with the token.

A session that is closed is only forgotten by its browser. One that was stolen is ended by another
token: that ends all.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import time

from orpheus.shared.logs import get_logger

log = get_logger()

SESSION_S = 12 * 3600
"""How long a session lasts."""
WRONG_TOKEN_S = 1.0
"""How long whoever shows a wrong token waits for the answer: of 32 characters none is guessed, but
one that tries is slow and seen."""
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="orpheus"'}

_ID_BYTES = 6
_LONGEST_SESSION = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """Who was let in. `session_id`: of a browser; `ends_at_s`: wall time at which it must go."""

    session_id: str | None = None
    ends_at_s: float = float("inf")


class Doorkeeper:
    """Knows the token. `clock`: wall time in seconds."""

    def __init__(self, token: str, clock: Callable[[], float] = time) -> None:
        secret = token.encode()
        self._clock = clock
        self._wrong = 0
        self._told_at_s = float("-inf")
        self._token_digest = _digest(secret)
        self._key = hmac.digest(secret, b"orpheus: key of sessions", "sha256")
        # Cookies know no ports: two systems on one host must not take each other's.
        self.cookie = (
            "orpheus_" + hmac.digest(secret, b"orpheus: name of cookie", "sha256")[:4].hex()
        )

    def is_token(self, text: str | bytes) -> bool:
        """Whether this is the token. Takes as long whatever it is."""
        given = text.encode(errors="replace") if isinstance(text, str) else text
        return hmac.compare_digest(_digest(given), self._token_digest)

    def caller(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Who sends these headers; None if they show nothing that is valid."""
        shown = bearer_of(headers)
        if shown is not None:
            return Caller() if self.is_token(shown) else None
        session = _cookie_of(headers.get(b"cookie", b""), self.cookie.encode())
        return None if session is None else self._caller_of(session)

    async def slow_down(self, address: str) -> None:
        """What comes before the refusal of a wrong token: it is told in the log, and takes time.

        Others do not wait for it. The log gets a line a second at most, with how many there were.
        """
        self._wrong += 1
        now_s = self._clock()
        if now_s - self._told_at_s >= 1:
            log.warning("wrong_token", client=address, times=self._wrong)
            self._wrong, self._told_at_s = 0, now_s
        await asyncio.sleep(WRONG_TOKEN_S)

    def new_session(self) -> tuple[str, str]:
        """The value of the cookie that opens this door for SESSION_S, and the session's id."""
        session_id = secrets.token_hex(_ID_BYTES)
        content = f"{int(self._clock()) + SESSION_S}.{session_id}"
        return f"{content}.{self._signature(content.encode())}", session_id

    def _caller_of(self, session: bytes) -> Caller | None:
        content, _, signature = session.rpartition(b".")
        if not hmac.compare_digest(signature, self._signature(content).encode()):
            return None
        ends_at, _, session_id = content.decode().partition(".")
        ends_at_s = int(ends_at)  # ours, as it is signed
        return Caller(session_id, ends_at_s) if self._clock() < ends_at_s else None

    def _signature(self, content: bytes) -> str:
        return hmac.digest(self._key, content, "sha256").hex()


def bearer_of(headers: Mapping[bytes, bytes]) -> bytes | None:
    """What follows `Bearer` in the Authorization header; None without one."""
    scheme, _, shown = headers.get(b"authorization", b"").partition(b" ")
    return shown.strip() if scheme.lower() == b"bearer" else None


def _cookie_of(header: bytes, name: bytes) -> bytes | None:
    for pair in header.split(b";"):
        key, separator, value = pair.strip().partition(b"=")
        if separator and key == name and len(value) <= _LONGEST_SESSION:
            return value
    return None


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
