"""What this worker holds: jobs leased ahead, the one that runs, and results not reported yet.

Shared by the main thread, which runs jobs, and the helper thread, which gives back what waits
behind a long job. One lock makes entering a job and giving it back exclude each other; it is never
held while the database is waited for, nor while a job's code runs.

`reporting` is a second lock, for who writes results and log lines to the database: a line that the
helper has taken is stored before the main thread's finish ends the lease it needs.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from orpheus.shared.domain.jobs import Lease, NewLine
from orpheus.shared.domain.lifecycle import Finished
from orpheus.shared.errors import StorageError
from orpheus.shared.process.crash_cell import Cell
from orpheus.shared.storage import Store
from orpheus.worker.attempt.context import Running

Report = tuple[Finished, Running]
"""An attempt that ended, and what it left to store with it: log lines, progress."""


class Held:
    """The leases of one worker, in the order in which it enters them."""

    def __init__(self, cell: Cell) -> None:
        self.running: Running | None = None
        """The attempt whose code runs now; read by any thread, as it was a moment ago."""
        self.expires_mono_ms = 0
        """When the leases held now end, unless they are renewed."""
        self.reporting = threading.Lock()
        self._lock = threading.Lock()
        self._cell = cell
        self._ahead: deque[Lease] = deque()
        self._unreported: list[Report] = []

    def add(self, leases: Iterable[Lease]) -> None:
        """Jobs leased just now, to be run in this order."""
        with self._lock:
            for lease in leases:
                self._ahead.append(lease)
                self.expires_mono_ms = lease.expires_mono_ms

    def enter(self, now_s: float) -> Running | None:
        """Begin the next job; None if there is none. From here on its death is its own."""
        with self._lock:
            if not self._ahead:
                return None
            lease = self._ahead.popleft()
            self._cell.enter(lease.token)
            self.running = running = Running(lease, now_s)
            return running

    def leave(self, running: Running, finished: Finished) -> None:
        """Its code has returned; how it ended waits to be reported."""
        with self._lock:
            self._unreported.append((finished, running))
            self.running = None
            self._cell.leave(running.lease.token)

    def is_waiting(self) -> bool:
        """Whether a job is leased ahead or a result not reported."""
        return bool(self._ahead or self._unreported)

    def is_empty(self) -> bool:
        """Whether this worker holds no lease at all."""
        return self.running is None and not self.is_waiting()

    def types_ahead(self) -> list[str]:
        """The types of the jobs leased ahead, in order."""
        with self._lock:
            return [lease.type for lease in self._ahead]

    def tokens_ahead(self) -> dict[int, int]:
        """Job id -> token of the jobs not entered yet."""
        with self._lock:
            return {lease.job_id: lease.token for lease in self._ahead}

    def tokens(self) -> dict[int, int]:
        """Job id -> token of every lease held."""
        with self._lock:
            leases = [*self._ahead, *(finished.lease for finished, _ in self._unreported)]
            if self.running is not None:
                leases.append(self.running.lease)
        return {lease.job_id: lease.token for lease in leases}

    def take_unreported(self) -> list[Report]:
        """What ended and is to be reported; `put_back` what cannot be."""
        with self._lock:
            reports, self._unreported = self._unreported, []
        return reports

    def put_back(self, reports: list[Report], ahead: list[Lease]) -> None:
        """The database could not be written: what was taken waits in its place again."""
        with self._lock:
            self._unreported[:0] = reports
            self._ahead = deque(sorted([*self._ahead, *ahead], key=lambda lease: lease.token))

    def take_ahead(self, wanted: Callable[[int, Lease], bool]) -> list[Lease]:
        """Take those jobs leased ahead that `wanted(place, lease)` says; they are not entered."""
        with self._lock:
            taken = [lease for place, lease in enumerate(self._ahead) if wanted(place, lease)]
            if taken:
                tokens = {lease.token for lease in taken}
                self._ahead = deque(one for one in self._ahead if one.token not in tokens)
        return taken


def report(
    store: Store, reports: list[Report], and_then: Callable[[], list[Lease]] = list
) -> tuple[set[int], list[Lease]]:
    """Store how attempts ended, and do `and_then` in the same transaction.

    Gives the tokens whose lease was lost, and what `and_then` gave. On an error nothing was
    stored, and the log lines are back in their logs.
    """
    lines = [(running, running.log.take()) for _, running in reports if running.log is not None]
    try:
        with store.write(durable=bool(reports)):
            for running, taken in lines:
                store_lines(store, running, taken)
            for _, running in reports:
                store_progress(store, running)
            lost = store.leases.finish([finished for finished, _ in reports])
            return lost, and_then()
    except StorageError:
        for running, taken in lines:
            running.job_log().put_back(taken)
        raise


def store_lines(store: Store, running: Running, lines: list[NewLine]) -> None:
    """Keep lines with the attempt; dropped if its lease is lost."""
    lease = running.lease
    if lines:
        store.logs.append(lease.job_id, lease.token, lease.attempt, lines)


def store_progress(store: Store, running: Running) -> None:
    """Keep what the attempt reported of its progress since the last time, if anything."""
    progress, running.progress = running.progress, None
    if progress is None:
        return
    try:
        store.leases.progress(running.lease.job_id, running.lease.token, *progress)
    except StorageError:
        running.put_back_progress(progress)
        raise
