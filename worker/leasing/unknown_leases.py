"""Releases leases of this worker that it does not know of.

If the connection is lost in a commit, the server may have done the commit, or may do it a moment
later. Then it has leased jobs that this worker does not know of, or not released jobs that it no
longer holds. Nobody runs them. Once the leases expire, other hosts, which cannot read this worker's
crash cell, count that against the jobs. So after such a commit the worker releases what it does not
know of, and looks again until such leases would have expired.

SQLite commits in the process itself, so no commit is in doubt there.
"""

import msgspec

from orpheus.shared.logs import get_logger
from orpheus.shared.storage import Store
from orpheus.worker.leasing.held_leases import HeldLeases

_LOOKS_EVERY_S = 1.0
_WAITS_S = 0.5
"""How long to wait while the main thread leases. After that, renewing what is held comes first."""

log = get_logger()


class UnknownLeases(msgspec.Struct):
    """The unknown leases of one worker. For the thread that renews its leases."""

    _store: Store
    _held: HeldLeases
    _incarnation: str
    _lease_ttl_s: float
    _next_look_s: float = 0.0

    def look(self, now_s: float) -> None:
        """Release them, if a commit was in doubt lately and a look is due. Raises StorageError."""
        if now_s >= self._next_look_s:
            self.look_now(now_s)

    def look_now(self, now_s: float) -> None:
        """Release them, if a commit was in doubt lately. Raises StorageError.

        Meanwhile no lease is on its way to the main thread, which leases under the same lock.
        """
        if self._held.doubt_since_s is None:
            return
        if self._held.reporting.acquire(timeout=_WAITS_S):
            try:
                self._release(now_s)
            finally:
                self._held.reporting.release()

    def _release(self, now_s: float) -> None:
        known = self._held.tokens().values()
        jobs = self._store.leases.release_unknown(self._incarnation, known)
        if jobs:
            log.info("unknown_leases_released", jobs=jobs)
        self._next_look_s = now_s + _LOOKS_EVERY_S
        since_s = self._held.doubt_since_s
        if since_s is not None and now_s >= since_s + self._lease_ttl_s:
            self._held.doubt_since_s = None
