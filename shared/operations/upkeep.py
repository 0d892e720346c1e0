"""Work that one process of a database has to do now and then: idempotent steps on the store.

The supervisor does it each second; without a supervisor, each worker does it at its safety poll.
"""

import time
from collections.abc import Callable

from orpheus.shared.domain.handover import StoredSettings
from orpheus.shared.domain.retention import RetentionRules
from orpheus.shared.operations.stored_settings import fire_schedules
from orpheus.shared.storage import Store

_BURST_S = 0.1
_SHORTEST_PAUSE_S = 0.005  # what comes of age meanwhile is deleted together, not one by one
_SOON_S = 1.0
_LATER_S = 60.0


class Upkeep:
    """Reclaims expired leases, fires schedules, and deletes what is past its retention."""

    def __init__(self, settings: StoredSettings) -> None:
        self._settings = settings
        self._retain_at_s = 0.0

    def run(self, store: Store, go_on: Callable[[], bool] = lambda: True) -> float:
        """Do what is due, and return in how many seconds the next schedule is.

        Deleting goes on only while `go_on` returns True.
        """
        try:
            store.leases.reclaim_expired()
            next_tick_s = fire_schedules(store, self._settings)
        finally:  # a full disk can prevent the steps above, and only this makes room
            now_s = time.monotonic()
            if now_s >= self._retain_at_s:
                self._retain_at_s = now_s + _SOON_S  # also if an error is raised
                self._retain_at_s = now_s + retain(store, self._settings.retention, go_on)
        return max(0.0, next_tick_s)


def retain(store: Store, rules: RetentionRules, go_on: Callable[[], bool] = lambda: True) -> float:
    """Delete some of what has outlived `rules`, and return in how many seconds to call it again.

    It goes on for about 100 ms, while `go_on` returns True, in short steps. After each it pauses as
    long as the step took, so that others who wait for the write lock get it. It also keeps the
    write-ahead log small.
    """
    store.maintenance.checkpoint()
    end_s = time.monotonic() + _BURST_S
    while (began_s := time.monotonic()) < end_s and go_on():
        if not store.retention.step(rules):
            return _LATER_S
        time.sleep(max(_SHORTEST_PAUSE_S, time.monotonic() - began_s))
    return _SOON_S
