"""Do an operator's action and record it in the audit log, both in one transaction.

The API and the command line both use this, so GET /audit shows every action.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from orpheus.shared.storage import Store

T = TypeVar("T")

LONGEST_REASON = 1_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts (`api:127.0.0.1`, `cli:ada`), and the reason, if one was given."""

    name: str
    reason: str | None = None


def audited(store: Store, actor: Actor, action: str, target: str, verb: Callable[[], T]) -> T:
    """Call `verb`, record `action` on `target`, and return the result; nothing if `verb` raises."""
    with store.write(durable=True):
        result = verb()
        store.audit.record(action, target, by=actor.name, reason=actor.reason)
    return result
