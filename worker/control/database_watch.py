"""Watches whether the worker's database calls succeed; the beats report it to the supervisor.

On SQLite, a write waits up to 10 s for the lock, and the main loop does not turn meanwhile. The
supervisor must not think that it hangs. So the control thread, which never uses the database, sees
how long the other threads have been waiting, and reports it before their calls return.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from orpheus.shared.errors import Contended, StorageError
from orpheus.shared.logs import get_logger

log = get_logger()

_LONG_AGO = float("-inf")
_LOG_EVERY_S = 10.0
_RETRY_S = 0.5


class DatabaseWatch:
    """Each thread marks its own calls; any thread may ask `is_ok`."""

    def __init__(self, slow_after_s: float) -> None:
        self._slow_after_s = slow_after_s
        self._waiting_since_s: dict[int, float] = {}
        self._logged_at_s = _LONG_AGO

    @contextmanager
    def call(self) -> Iterator[None]:
        """Mark a call of the store, including its waits for locks. It may raise StorageError.

        One that has waited in vain for what another transaction holds shows no trouble of this
        worker: the database works, and others wait for that transaction, too.
        """
        me = threading.get_ident()
        self._waiting_since_s.setdefault(me, time.monotonic())
        try:
            yield
        except Contended:
            self._waiting_since_s.pop(me, None)
            raise
        except StorageError:
            self._waiting_since_s[me] = _LONG_AGO  # until one succeeds
            raise
        self._waiting_since_s.pop(me, None)

    def log_failure(self, error: StorageError) -> None:
        """Log that a call failed, every 10 s at most: several threads retry their calls."""
        now_s = time.monotonic()
        if now_s - self._logged_at_s >= _LOG_EVERY_S:
            self._logged_at_s = now_s
            log.warning("database_trouble", reason=str(error))

    def wait_after(self, error: StorageError) -> None:
        """Log that a call failed, and wait a moment before it is tried again."""
        self.log_failure(error)
        time.sleep(_RETRY_S)

    def is_ok(self) -> bool:
        """Return False if a thread's latest call failed, or has lasted over `slow_after_s`."""
        floor_s = time.monotonic() - self._slow_after_s
        return all(since_s > floor_s for since_s in list(self._waiting_since_s.values()))
