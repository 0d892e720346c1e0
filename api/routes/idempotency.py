"""A request sent again with the same Idempotency-Key gets the first answer, and makes nothing new.

After a time-out a client cannot know whether its job was kept; with a key it may just ask again.
The answer is kept in the transaction of the insert: whoever comes second, even at the same moment
or to another API process, finds either the answer or nothing at all.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from starlette.responses import Response
from starlette.types import Scope

from orpheus.api.http.problems import refused_fields
from orpheus.api.services import Services
from orpheus.shared.errors import FieldProblem
from orpheus.shared.storage import KeptAnswer, Store

T = TypeVar("T")

HEADER = "Idempotency-Key"
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Once:
    """A request that must have its effect once: its key, and what tells it from another one."""

    key: str
    request_hash: str

    def first_answer(self, store: Store) -> Response | None:
        """What the key was answered before, None if it is new.

        Raises Refusal (422) if it came with another request then.
        """
        kept = store.idempotency.find(self.key)
        if kept is None:
            return None
        if kept.request_hash != self.request_hash:
            raise _refused("was sent with another request in the last 24 hours")
        headers = {"Idempotent-Replayed": "true"}
        if kept.location is not None:
            headers["Location"] = kept.location
        return Response(kept.body, kept.status, headers, media_type="application/json")

    def keep(self, store: Store, answer: Response) -> Response:
        """Give `answer` again from now on; inside the transaction of what it tells of."""
        kept = KeptAnswer(
            request_hash=self.request_hash,
            status=answer.status_code,
            body=bytes(answer.body).decode(),
            location=answer.headers.get("Location"),
        )
        store.idempotency.keep(self.key, kept)
        return answer


def once_of(scope: Scope, body: Any) -> Once | None:
    """The key that a request with this parsed body came with, if it has one.

    Raises Refusal (422) for several keys, and one that is not 1 to 255 visible ASCII characters.
    """
    found = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not found:
        return None
    key = found[0].decode("latin-1")
    if len(found) > 1:
        raise _refused("stands more than once")
    if not 1 <= len(key) <= LONGEST_KEY or not all("!" <= character <= "~" for character in key):
        raise _refused("must have 1 to 255 visible ASCII characters")
    # As JSON: neither the order of keys nor the space between them makes another request.
    canonical = orjson.dumps([scope["path"], body], option=orjson.OPT_SORT_KEYS)
    return Once(key, hashlib.sha256(canonical).hexdigest())


async def write_once(
    services: Services,
    once: Once | None,
    write: Callable[[Store], T],
    answer: Callable[[T], Response],
) -> Response:
    """The answer to what `write` did; with a key, kept with it, or the first answer instead."""
    if once is None:
        return answer(await services.writer.write(write))

    def write_and_keep(store: Store) -> Response:
        return once.first_answer(store) or once.keep(store, answer(write(store)))

    return await services.writer.write(write_and_keep)


def _refused(why: str) -> Exception:
    return refused_fields([FieldProblem(f"/{HEADER}", why)])
