"""The thread that asks jobs to stop when their leases have expired, whatever the database does.

The renewal thread does that as well, but between two calls of the database. If the network loses
what is sent, such a call may last for minutes, and another host runs the jobs meanwhile.
"""

import threading
import time
from collections.abc import Callable

from orpheus.shared.logs import get_logger
from orpheus.shared.process.stall import StallWatch
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.leasing.held_leases import HeldLeases

_SHORTEST_S = 0.05

log = get_logger()


class FenceThread(threading.Thread):
    """Looks from `start` to `stop`. `monotonic_ms` reads the clock of `held.expires_mono_ms`."""

    def __init__(
        self,
        held: HeldLeases,
        monotonic_ms: Callable[[], int],
        *,
        lease_ttl_s: float,
        renew_every_s: float,
    ) -> None:
        super().__init__(name="fence", daemon=True)
        self._held = held
        self._monotonic_ms = monotonic_ms
        self._longest_s = lease_ttl_s / 4
        """The longest sleep: a lease that is taken meanwhile expires after its end."""
        self._renew_every_s = renew_every_s
        self._stall = StallWatch()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Stop the thread."""
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Look when the leases expire, and at least every quarter of their time."""
        while not self._stopped.is_set():
            wait_s = self.look(time.monotonic())
            self._stall.expect(time.monotonic() + wait_s)
            self._stopped.wait(wait_s)

    def look(self, now_s: float) -> float:
        """Ask the jobs to stop if their leases have expired; return how long to sleep after that.

        Not if this process stood still: then its leases may be renewed late (renewal.py).
        """
        self._stall.look(now_s, self._renew_every_s)
        attempts = self._held.attempts()
        left_s = (self._held.expires_mono_ms - self._monotonic_ms()) / 1000
        if left_s <= 0 and self._stall.is_calm(now_s):
            for attempt in attempts:
                end_lease(attempt, now_s)
        if self._held.is_empty():  # else the job of a lease that is held may start at any time
            return self._longest_s
        return max(_SHORTEST_S, min(left_s, self._longest_s))


def end_lease(attempt: RunningAttempt, now_s: float) -> None:
    """Ask a job with an expired lease to stop."""
    if not attempt.lease_lost:
        log.warning("lease_expired", job=attempt.lease.job_id)
        attempt.mark_lease_lost(now_s)
