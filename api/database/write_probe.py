"""Finds out whether a write can begin by beginning one, at most once a second.

Everybody may ask for readiness, as often as they like, and a write keeps out all others.
"""

import time

from orpheus.shared.errors import StorageError
from orpheus.shared.storage import Store

_FRESH_S = 1.0
_LOCKED = "no write can begin: another process holds the database's write lock"


class WriteProbe:
    """Remembers for a second that a write could begin. One caller at a time."""

    def __init__(self) -> None:
        self._began_at_s = float("-inf")

    def trouble(self, store: Store) -> str | None:
        """Return why no write can begin, though reads still work; None if one can."""
        now_s = time.monotonic()
        if now_s - self._began_at_s < _FRESH_S:
            return None
        try:
            if not store.writable():
                return _LOCKED
        except StorageError as error:
            return str(error)
        self._began_at_s = now_s
        return None
