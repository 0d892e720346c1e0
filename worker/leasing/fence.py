"""Asks jobs to stop when their leases have expired, whatever the database does.

If the network loses what is sent, a call of the database may last for minutes, and another host
runs the jobs meanwhile. So the control thread looks, which never uses the database.
"""

from dataclasses import field

from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.logs import get_logger
from orpheus.shared.process.stall import StallWatch
from orpheus.shared.records import dataclass
from orpheus.worker.leasing.held_leases import HeldLeases

_SHORTEST_S = 0.05

log = get_logger()


@dataclass
class Fence:
    """Looks at the leases of one worker."""

    _settings: WorkerHandover
    _held: HeldLeases
    _stall: StallWatch = field(default_factory=StallWatch)

    def look(self, now_s: float) -> float:
        """Ask the jobs to stop if their leases have expired; return how soon to look again.

        Not if this process stood still: then its leases may be renewed late (renewal.py). It may
        stand still in here, too. So one reading of the clock tells both.
        """
        self._stall.look(now_s, self._settings.renew_every_s)
        attempts = self._held.attempts()
        left_s = self._held.expires_mono_ms / 1000 - now_s
        if left_s <= 0 and self._stall.is_calm(now_s):
            for attempt in attempts:
                if not attempt.lease_lost:
                    log.warning("lease_expired", job=attempt.lease.job_id)
                    attempt.mark_lease_lost(now_s)
        wait_s = self._settings.lease_ttl_s / 4  # a lease taken meanwhile expires after that
        if not self._held.is_empty():  # the job of one that is held may start at any time
            wait_s = max(_SHORTEST_S, min(left_s, wait_s))
        self._stall.expect(now_s + wait_s)
        return wait_s
