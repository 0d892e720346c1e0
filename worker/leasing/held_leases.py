"""The leases that this worker holds: prefetched jobs, the running one, and unreported results.

The main thread, which runs jobs, and the renewal thread, which releases the jobs that wait behind a
long one, share them. One lock makes sure that a job is either started or released. No thread holds
it while it waits for the database or while a job's code runs.

`reporting` is a second lock. It is held while jobs are leased and released, and while results and
log lines are written to the database. So a line that the renewal thread has taken is stored before
the main thread's report ends the lease that the line needs.

A report may need what another transaction holds: a child's unique key, which an application has
used in a transaction that is still open. Such a report is parked. Its lease is renewed, and other
jobs run, until it is stored: see docs/handlers.md.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from orpheus.shared.domain.hidden import NOTHING_HIDDEN
from orpheus.shared.domain.jobs import JobError, Lease, NewLine
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import CommitInDoubt, StorageError
from orpheus.shared.logs import get_logger
from orpheus.shared.process.crash_cell import Cell, CellOfMany
from orpheus.shared.process.last_lines import LineRing
from orpheus.shared.process.stall import StallWatch
from orpheus.shared.storage import Store
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.echo import JobEcho
from orpheus.worker.attempt.job_log import JobLog

_T = TypeVar("_T")
Report = tuple[Finished, RunningAttempt]
"""How an attempt ended, and the attempt with its log lines and progress."""
_KEY_WAIT_MS = 300
_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_PAUSE_PART = 0.25
"""Of the time since its code returned, the pause until a parked report is tried again."""
_MOST_PARKED = 64
_WAITS = (
    "its result cannot be stored yet: another transaction holds the job, or the unique key of a "
    "job that it enqueues"
)
_NOT_STORED = JobError(
    "ResultNotStored",
    "another transaction held the job, or the unique key of a job that it enqueues, until the "
    "worker had to stop",
)

log = get_logger()
_NEVER = float("inf")
_Lines = Sequence[tuple[RunningAttempt, list[NewLine]]]
_Progress = Sequence[tuple[RunningAttempt, tuple[float, str | None]]]


class HeldLeases:
    """The leases of one worker, in the order in which it runs their jobs."""

    releases_behind_long_jobs = True
    """The thread that runs jobs cannot release the jobs behind a long one: another must."""

    def __init__(self, cell: Cell | CellOfMany, ring: LineRing | None = None) -> None:
        self.running: RunningAttempt | None = None
        """The attempt whose code runs now; other threads may see a change a moment late."""
        self.expires_mono_ms = 0
        """When the leases held now expire, unless they are renewed."""
        self.stall = StallWatch()
        """The renewal thread tells it when it looks after the leases."""
        self.echo: JobEcho | None = None
        """Tells the worker's log what attempts do."""
        self.hidden = NOTHING_HIDDEN
        """Which fields of jobs no log of this process may show."""
        self.reporting = threading.Lock()
        self.doubt_since_s: float | None = None
        """When a commit was last in doubt (time.monotonic); None once it can have left no lease
        that this worker does not know of (unknown_leases.py). Changed only under `reporting`."""
        self.parked_due_s = _NEVER
        """When the parked reports are tried again (time.monotonic)."""
        self._lock = threading.Lock()
        self._clear_cell = cell.clear
        self._was_refused = False
        if isinstance(cell, Cell):
            self._cell = cell
        self._ring = ring
        self._prefetched: deque[Lease] = deque()
        self._unreported: list[Report] = []
        self._parked: list[Report] = []
        self._told_parked: set[int] = set()
        """The tokens of those that were logged as parked."""
        self._on_their_way: list[Lease] = []
        """The leases that are just being stored or released."""

    def only_attempt(self) -> RunningAttempt | None:
        """Return the attempt whose code runs now; None if there is none, or more than one."""
        attempts = self.attempts()
        return attempts[0] if len(attempts) == 1 else None

    def attempts(self) -> tuple[RunningAttempt, ...]:
        """Return the attempts whose code runs now, the oldest first."""
        running = self.running  # read once: another thread may set it to None
        return () if running is None else (running,)

    def log_of_caller(self) -> JobLog | None:
        """Return the log of the job whose code calls this; None: no job runs."""
        running = self.running  # read once: another thread may set it to None
        return None if running is None else running.job_log()

    def add(self, leases: Iterable[Lease]) -> None:
        """Add new leases; their jobs run in this order.

        All leases are renewed together, so a parked report may determine when.
        """
        with self._lock:
            for lease in leases:
                is_first = not (self._prefetched or self._unreported or self._parked)
                self._prefetched.append(lease)
                if is_first or lease.expires_mono_ms < self.expires_mono_ms:
                    self.expires_mono_ms = lease.expires_mono_ms

    def start_next(self, now_s: float, monotonic_ms: Callable[[], int]) -> RunningAttempt | None:
        """Start the next attempt; None if there is none, or if the leases have expired.

        From here on, a crash of this process counts against this job. The clock is read after the
        cell is written. So whoever reclaims an expired lease can rely on the cell: if it says that
        the job was not entered, it never will be, even if this process was stopped here.
        """
        with self._lock:
            if not self._prefetched:
                return None
            lease = self._prefetched[0]
            self._cell.enter(lease.token, lease.job_id)
            if monotonic_ms() >= self.expires_mono_ms:
                self._cell.undo_enter()
                return None
            self._prefetched.popleft()
            self.running = running = self._new_attempt(lease, now_s)
            return running

    def _new_attempt(self, lease: Lease, now_s: float) -> RunningAttempt:
        attempt = RunningAttempt(lease, now_s, ring=self._ring, rules=self.hidden.of(lease.type))
        if self.echo is not None:
            self.echo.begin(attempt)
        return attempt

    def end_attempt(self, attempt: RunningAttempt, finished: Finished) -> None:
        """Keep how the running attempt ended, to be reported."""
        with self._lock:
            self._unreported.append((finished, attempt))
            self.running = None
            self._cell.leave(attempt.lease.token)

    def note_reported(self) -> None:
        """Record in the cell that nothing is left to report, if that is so.

        From here on, a crash of this process counts against no job.
        """
        with self._lock:
            if not (self._was_refused or self.attempts() or self._unreported or self._parked):
                self._clear_cell()

    def note_refused(self) -> None:
        """From now on, neither clear the cell nor delete it at the end: a result was refused.

        Whoever reclaims its lease must find that the job was entered.
        """
        with self._lock:
            self._was_refused = True

    def risks_results(self) -> bool:
        """Return whether the next job has crashed before, while results are not reported.

        They would be lost if it crashed again: their jobs, which have done their work, would run
        once more, or fail if they have no retry left. Parked results are not waited for: that may
        take an hour.
        """
        with self._lock:
            return bool(self._unreported and self._prefetched and self._prefetched[0].crashes)

    def has_waiting(self) -> bool:
        """Return whether a job is prefetched, or a result is to be reported now."""
        return bool(self._prefetched or self._unreported) or time.monotonic() >= self.parked_due_s

    def has_parked(self) -> bool:
        """Return whether a report waits for what another transaction holds."""
        return bool(self._parked)

    def may_park(self) -> bool:
        """Return whether so few reports are parked that more jobs may be leased."""
        return len(self._parked) < _MOST_PARKED

    def is_empty(self) -> bool:
        """Return whether this worker holds no lease at all."""
        kept = self._prefetched or self._unreported or self._parked or self._on_their_way
        return not self.attempts() and not kept

    def leaves_nothing(self) -> bool:
        """Return whether the crash cell is not needed to end a lease of this worker."""
        return self.is_empty() and not self._was_refused and self.doubt_since_s is None

    def prefetched_types(self) -> list[str]:
        """Return the types of the prefetched jobs, in order."""
        with self._lock:
            return [lease.type for lease in self._prefetched]

    def prefetched_tokens(self) -> dict[int, int]:
        """Return job id -> token of the prefetched jobs."""
        with self._lock:
            return {lease.job_id: lease.token for lease in self._prefetched}

    def tokens(self) -> dict[int, int]:
        """Return job id -> token of every lease held; of two leases of one job, the newer."""
        with self._lock:
            leases = [attempt.lease for attempt in self.attempts()]
            leases += [finished.lease for finished, _ in (*self._unreported, *self._parked)]
            leases += [*self._on_their_way, *self._prefetched]
        return newest_tokens(leases)

    def still_held(self, tokens: Iterable[int]) -> set[int]:
        """Return the leases among these that this worker holds and is not just releasing."""
        with self._lock:
            given = {lease.token for lease in self._on_their_way}
        return set(self.tokens().values()).intersection(tokens) - given

    def note_renewed(self, tokens: Mapping[int, int], expires_mono_ms: int) -> None:  # noqa: ARG002
        """Note that these leases (job id -> token) expire then, unless they are renewed."""
        self.expires_mono_ms = expires_mono_ms

    def take_reports(self, *, with_parked: bool = False) -> list[Report]:
        """Remove and return the reports that are due; `restore` those that cannot be stored.

        `with_parked`: also the parked ones whose time has not come.
        """
        with self._lock:
            reports, self._unreported = self._unreported, []
            if with_parked or time.monotonic() >= self.parked_due_s:
                reports = [*self._parked, *reports]
                self._parked, self.parked_due_s = [], _NEVER
        return reports

    def park(self, reports: list[Report]) -> None:
        """Keep reports that others hold up, and try them again after a pause, which grows."""
        now_s = time.monotonic()
        for finished, attempt in reports:
            if finished.lease.token not in self._told_parked:
                attempt.job_log().warning(_WAITS)
                log.warning("result_waits", job=finished.lease.job_id, why=_WAITS)
        with self._lock:
            self._parked += reports
            self._told_parked = {finished.lease.token for finished, _ in self._parked}
            if reports and self.parked_due_s == _NEVER:
                since_s = min(attempt.ended_at_s or now_s for _, attempt in self._parked)
                pause_s = (now_s - since_s) * _PAUSE_PART
                self.parked_due_s = now_s + min(max(pause_s, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)

    def take_prefetched(
        self, wanted: Callable[[int, Lease], bool] = lambda *_: True
    ) -> list[Lease]:
        """Remove and return the prefetched jobs for which `wanted(index, lease)` is true.

        They can no longer be started here.
        """
        with self._lock:
            taken = [lease for index, lease in enumerate(self._prefetched) if wanted(index, lease)]
            if taken:
                tokens = {lease.token for lease in taken}
                self._prefetched = deque(x for x in self._prefetched if x.token not in tokens)
        return taken

    @contextmanager
    def giving(self, reports: list[Report], prefetched: list[Lease]) -> Iterator[None]:
        """Put what was taken back if the block, which stores or releases it, raises an error.

        If the commit is in doubt, prefetched jobs may be another's by now: they do not run here.
        Meanwhile all are renewed: the block may wait for long.
        """
        self._on_their_way = [*(finished.lease for finished, _ in reports), *prefetched]
        try:
            yield
        except CommitInDoubt:
            self.doubt_since_s = time.monotonic()
            self.restore(reports, [])
            raise
        except BaseException:  # also after an error of ours, for the crash cell
            self.restore(reports, prefetched)
            raise
        finally:
            self._on_their_way = []

    def restore(self, reports: list[Report], prefetched: list[Lease]) -> None:
        """Put back, in order, what was taken, because it could not be stored."""
        with self._lock:
            self._unreported[:0] = reports
            leases = [*self._prefetched, *prefetched]
            self._prefetched = deque(sorted(leases, key=lambda lease: lease.token))


def newest_tokens(leases: Iterable[Lease]) -> dict[int, int]:
    """Return job id -> token of these leases; of two leases of one job, the newer.

    A worker has two after it stood still: the lease of a report was reclaimed, and it leased the
    job again.
    """
    return {lease.job_id: lease.token for lease in sorted(leases, key=lambda lease: lease.token)}


class _Output(NamedTuple):
    """Log lines and progress that were taken from attempts, to be stored."""

    lines: _Lines = ()
    progress: _Progress = ()

    def store(self, store: Store) -> None:
        """Store them. The store drops what belongs to a lost lease."""
        for attempt, taken in self.lines:
            lease = attempt.lease
            store.logs.append(lease.job_id, lease.token, lease.attempt, taken)
        for attempt, last in self.progress:
            store.leases.progress(attempt.lease.job_id, attempt.lease.token, *last)

    def put_back(self) -> None:
        """Let the attempts have them again, because they could not be stored."""
        for attempt, taken in self.lines:
            attempt.job_log().restore(taken)
        for attempt, last in self.progress:
            attempt.restore_progress(last)


def store_reports(
    store: Store,
    reports: list[Report],
    and_then: Callable[[], _T],
    held_up: list[Report] | None = None,
    *,
    is_patient: bool = True,
) -> tuple[set[int], _T]:
    """Store how attempts ended, and call `and_then` in the same transaction.

    Returns the tokens of lost leases, whose reports were refused, and what `and_then` returned. If
    an error is raised, nothing was stored, and the attempts have their lines and progress again.

    `held_up`: what others hold up is added to it, and the rest is stored. Otherwise this waits for
    them. `is_patient`: wait a moment before that.
    """
    attempts = [attempt for _, attempt in reports]
    output = _Output(_take_lines(attempts), _take_progress(attempts))
    tokens: set[int] = set()
    try:
        with store.write(durable=bool(reports)):
            output.store(store)
            now_s = time.monotonic()  # not before: the wait for the lock may be long
            lost = store.leases.finish(
                [finished._replace(run=attempt.run_until(now_s)) for finished, attempt in reports],
                None if held_up is None else tokens,
                None if held_up is None else is_patient * _KEY_WAIT_MS,
            )
            if lost:
                again = [finished for finished, _ in reports if finished.lease.token in lost]
                lost -= store.leases.stored(again)
            result = and_then()
    except BaseException:
        output.put_back()
        raise
    if held_up is not None:
        held_up += [report for report in reports if report[0].lease.token in tokens]
    return lost, result


def as_released(reports: list[Report]) -> list[Report]:
    """Return the reports with which the jobs run again, as their results cannot be stored."""
    if reports:
        log.warning("results_released", jobs=[finished.lease.job_id for finished, _ in reports])
    return [
        (Finished(finished.lease, Ending.RELEASED, error=_NOT_STORED), attempt)
        for finished, attempt in reports
    ]


def store_lines(store: Store, attempts: Iterable[RunningAttempt]) -> None:
    """Store the log lines that attempts have written since the last time, if any."""
    _store_output(store, _Output(lines=_take_lines(attempts)))


def store_progress(store: Store, attempts: Iterable[RunningAttempt]) -> None:
    """Store the progress that attempts have reported since the last time, if any."""
    _store_output(store, _Output(progress=_take_progress(attempts)))


def _store_output(store: Store, output: _Output) -> None:
    if not (output.lines or output.progress):
        return
    try:
        with store.write(durable=False):
            output.store(store)
    except StorageError:  # any other error ends this process
        output.put_back()
        raise


def _take_lines(attempts: Iterable[RunningAttempt]) -> _Lines:
    return [(attempt, taken) for attempt in attempts if (taken := attempt.take_lines())]


def _take_progress(attempts: Iterable[RunningAttempt]) -> _Progress:
    return [(attempt, last) for attempt in attempts if (last := attempt.take_progress())]
