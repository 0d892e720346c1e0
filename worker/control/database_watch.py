"""Whether a worker gets what it wants of the database, as its beats tell the supervisor.

A write waits up to 10 s for the lock, and a main loop that waits does not turn. So that nobody
takes it for hung, the control thread, which never waits for the database, sees how long the others
have been waiting, and says so before any of them has an answer.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from orpheus.shared.errors import StorageError
from orpheus.shared.logs import get_logger

log = get_logger()

_LONG_AGO = float("-inf")
_TELL_EVERY_S = 10.0


class DatabaseWatch:
    """Every thread marks its own calls; any thread may ask."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._waiting_since_s: dict[int, float] = {}
        self._told_s = _LONG_AGO

    @contextmanager
    def call(self) -> Iterator[None]:
        """A call of the store, and whatever lock is taken for it. It may fail with StorageError."""
        me = threading.get_ident()
        self._waiting_since_s.setdefault(me, time.monotonic())
        try:
            yield
        except StorageError:
            self._waiting_since_s[me] = _LONG_AGO  # until one succeeds
            raise
        self._waiting_since_s.pop(me, None)

    def tell(self, error: StorageError) -> None:
        """Log that a call failed, but not each time: it is tried again, by several threads."""
        now_s = time.monotonic()
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            log.warning("database_trouble", reason=str(error))

    def is_ok(self) -> bool:
        """No thread's latest call has failed, or goes on for longer than `patience_s`."""
        floor_s = time.monotonic() - self._patience_s
        return all(since_s > floor_s for since_s in list(self._waiting_since_s.values()))
