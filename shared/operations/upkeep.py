"""Work that someone must do now and then, whoever runs: idempotent steps on the store.

The supervisor does them each second; without one, each lone worker does at its safety poll.
"""

import time
from collections.abc import Callable

from orpheus.shared.domain.retention import RetentionRules
from orpheus.shared.storage import Store

_BURST_S = 0.1
_SHORTEST_PAUSE_S = 0.005  # what ages while we look goes together, not one by one
_SOON_S = 1.0
_LATER_S = 60.0


def reclaim(store: Store) -> list[int]:
    """Take back leases that expired unseen; the ids of their jobs."""
    return store.leases.reclaim_expired()


def retain(store: Store, rules: RetentionRules, go_on: Callable[[], bool] = lambda: True) -> float:
    """Delete some of what has outlived `rules`; in how many seconds to call it again.

    Goes on for about 100 ms, while `go_on` says so: short steps, and after each a pause as long as
    it took, so that whoever waits for the write lock has it next. Keeps the write-ahead log small.
    """
    store.maintenance.checkpoint()
    end_s = time.monotonic() + _BURST_S
    while (began_s := time.monotonic()) < end_s and go_on():
        if not store.retention.step(rules):
            return _LATER_S
        time.sleep(max(_SHORTEST_PAUSE_S, time.monotonic() - began_s))
    return _SOON_S
