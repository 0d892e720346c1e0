"""Work that one process of a database has to do now and then: idempotent steps on the store.

The supervisor does it each second; without a supervisor, each worker does it at its safety poll.

Where several hosts share a database, each does `EVERYBODYS_DUTIES`, and only one, the leader, all
the rest. `LEADER_DUTIES` lists that, except for deleting: `Upkeep.run` does it even if one of them
fails. The drainers of outboxes are no part of this: each outbox lets in one of them at a time.
"""

import time
from collections.abc import Callable
from math import inf

from orpheus.shared.domain.handover import StoredSettings
from orpheus.shared.domain.retention import RetentionRules
from orpheus.shared.errors import StorageError
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.alerts import fire_alerts
from orpheus.shared.operations.lost_hosts import forget_lost_hosts
from orpheus.shared.operations.reclaim import reclaim_expired
from orpheus.shared.operations.release_types import release_changed_types
from orpheus.shared.operations.stored_settings import fire_schedules
from orpheus.shared.records import dataclass
from orpheus.shared.storage import Store

log = get_logger()

_BURST_S = 0.1
_SHORTEST_PAUSE_S = 0.005  # what comes of age meanwhile is deleted together, not one by one
_SOON_S = 1.0
_LATER_S = 60.0


@dataclass(frozen=True, slots=True)
class UpkeepTurn:
    """What the duties of one turn work with; see `Upkeep.run`."""

    store: Store
    settings: StoredSettings
    go_on: Callable[[], bool]
    reclaims: bool


Duty = Callable[[UpkeepTurn], float]
"""Does what is due, and returns in how many seconds there is more to do."""


class Upkeep:
    """Does the leader's duties, and deletes what is old even where one of them fails."""

    def __init__(self, settings: StoredSettings) -> None:
        self._settings = settings
        self._retain_at_s = 0.0

    def run(
        self,
        store: Store,
        go_on: Callable[[], bool] = lambda: True,
        *,
        reclaims: bool = True,
        leads: bool = True,
    ) -> float:
        """Do what is due, and return in how many seconds there is more to do.

        Without `reclaims`, expired leases are left to their workers, which may renew them late.
        Without `leads`, the leader's duties are left to the leader.
        Cascades, sweeps and deleting go on only while `go_on` returns True.
        """
        turn = UpkeepTurn(store, self._settings, go_on, reclaims)
        if not leads:
            return max(0.0, min(duty(turn) for duty in EVERYBODYS_DUTIES))
        try:
            return max(0.0, min([duty(turn) for duty in (*EVERYBODYS_DUTIES, *LEADER_DUTIES)]))
        finally:  # a full disk can prevent the steps above, and only this makes room
            now_s = time.monotonic()
            if now_s >= self._retain_at_s:
                self._retain_at_s = now_s + _SOON_S  # also if an error is raised
                self._retain_at_s = now_s + retain(store, self._settings.retention, go_on)


def _note_history(turn: UpkeepTurn) -> float:
    """Note how far the events have come."""
    turn.store.maintenance.note_history()
    return inf


def _reclaim_leases(turn: UpkeepTurn) -> float:
    if turn.reclaims:
        reclaim_expired(turn.store)
    return inf


def _correct_openings(turn: UpkeepTurn) -> float:
    if turn.store.keys.correct_openings():
        log.warning("clock_set_back", note="rates of keys were counted by it, and are corrected")
    return inf


def _fire_alerts(turn: UpkeepTurn) -> float:
    try:
        return fire_alerts(turn.store, turn.settings)
    except StorageError:
        raise
    except Exception:  # an error of ours in a rule must not keep the schedules from firing
        log.exception("alerts_failed")
        return inf


def _fire_schedules(turn: UpkeepTurn) -> float:
    return fire_schedules(turn.store, turn.settings)


def _forget_lost_hosts(turn: UpkeepTurn) -> float:
    forget_lost_hosts(turn.store)
    return inf


def _release_changed_types(turn: UpkeepTurn) -> float:
    """Release quarantined types that have new code."""
    release_changed_types(turn.store)
    return inf


def _continue_changes(turn: UpkeepTurn) -> float:
    """Continue cascades, once they are done the sweeps of keys, and then the releases of types."""
    store, go_on = turn.store, turn.go_on
    steps = (continue_cascades, continue_sweep, continue_releases)
    return 0.0 if any(step(store, go_on) for step in steps) else inf


EVERYBODYS_DUTIES: tuple[Duty, ...] = (_reclaim_leases, _correct_openings)
"""Each host does these: the hosts that are left must not wait for a new leader first, and a new
leader does not know what the clock said before."""
LEADER_DUTIES: tuple[Duty, ...] = (
    _note_history,
    _fire_alerts,  # before the schedules: they make up for a tick that was missed
    _fire_schedules,
    _forget_lost_hosts,
    _release_changed_types,
    _continue_changes,
)
"""In order; each must be harmless if a leader that was slow does it once more."""


def continue_cascades(store: Store, go_on: Callable[[], bool] = lambda: True) -> bool:
    """Let the ends of jobs reach more of their dependents; return whether some are left."""
    return _continue(store.dependencies.continue_cascades, go_on)


def continue_sweep(store: Store, go_on: Callable[[], bool] = lambda: True) -> bool:
    """Look at more keys whose limits have changed; return whether some are left."""
    return _continue(store.keys.continue_sweep, go_on)


def continue_releases(store: Store, go_on: Callable[[], bool] = lambda: True) -> bool:
    """Let go more jobs of types that are quarantined no more; return whether some are left."""
    return _continue(store.quarantines.continue_releases, go_on)


def _continue(step: Callable[[], bool], go_on: Callable[[], bool]) -> bool:
    """Run a transaction at a time until there is nothing left to do; return whether there is.

    It goes on for about 100 ms, while `go_on` returns True. After each transaction it pauses as
    long as that took, so that others who wait for the write lock get it.
    """
    end_s = time.monotonic() + _BURST_S
    while (began_s := time.monotonic()) < end_s:
        if not step():
            return False
        if not go_on():
            break
        time.sleep(time.monotonic() - began_s)
    return True


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
