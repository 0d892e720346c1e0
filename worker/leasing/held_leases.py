"""The leases that this worker holds: prefetched jobs, the running one, and unreported results.

The main thread, which runs jobs, and the renewal thread, which releases the jobs that wait behind a
long one, share them. One lock makes sure that a job is either started or released. It is never held
while a thread waits for the database or while a job's code runs.

`reporting` is a second lock, held while results and log lines are written to the database: a line
that the renewal thread has taken is stored before the main thread's report ends the lease that the
line needs.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from orpheus.shared.domain.jobs import Lease, NewLine
from orpheus.shared.domain.lifecycle import Finished
from orpheus.shared.errors import StorageError
from orpheus.shared.process.crash_cell import Cell
from orpheus.shared.storage import Store
from orpheus.worker.attempt.context import RunningAttempt

Report = tuple[Finished, RunningAttempt]
"""How an attempt ended, and the attempt, whose log lines and progress are stored with it."""


class HeldLeases:
    """The leases of one worker, in the order in which it runs their jobs."""

    def __init__(self, cell: Cell) -> None:
        self.running: RunningAttempt | None = None
        """The attempt whose code runs now; other threads may see a change a moment late."""
        self.expires_mono_ms = 0
        """When the leases held now expire, unless they are renewed."""
        self.reporting = threading.Lock()
        self._lock = threading.Lock()
        self._cell = cell
        self._prefetched: deque[Lease] = deque()
        self._unreported: list[Report] = []

    def add(self, leases: Iterable[Lease]) -> None:
        """Add new leases; their jobs run in this order."""
        with self._lock:
            for lease in leases:
                self._prefetched.append(lease)
                self.expires_mono_ms = lease.expires_mono_ms

    def start_next(self, now_s: float) -> RunningAttempt | None:
        """Start the next attempt; None if there is none.

        From here on, a crash of this process counts against this job.
        """
        with self._lock:
            if not self._prefetched:
                return None
            lease = self._prefetched.popleft()
            self._cell.enter(lease.token)
            self.running = running = RunningAttempt(lease, now_s)
            return running

    def end_attempt(self, attempt: RunningAttempt, finished: Finished) -> None:
        """Keep how the running attempt ended, to be reported."""
        with self._lock:
            self._unreported.append((finished, attempt))
            self.running = None
            self._cell.leave(attempt.lease.token)

    def has_waiting(self) -> bool:
        """Return whether a job is prefetched or a result is not reported."""
        return bool(self._prefetched or self._unreported)

    def is_empty(self) -> bool:
        """Return whether this worker holds no lease at all."""
        return self.running is None and not self.has_waiting()

    def prefetched_types(self) -> list[str]:
        """Return the types of the prefetched jobs, in order."""
        with self._lock:
            return [lease.type for lease in self._prefetched]

    def prefetched_tokens(self) -> dict[int, int]:
        """Return job id -> token of the prefetched jobs."""
        with self._lock:
            return {lease.job_id: lease.token for lease in self._prefetched}

    def tokens(self) -> dict[int, int]:
        """Return job id -> token of every lease held."""
        with self._lock:
            leases = [*self._prefetched, *(finished.lease for finished, _ in self._unreported)]
            if self.running is not None:
                leases.append(self.running.lease)
        return {lease.job_id: lease.token for lease in leases}

    def take_reports(self) -> list[Report]:
        """Remove and return the reports that are due; `restore` those that cannot be stored."""
        with self._lock:
            reports, self._unreported = self._unreported, []
        return reports

    def take_prefetched(
        self, wanted: Callable[[int, Lease], bool] = lambda *_: True
    ) -> list[Lease]:
        """Remove and return the prefetched jobs for which `wanted(place, lease)` is true.

        They are not started any more.
        """
        with self._lock:
            taken = [lease for place, lease in enumerate(self._prefetched) if wanted(place, lease)]
            if taken:
                tokens = {lease.token for lease in taken}
                self._prefetched = deque(x for x in self._prefetched if x.token not in tokens)
        return taken

    def restore(self, reports: list[Report], prefetched: list[Lease]) -> None:
        """Put back, in order, what was taken, because the database could not be written."""
        with self._lock:
            self._unreported[:0] = reports
            leases = [*self._prefetched, *prefetched]
            self._prefetched = deque(sorted(leases, key=lambda lease: lease.token))


def store_reports(
    store: Store, reports: list[Report], and_then: Callable[[], list[Lease]] = list
) -> tuple[set[int], list[Lease]]:
    """Store how attempts ended, and call `and_then` in the same transaction.

    Returns the tokens of lost leases, whose reports were refused, and what `and_then` returned. If
    an error is raised, nothing was stored and the log lines are in their logs again.
    """
    lines = [(attempt, attempt.log.take()) for _, attempt in reports if attempt.log is not None]
    try:
        with store.write(durable=bool(reports)):
            for attempt, taken in lines:
                append_lines(store, attempt, taken)
            for _, attempt in reports:
                store_progress(store, attempt)
            lost = store.leases.finish([finished for finished, _ in reports])
            return lost, and_then()
    except StorageError:
        for attempt, taken in lines:
            attempt.job_log().restore(taken)
        raise


def append_lines(store: Store, attempt: RunningAttempt, lines: list[NewLine]) -> None:
    """Store log lines of an attempt; the store drops them if the lease is lost."""
    lease = attempt.lease
    if lines:
        store.logs.append(lease.job_id, lease.token, lease.attempt, lines)


def store_lines(store: Store, attempt: RunningAttempt) -> None:
    """Store the log lines that the attempt has written since the last time, if any."""
    if attempt.log is None:
        return
    lines = attempt.log.take()
    try:
        append_lines(store, attempt, lines)
    except StorageError:
        attempt.log.restore(lines)
        raise


def store_progress(store: Store, attempt: RunningAttempt) -> None:
    """Store the progress that the attempt has reported since the last time, if any."""
    progress, attempt.unsaved_progress = attempt.unsaved_progress, None
    if progress is None:
        return
    try:
        store.leases.progress(attempt.lease.job_id, attempt.lease.token, *progress)
    except StorageError:
        attempt.restore_progress(progress)
        raise
