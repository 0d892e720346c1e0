"""What operators do, and the trail it leaves: both in one transaction, or neither.

The API and the command line act through here, so that GET /audit tells of every action, whichever
way it came.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from orpheus.shared.storage import Store

T = TypeVar("T")

LONGEST_REASON = 1_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts (`api:127.0.0.1`, `cli:ada`), and why, if they said so."""

    name: str
    reason: str | None = None


def audited(store: Store, actor: Actor, action: str, target: str, verb: Callable[[], T]) -> T:
    """What `verb` returns, with `action` on `target` in the trail; neither, if it raises."""
    with store.write(durable=True):
        result = verb()
        store.audit.record(action, target, by=actor.name, reason=actor.reason)
    return result
