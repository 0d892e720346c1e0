"""Work that one process of a database has to do now and then: idempotent steps on the store.

The supervisor does it each second; without a supervisor, each worker does it at its safety poll.

Where several hosts share a database, each does `_do_what_each_host_does`, and only one, the leader,
all the rest. The drainers of outboxes are no part of this: each outbox lets in one of them at a
time.

A quarantined type whose code has changed is released once no worker runs the old code, which would
take the jobs at once and crash again.
"""

import time
from collections.abc import Callable
from math import inf

from orpheus.shared.domain.handover import RetentionRules, StoredSettings
from orpheus.shared.domain.processes import SILENT_MS, Role
from orpheus.shared.errors import StorageError
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.alerts import fire_alerts
from orpheus.shared.operations.reclaim import reclaim_expired
from orpheus.shared.operations.schedules import fire_schedules
from orpheus.shared.storage import Store

log = get_logger()

_BURST_S = 0.1
_BURST_BESIDE_OTHERS_S = 0.5  # where others write meanwhile
_SHORTEST_PAUSE_S = 0.001
_LATE_S = 2.0
_SOON_S = 1.0  # what comes of age meanwhile is deleted together, not one by one
_LATER_S = 5.0
_FOLD_EVERY_S = 10.0


class Upkeep:
    """Does the leader's duties, and deletes what is old even where one of them fails."""

    def __init__(self, settings: StoredSettings) -> None:
        self._settings = settings
        self._retain_at_s = 0.0
        self._fold_at_s = 0.0

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
        next_s = inf
        try:
            _do_what_each_host_does(store, reclaims=reclaims)
            if leads:
                next_s = self._lead(store, go_on)
        finally:  # a full disk can prevent the steps above, and only this makes room
            if leads and time.monotonic() >= self._retain_at_s:
                self._retain_at_s = time.monotonic() + _SOON_S  # also if an error is raised
                pause_s = retain(store, self._settings.retention, go_on)
                self._retain_at_s = time.monotonic() + pause_s
        if leads:
            next_s = min(next_s, max(0.0, self._retain_at_s - time.monotonic()))
        return next_s

    def _lead(self, store: Store, go_on: Callable[[], bool]) -> float:
        """Do the leader's duties, and return in how many seconds there is more to do.

        Each must be harmless if a leader that was slow does it once more.
        """
        store.maintenance.note_history()
        fold_s = self._fold(store, go_on)
        store.maintenance.fold_counts()
        # Before the schedules: they make up for a tick that was missed.
        alerts_s = _fire_alerts(store, self._settings)
        schedules_s = fire_schedules(store, self._settings)
        forget_lost_hosts(store)
        store.types.note_hosts()
        release_changed_types(store)
        changes_s = 0.0 if _continue_changes(store, go_on) else inf
        return max(0.0, min(alerts_s, schedules_s, changes_s, fold_s))

    def _fold(self, store: Store, go_on: Callable[[], bool]) -> float:
        """Add what was counted to the history, and return in how many seconds to do it again."""
        now_s = time.monotonic()
        if now_s >= self._fold_at_s:
            self._fold_at_s = now_s + _FOLD_EVERY_S
            while store.past.fold():
                if not go_on() or time.monotonic() > now_s + _BURST_S:
                    self._fold_at_s = now_s
                    break
        return self._fold_at_s - now_s


def _do_what_each_host_does(store: Store, *, reclaims: bool) -> None:
    """Do what no host leaves to the leader.

    The hosts that are left must not wait for a new leader first, and a new leader does not know
    what the clock said before.
    """
    if reclaims:
        reclaim_expired(store)
    if store.keys.correct_openings():
        log.warning("clock_set_back", note="rates of keys were counted by it, and are corrected")


def _fire_alerts(store: Store, settings: StoredSettings) -> float:
    try:
        return fire_alerts(store, settings)
    except StorageError:
        raise
    except Exception:  # an error of ours in a rule must not keep the schedules from firing
        log.exception("alerts_failed")
        return inf


def _continue_changes(store: Store, go_on: Callable[[], bool]) -> bool:
    """Cancel expired jobs, and continue cascades, wake-ups, timeouts, sweeps of keys and releases.

    Return whether some are left.
    """
    steps = (
        store.jobs.cancel_expired,
        store.dependencies.continue_cascades,
        store.signals.continue_wakes,
        store.signals.expire_waits,
        store.keys.continue_sweep,
        store.quarantines.continue_releases,
        store.versions.continue_letting_go,
    )
    return any(_continue(step, go_on) for step in steps)


def continue_cascades(store: Store) -> bool:
    """Let the ends of jobs reach more of their dependents; return whether some are left."""
    return _continue(store.dependencies.continue_cascades, lambda: True)


def wake_functions(store: Store) -> bool:
    """Wake functions whose signal has come or whose time is over; return whether some are left."""
    steps = (store.signals.continue_wakes, store.signals.expire_waits)
    return any(_continue(step, lambda: True) for step in steps)


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

    It goes on for about 100 ms, while `go_on` returns True, in short steps; for 500 ms where others
    write meanwhile. Where writers wait for each other, it pauses after each step for as long as
    that one kept them out; if it falls behind, only for a moment, and is one writer among others.
    It also keeps the write-ahead log small.
    """
    store.maintenance.checkpoint()
    burst_s = _BURST_S if store.one_writer else _BURST_BESIDE_OTHERS_S
    end_s = time.monotonic() + burst_s
    has_deleted = False
    while time.monotonic() < end_s and go_on():
        if not store.retention.step(rules):
            return _SOON_S if has_deleted else _LATER_S
        has_deleted = True
        is_polite = store.one_writer and store.retention.lag_s < _LATE_S
        time.sleep(max(_SHORTEST_PAUSE_S, store.retention.held_s if is_polite else 0.0))
    return 0.0


_TTL_S = 9.0
_RENEW_EVERY_S = 3.0
"""So a leader may miss two renewals, and ten seconds after its death another process leads."""
_NEVER = float("-inf")


class Leadership:
    """Asks for the leadership, renews it and ends it. A slow leader may act once too often."""

    def __init__(self, host: str, incarnation: str) -> None:
        self._host = host
        self._incarnation = incarnation
        self._until_s = _NEVER
        """When its time is over, counted from before it was asked for (time.monotonic)."""
        self._ask_at_s = _NEVER

    def holds(self, store: Store) -> bool:
        """Return whether this process leads now."""
        now_s = time.monotonic()
        if not self.led() or now_s >= self._ask_at_s:
            self._until_s = _NEVER  # also if an error is raised
            ttl_ms = round(_TTL_S * 1000)
            if store.leader.lead(self._host, self._incarnation, ttl_ms):
                self._until_s = now_s + _TTL_S
            self._ask_at_s = now_s + _RENEW_EVERY_S
        return self._until_s > now_s

    def led(self) -> bool:
        """Return whether this process led when it last asked, and its time is not over since.

        Any thread may call it.
        """
        return time.monotonic() < self._until_s

    def resign(self, store: Store) -> None:
        """Let another process lead at once."""
        if self.led():
            self._until_s = _NEVER
            store.leader.resign(self._incarnation)


_PROCESS_KEPT_MS = 60_000
_HOST_KEPT_MS = 3_600_000
"""So long its slots are shown as lost."""


def forget_lost_hosts(store: Store) -> None:
    """Delete the rows of silent processes that hold no lease, and the slots of lost hosts.

    A process that is alive and was only cut off writes its row again.
    """
    if not store.has_many_hosts:
        return
    rows = store.processes.all()
    for row in rows:
        is_supervisor = row.role is Role.SUPERVISOR
        kept_ms = _HOST_KEPT_MS if is_supervisor else _PROCESS_KEPT_MS
        if (store.processes.silent_ms(row) or 0) <= kept_ms:
            continue
        if not store.processes.forget_without_leases(row.incarnation):
            continue
        others = [other for other in rows if other.host == row.host and other is not row]
        if is_supervisor and not any(other.role is Role.SUPERVISOR for other in others):
            store.processes.clear_slots(row.host)


def release_changed_types(store: Store) -> None:
    """Release types if every living worker was started with their new code."""
    changed = store.quarantines.changed()
    if not changed:
        return
    started_ms = [
        row.started_at_ms
        for row in store.processes.all()
        if row.role is Role.WORKER and (store.processes.silent_ms(row) or 0) < SILENT_MS
    ]
    for name, since_ms in changed.items():
        if since_ms <= min(started_ms, default=since_ms):
            store.quarantines.release_changed(name)
            log.info("type_released", type=name, reason="its code has changed")
