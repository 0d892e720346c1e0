"""Idempotency keys: a request sent again with the same key gets the first answer again.

After a time-out, a client cannot know whether its job was stored. With a key it can send the
request again without making a second job. The answer is kept in the transaction that inserts the
job, so a second request, even at the same moment or to another API process, finds either the whole
answer or nothing.
"""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response
from starlette.types import Scope

from orpheus.api.http.problems import Refusal, refused_fields
from orpheus.api.http.scope import caller_of
from orpheus.api.services import Services
from orpheus.shared.domain.hidden import masked
from orpheus.shared.errors import FieldProblem
from orpheus.shared.storage import KeptAnswer, Store

T = TypeVar("T")

HEADER = "Idempotency-Key"
LONGEST_KEY = 255


class _Answer(msgspec.Struct):
    """An answer that was kept: of a job, or of a batch, which has no type."""

    type: str = ""


class Idempotency(msgspec.Struct, frozen=True):
    """The key of a request, and a hash of its path and body."""

    key: str
    request_hash: str

    def first_answer(self, store: Store) -> Response | None:
        """Return the answer to the first request with this key; None if the key is new.

        Raises Refusal (422) if the first request was another one.
        """
        kept = store.idempotency.find(self.key)
        if kept is None:
            return None
        if kept.request_hash != self.request_hash:
            raise _refused("was sent with another request in the last 24 hours")
        rules = store.hidden.rules().of(msgspec.json.decode(kept.body, type=_Answer).type)
        body = masked(kept.body, rules.whole)  # it may be older than the rules
        headers = {"Idempotent-Replayed": "true"}
        if kept.location is not None:
            headers["Location"] = kept.location
        return Response(body, kept.status, headers, media_type="application/json")

    def keep(self, store: Store, answer: Response) -> Response:
        """Store `answer` for later requests and return it. Call it in the job's transaction."""
        kept = KeptAnswer(
            request_hash=self.request_hash,
            status=answer.status_code,
            body=bytes(answer.body).decode(),
            location=answer.headers.get("Location"),
        )
        store.idempotency.keep(self.key, kept)
        return answer


def idempotency_of(scope: Scope, body: Any) -> Idempotency | None:
    """Return the key that a request with this parsed body carries; None without one.

    Raises Refusal (422) for several keys, and for one that is not 1 to 255 visible ASCII
    characters.
    """
    found = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not found:
        return None
    key = found[0].decode("latin-1")
    if len(found) > 1:
        raise _refused("is given more than once")
    if not 1 <= len(key) <= LONGEST_KEY or not all("!" <= character <= "~" for character in key):
        raise _refused("must have 1 to 255 visible ASCII characters")
    # As sorted JSON: the order of keys and white space make no other request. A caller that saw
    # more has sent another one.
    caller = caller_of(scope)
    canonical = msgspec.json.encode([scope["path"], body, caller.scope], order="sorted")
    # Each token and each login has its own keys: nobody meets those of another one.
    own = f"{caller.identity} {key}" if caller.name else key
    return Idempotency(own, hashlib.sha256(canonical).hexdigest())


async def write_once(
    services: Services,
    idempotency: Idempotency | None,
    write: Callable[[Store], T],
    answer: Callable[[T], Response],
) -> Response:
    """Return the answer of `write`; with a key, the first answer to it, which is kept."""
    if idempotency is None:
        return answer(await services.writer.write(write))

    def write_and_keep(store: Store) -> Response:
        return idempotency.first_answer(store) or idempotency.keep(store, answer(write(store)))

    return await services.writer.write(write_and_keep)


def _refused(why: str) -> Refusal:
    return refused_fields([FieldProblem(f"/{HEADER}", why)])
