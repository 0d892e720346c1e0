"""The leases of a worker that runs several jobs at once: one running job in each of its places.

Jobs start in the order of their tokens, as in a worker with one place. A job that has crashed
before runs alone: it starts when no other job runs and all results are stored, and none starts
beside it. So if the process dies again, no other job can be the cause, and no other job loses
anything.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Finished
from orpheus.shared.process.crash_cell import CellOfMany
from orpheus.shared.process.last_lines import LineRing
from orpheus.worker.attempt.context import RunningAttempt, current_attempt
from orpheus.worker.attempt.job_log import JobLog
from orpheus.worker.leasing.held_leases import HeldLeases


def runs_alone(lease: Lease) -> bool:
    """Return whether nothing else may run in the worker beside this job."""
    return lease.crashes > 0


class ConcurrentLeases(HeldLeases):
    """Any thread may end the attempt that it has run; the main thread starts them."""

    releases_behind_long_jobs = False

    def __init__(self, cell: CellOfMany, ring: LineRing | None, places: int) -> None:
        super().__init__(cell, ring)
        self._places_cell = cell
        self._running: dict[RunningAttempt, int] = {}
        """Each attempt whose code runs, and its place; the oldest first."""
        self._attempts: tuple[RunningAttempt, ...] = ()
        """The same attempts, replaced as a whole, so that a forked child needs no lock here."""
        self._free = list(range(places))

    def attempts(self) -> tuple[RunningAttempt, ...]:
        """See HeldLeases."""
        return self._attempts

    def log_of_caller(self) -> JobLog | None:
        """See HeldLeases."""
        attempt = current_attempt.get() or self.only_attempt()
        return attempt.job_log() if attempt is not None and attempt in self._running else None

    def free_places(self) -> int:
        """Return how many more jobs may run beside those that run now."""
        with self._lock:
            return 0 if self._one_runs_alone() else len(self._free)

    def can_start(self) -> bool:
        """Return whether a prefetched job may start now."""
        with self._lock:
            if not self._prefetched or not self._free or self._one_runs_alone():
                return False
            others = self._running or self._unreported
            return not (others and runs_alone(self._prefetched[0]))

    def waits_to_run_alone(self) -> bool:
        """Return whether the next prefetched job runs alone."""
        with self._lock:
            return bool(self._prefetched) and runs_alone(self._prefetched[0])

    def add(self, leases: Iterable[Lease]) -> None:
        """See HeldLeases. All leases are renewed together, so the oldest one says when.

        If a job is leased anew while an attempt of it still runs, that attempt has lost its lease.
        """
        new = list(leases)
        if not new:
            return
        job_ids = {lease.job_id for lease in new}
        for attempt in self._attempts:
            if attempt.lease.job_id in job_ids:
                attempt.mark_lease_lost(time.monotonic())
        with self._lock:
            kept = self._prefetched or self._unreported or self._parked
            is_first = not kept and all(attempt.lease_lost for attempt in self._attempts)
            self._prefetched.extend(new)
            expires_mono_ms = new[0].expires_mono_ms
            if is_first or expires_mono_ms < self.expires_mono_ms:
                self.expires_mono_ms = expires_mono_ms

    def note_renewed(self, tokens: Mapping[int, int], expires_mono_ms: int) -> None:
        """See HeldLeases. More jobs may have been leased while these were renewed."""
        with self._lock:
            held = (attempt.lease for attempt in self._running if not attempt.lease_lost)
            leases = [*self._prefetched, *held]
            newer = [
                lease.expires_mono_ms for lease in leases if tokens.get(lease.job_id) != lease.token
            ]
            self.expires_mono_ms = min([expires_mono_ms, *newer])

    def start_next(self, now_s: float, monotonic_ms: Callable[[], int]) -> RunningAttempt | None:
        """See HeldLeases. Call it only if `can_start`."""
        with self._lock:
            lease, place = self._prefetched[0], self._free[-1]
            self._places_cell.enter(place, lease.token, lease.job_id)
            if monotonic_ms() >= self.expires_mono_ms:
                self._places_cell.undo_enter(place)
                return None
            self._prefetched.popleft()
            self._free.pop()
            attempt = self._new_attempt(lease, now_s)
            attempt.note_overdue = partial(self._mark_overdue, attempt)
            self._running[attempt] = place
            self._attempts = tuple(self._running)
            return attempt

    def end_attempt(self, attempt: RunningAttempt, finished: Finished) -> None:
        """See HeldLeases."""
        with self._lock:
            self._unreported.append((finished, attempt))
            place = self._running.pop(attempt)
            self._attempts = tuple(self._running)
            self._free.append(place)
            self._places_cell.leave(place)

    def _one_runs_alone(self) -> bool:
        return len(self._running) == 1 and runs_alone(next(iter(self._running)).lease)

    def _mark_overdue(self, attempt: RunningAttempt) -> None:
        with self._lock:
            if attempt in self._running:
                self._places_cell.mark_overdue(self._running[attempt])
