"""The thread that renews leases and saves output while jobs run.

The main thread runs job code, which may take hours and never return to the loop. So this thread,
with a connection of its own, writes the heartbeat row, renews leases, watches for cancels, and
stores log lines and progress. Once a job turns out to be long, it reports the results of the jobs
before it and releases the jobs prefetched behind it. It also releases leases that this worker does
not know of (unknown_leases.py). It runs until the process exits.

It also watches its own worker's leases. The job of a lease that could not be renewed in time is
asked to stop: another worker may have it, and its result would be refused anyway. But if the worker
itself stood still, as in a paused container, it first tries to renew what has expired: those who
could have reclaimed it stood still, too.

While a job runs, the thread wakes every 50 ms. In an idle worker it sleeps, and the main thread,
which wakes for its safety poll anyway, does this work once a beat (`look`). In a worker that runs
several jobs at once, it looks after all of them.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.jobs import JobError, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import ProcessRecord
from orpheus.shared.errors import ExitCode, StorageError
from orpheus.shared.logs import get_logger
from orpheus.shared.process.clock import next_multiple_s
from orpheus.shared.storage import Store
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.stray_output import StrayOutput
from orpheus.worker.control.control_thread import ControlThread, exit_now, kill_programs
from orpheus.worker.leasing.fence import end_lease
from orpheus.worker.leasing.held_leases import (
    HeldLeases,
    Report,
    as_released,
    store_lines,
    store_progress,
    store_reports,
)
from orpheus.worker.leasing.unknown_leases import UnknownLeases

_TICK_S = 0.05
_LINES_EVERY_S = 0.13
"""How often log lines are stored; shared/process/last_lines.py keeps the newer ones."""
_PROGRESS_EVERY_S = 0.2
_JOIN_TIMEOUT_S = 3.0
_NEVER = float("inf")

log = get_logger()


class RenewalThread(threading.Thread):
    """See the module. `record` is the heartbeat row of this process; it is registered already."""

    def __init__(
        self,
        settings: WorkerHandover,
        store: Store,
        held: HeldLeases,
        control: ControlThread,
        record: ProcessRecord,
        stray: StrayOutput,
    ) -> None:
        super().__init__(name="renewal", daemon=True)
        self.is_asleep = False
        """No job ran at the last look: the thread that starts the next job must call `wake`."""
        self.main_looks = False
        """The main loop runs: while this thread is asleep, that one looks."""
        self._ready = self._beat_asked = False
        self._settings = settings
        self._store = store
        self._held = held
        self._control = control
        self.record = record
        self._stray = stray
        self._unknown = UnknownLeases(store, held, record.incarnation, settings.lease_ttl_s)
        self._woken = threading.Event()
        self._looking = threading.Lock()
        self._stopped = False
        self._beat = 0
        self._next_beat_s = self._next_lines_s = self._next_progress_s = 0.0
        self._watched: frozenset[RunningAttempt] = frozenset()
        self._lost: set[int] = set()
        """The tokens of lost leases whose attempts or results are still here."""
        self._database_answers = True

    def wake(self) -> None:
        """Look now: a job starts, or an order has come."""
        self.is_asleep = False
        self._woken.set()

    def look(self, now_s: float) -> None:
        """Do this thread's work in the main thread, if it is asleep and a beat is due."""
        if self.is_asleep and now_s >= self._next_beat_s:
            with self._looking:
                self._tick(now_s)
                self._held.stall.expect(_NEVER)

    def set_ready(self) -> None:
        """Write at once into the heartbeat row that this worker takes jobs."""
        self._ready = self._beat_asked = True
        self.wake()

    def stop(self) -> None:
        """Stop the thread, which deletes the heartbeat row unless the database prevents it."""
        self._stopped = True
        self._woken.set()
        self.join(_JOIN_TIMEOUT_S)

    def run(self) -> None:
        """Tick until `stop`."""
        try:
            while not self._stopped:
                with self._looking:
                    self._tick(time.monotonic())
                self._sleep(time.monotonic())
            with contextlib.suppress(StorageError):
                self._unknown.look_now(time.monotonic())
            with contextlib.suppress(StorageError):
                self._store.processes.forget(self.record.incarnation)
            self._store.close()
        except BaseException:
            log.exception("renewal_thread_failed")
            exit_now(1, self._held.attempts())

    def _sleep(self, now_s: float) -> None:
        if self._held.is_empty():
            self.is_asleep = True
            # A job may have started before its thread could see `is_asleep`: look once more.
            if not self._held.attempts():
                rests = self.main_looks and self._database_answers
                self._wait(now_s, None if rests else max(0.0, self._next_beat_s - now_s))
            self.is_asleep = False
        else:
            self._wait(now_s, _TICK_S)
        self._woken.clear()

    def _wait(self, now_s: float, wait_s: float | None) -> None:
        """Wait until woken, for `wait_s` at most; None: the main thread looks meanwhile.

        Then that one notices a stall of its own sleep: a wait of it for the database is none.
        """
        if self._database_answers:  # else the database made the tick long, not a stall
            self._look_for_stall(now_s)
        self._held.stall.expect(_NEVER if wait_s is None else now_s + wait_s)
        self._woken.wait(wait_s)

    def _look_for_stall(self, now_s: float) -> None:
        stalled_s = self._held.stall.look(now_s, self._settings.renew_every_s)
        if stalled_s:
            log.warning("worker_stalled", seconds=round(stalled_s, 1))

    def _tick(self, now_s: float) -> None:
        self._look_for_stall(now_s)
        self._held.stall.expect(now_s)
        self._stray.take(self._held.only_attempt)
        for attempt in self._held.attempts():
            self._check_lease(attempt, now_s)
        try:
            with self._control.database.call():
                self._use_database(now_s)
            self._database_answers = True
        except StorageError as error:
            self._database_answers = False
            self._control.database.log_failure(error)
        attempts = self._held.attempts()
        if attempts:
            self._enforce_deadlines(attempts, now_s)

    def _use_database(self, now_s: float) -> None:
        attempts = self._held.attempts()
        self._renew(late=not self._held.stall.is_calm(now_s))
        if self._beat_asked or now_s >= self._next_beat_s:
            self._beat_asked = False
            self._next_beat_s = next_multiple_s(now_s, self._settings.beat_interval_s)
            self._write_beat(attempts)
        self._unknown.look(now_s)
        if not attempts:
            return
        self._watch_for_cancels(attempts, now_s)
        if now_s >= self._next_lines_s:
            self._next_lines_s = now_s + _LINES_EVERY_S
            self._store_output(attempts, store_lines)
        if now_s >= self._next_progress_s:
            self._next_progress_s = now_s + _PROGRESS_EVERY_S
            self._store_output(attempts, store_progress)
        if self._held.releases_behind_long_jobs:
            is_long = now_s - attempts[0].started_at_s > self._settings.ahead_s
            if (is_long or not self._control.may_lease) and self._held.has_waiting():
                self._release_prefetched()

    def _watch_for_cancels(self, attempts: Sequence[RunningAttempt], now_s: float) -> None:
        # A change seen before an attempt began may have been the request to cancel it.
        before, self._watched = self._watched, frozenset(attempts)
        if not self._store.data_changed():
            attempts = [attempt for attempt in attempts if attempt not in before]
        running = {
            attempt.lease.job_id: attempt for attempt in attempts if not attempt.cancel_requested
        }
        if not running:
            return
        tokens = {job_id: attempt.lease.token for job_id, attempt in running.items()}
        for job_id in self._store.leases.cancel_requests(tokens):
            log.info("job_cancel_requested", job=job_id)
            running[job_id].request_cancel(now_s)

    def _renew(self, *, late: bool) -> None:
        """Renew every lease held, once `renew_every_s` have passed since the last time."""
        now_mono_ms = self._store.own_clock.monotonic_ms()
        left_ms = self._held.expires_mono_ms - now_mono_ms
        ttl_ms = round(self._settings.lease_ttl_s * 1000)
        if left_ms > ttl_ms - self._settings.renew_every_s * 1000:
            return
        tokens = self._held.tokens()
        to_renew = {job: token for job, token in tokens.items() if token not in self._lost}
        if not to_renew:
            return
        lost = self._store.leases.renew(to_renew, ttl_ms, late=late)
        lost = self._held.still_held(lost)  # the main thread may have ended some meanwhile
        if lost:
            self._lost = lost | self._lost.intersection(tokens.values())
            jobs = [job for job, token in to_renew.items() if token in lost]
            log.warning("leases_lost", jobs=jobs)
            self._held.take_prefetched(lambda _, lease: lease.token in lost)
            for attempt in self._held.attempts():
                if attempt.lease.token in lost:
                    attempt.mark_lease_lost(time.monotonic())
        if len(lost) < len(to_renew):
            self._held.note_renewed(to_renew, now_mono_ms + ttl_ms)

    def _check_lease(self, attempt: RunningAttempt, now_s: float) -> None:
        has_expired = self._store.own_clock.monotonic_ms() >= self._held.expires_mono_ms
        if has_expired and self._held.stall.is_calm(now_s):
            end_lease(attempt, now_s)

    def _store_output(
        self,
        attempts: Sequence[RunningAttempt],
        store: Callable[[Store, Sequence[RunningAttempt]], None],
    ) -> None:
        with self._held.reporting:
            running = self._held.attempts()  # once one has ended, the main thread stores its output
            store(self._store, [attempt for attempt in attempts if attempt in running])

    def _release_prefetched(self) -> None:
        """Report the results of the jobs before a long job, and release the jobs behind it."""
        with self._held.reporting:
            reports, prefetched = self._held.take_reports(), self._held.take_prefetched()
            with self._held.giving(reports, prefetched):
                held_up = self._report_and_release(reports, prefetched)
            self._held.park(held_up)

    def _report_and_release(self, reports: list[Report], prefetched: list[Lease]) -> list[Report]:
        """Store reports and release prefetched jobs; return the reports that others hold up."""
        held_up: list[Report] = []
        lost, _ = store_reports(
            self._store, reports, lambda: self._store.leases.release(prefetched), held_up
        )
        if lost:
            self._held.note_refused()
            log.warning("results_refused", tokens=sorted(lost))
        return held_up

    def _enforce_deadlines(self, attempts: Sequence[RunningAttempt], now_s: float) -> None:
        if now_s >= self._control.stop_deadline_s:
            for attempt in attempts:
                log.warning("job_released", job=attempt.lease.job_id, why="the worker must stop")
            self._report_and_exit(attempts, ())
        elif self._control.is_alone:
            grace_s = self._settings.cancel_grace_s
            overdue = [attempt for attempt in attempts if now_s >= attempt.hard_deadline_s(grace_s)]
            for attempt in overdue:
                lease = attempt.lease
                log.error("job_past_hard_deadline", job=lease.job_id, type=lease.type)
            if overdue:
                self._report_and_exit(attempts, overdue)

    def _report_and_exit(
        self, attempts: Sequence[RunningAttempt], overdue: Sequence[RunningAttempt]
    ) -> None:
        """Report attempts whose code still runs, and exit: those not overdue are released.

        Their programs are ended first, so that none runs beside its job's next attempt.
        """
        kill_programs(attempts)
        with self._held.reporting:  # kept until the exit: the main thread must not report, too
            running = self._held.attempts()  # one may have ended meanwhile: its report is there
            ended = [
                (_ending_now(attempt, attempt in overdue), attempt)
                for attempt in attempts
                if attempt in running
            ]
            reports = [*self._held.take_reports(with_parked=True), *ended]
            try:
                held_up = self._report_and_release(reports, self._held.take_prefetched())
                self._report_and_release(as_released(held_up), [])
                self._store.processes.forget(self.record.incarnation)
            except StorageError as error:
                log.error("attempt_not_reported", reason=str(error))  # noqa: TRY400
            exit_now(ExitCode.CUT_SHORT, ())

    def _write_beat(self, attempts: Sequence[RunningAttempt]) -> None:
        self._beat += 1
        known = self._store.processes.beat(
            self.record.incarnation,
            ready=self._ready,
            beat=self._beat,
            job_id=attempts[0].lease.job_id if attempts else None,
            jobs_done=self._control.jobs_done,
        )
        if not known:  # another process took this one for dead and deleted its row
            self._store.processes.register(self.record)


def _ending_now(attempt: RunningAttempt, is_overdue: bool) -> Finished:
    """Return how an attempt ends if its code still runs when its worker exits."""
    if not is_overdue:
        return Finished(attempt.lease, Ending.RELEASED)
    ending, kind = Ending.KILLED_AT_DEADLINE, "HardTimeout"
    if attempt.cancel_requested:
        ending, kind = Ending.KILLED_AT_CANCEL, "CancelIgnored"
    error = JobError(kind, "the job did not stop when told to; its worker ended")
    return Finished(attempt.lease, ending, None, error)
