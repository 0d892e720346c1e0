"""Do an operator's action and record it in the audit log, both in one transaction.

The API, the command line and the clients use this, so GET /audit shows every action.
"""

import contextlib
import os
from collections.abc import Callable
from typing import Literal, TypeVar, get_args

import msgspec
from msgspec.structs import replace

from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.shared.domain.words import by_whom
from orpheus.shared.errors import StorageError
from orpheus.shared.storage import Store

T = TypeVar("T")
AuditAction = Literal[
    "cancel", "retry", "run", "delete", "pause", "resume", "restart", "drain", "scale", "release",
    "configure", "reload", "stop",
]  # fmt: skip
ACTIONS: tuple[str, ...] = get_args(AuditAction)


class Actor(msgspec.Struct, frozen=True):
    """Who acts (`api:127.0.0.1`, `cli:ada`, `client:ada`), and the reason, if one was given."""

    name: str
    reason: str | None = None


def local_actor(program: str, reason: str | None) -> Actor:
    """Return the user who runs this process, as `PROGRAM:NAME`."""
    import getpass  # noqa: PLC0415 - commands that only read import this module, too

    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # containers run as users that have no name
        name = str(os.getuid())
    return Actor(f"{program}:{name}", reason)


def audited(
    store: Store,
    actor: Actor,
    action: str,
    target: str,
    verb: Callable[[], T],
    *,
    before: Callable[[], str | None] = lambda: None,
    after: Callable[[], str | None] = lambda: None,
) -> T:
    """Call `verb`, record `action` on `target`, and return the result; nothing if `verb` raises.

    `before` and `after` say how the target stands; they are called before and after `verb`.
    """
    with store.write(durable=True):
        state_before = before()
        result = verb()
        store.audit.record(
            action, target, by=actor.name, reason=actor.reason, before=state_before, after=after()
        )
    return result


def with_asker(store: Store, request: Request) -> Request:
    """Return a request to restart or stop with who asked for it, if the audit log can be read."""
    if request.action in (RequestAction.RESTART, RequestAction.STOP):
        # The request is taken already: it is carried out all the same.
        with contextlib.suppress(StorageError):
            if (entry := store.audit.of_request(request)) is not None:
                return replace(request, by=by_whom(entry.by, entry.reason))
    return request
