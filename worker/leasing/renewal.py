"""The thread that renews leases and saves output while jobs run.

The main thread runs job code, which may take hours and never return to the loop. So this thread,
with a connection of its own, writes the heartbeat row, renews leases, watches for cancels, and
stores log lines and progress. Once a job turns out to be long, it reports the results of the jobs
before it and releases the jobs prefetched behind it. It runs until the process exits.

It also watches its own worker's leases. A lease that could not be renewed in time belongs to nobody
or to another worker, so the job is asked to stop; its result would be refused anyway.

While a job runs, the thread wakes every 50 ms; in an idle worker it sleeps from beat to beat.
"""

import contextlib
import threading
import time
from collections.abc import Callable

from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.jobs import JobError, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import ProcessRecord
from orpheus.shared.errors import ExitCode, StorageError
from orpheus.shared.logs import get_logger
from orpheus.shared.storage import Store
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.control.control_thread import ControlThread, exit_now
from orpheus.worker.leasing.held_leases import (
    HeldLeases,
    Report,
    store_lines,
    store_progress,
    store_reports,
)

_TICK_S = 0.05
_LINES_EVERY_S = 0.13
"""Log lines are stored so often, rounded up to a tick: a crash loses at most 0.2 s of them."""
_PROGRESS_EVERY_S = 0.2
_JOIN_TIMEOUT_S = 3.0

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
    ) -> None:
        super().__init__(name="renewal", daemon=True)
        self.is_asleep = False
        """No job ran at the last look: the thread that starts the next job must call `wake`."""
        self._ready = False
        self._settings = settings
        self._store = store
        self._held = held
        self._control = control
        self._record = record
        self._woken = threading.Event()
        self._stopped = False
        self._beat = 0
        self._next_beat_s = self._next_lines_s = self._next_progress_s = 0.0
        self._watched: RunningAttempt | None = None

    def wake(self) -> None:
        """Look now: a job starts, or an order has come."""
        self.is_asleep = False
        self._woken.set()

    def set_ready(self) -> None:
        """Write at once into the heartbeat row that this worker takes jobs."""
        self._ready = True
        self._next_beat_s = 0.0
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
                self._tick(time.monotonic())
                self._sleep(time.monotonic())
            with contextlib.suppress(StorageError):
                self._store.processes.forget(self._record.incarnation)
            self._store.close()
        except BaseException:
            log.exception("renewal_thread_failed")
            exit_now(1, self._held.running)

    def _sleep(self, now_s: float) -> None:
        if self._held.is_empty():
            self.is_asleep = True
            # A job may have started before its thread could see the flag: look once more.
            if self._held.running is None:
                self._woken.wait(max(0.0, self._next_beat_s - now_s))
            self.is_asleep = False
        else:
            self._woken.wait(_TICK_S)
        self._woken.clear()

    def _tick(self, now_s: float) -> None:
        try:
            with self._control.database.call():
                self._use_database(now_s)
        except StorageError as error:
            self._control.database.log_failure(error)
        attempt = self._held.running
        if attempt is not None:
            self._check_lease(attempt, now_s)
            self._enforce_deadlines(attempt, now_s)

    def _use_database(self, now_s: float) -> None:
        attempt = self._held.running
        self._renew()
        if now_s >= self._next_beat_s:
            self._next_beat_s = now_s + self._settings.beat_interval_s
            self._write_beat(attempt)
        if attempt is None:
            return
        self._watch_for_cancel(attempt, now_s)
        if now_s >= self._next_lines_s:
            self._next_lines_s = now_s + _LINES_EVERY_S
            self._store_output(attempt, store_lines)
        if now_s >= self._next_progress_s:
            self._next_progress_s = now_s + _PROGRESS_EVERY_S
            self._store_output(attempt, store_progress)
        is_long = now_s - attempt.started_at_s > self._settings.ahead_s
        if (is_long or not self._control.may_lease) and self._held.has_waiting():
            self._release_prefetched()

    def _watch_for_cancel(self, attempt: RunningAttempt, now_s: float) -> None:
        # A change seen during the attempt before may have been the request to cancel this one.
        is_new, self._watched = attempt is not self._watched, attempt
        if not (self._store.data_changed() or is_new) or attempt.cancel_requested:
            return
        if self._store.leases.cancel_requests({attempt.lease.job_id: attempt.lease.token}):
            log.info("job_cancel_requested", job=attempt.lease.job_id)
            attempt.request_cancel(now_s)

    def _renew(self) -> None:
        """Renew every lease held, once `renew_every_s` have passed since the last time."""
        now_mono_ms = self._store.clock.monotonic_ms()
        left_ms = self._held.expires_mono_ms - now_mono_ms
        ttl_ms = round(self._settings.lease_ttl_s * 1000)
        if left_ms > ttl_ms - self._settings.renew_every_s * 1000:
            return
        tokens = self._held.tokens()
        if not tokens:
            return
        lost = self._store.leases.renew(tokens, ttl_ms)
        if len(lost) < len(tokens):
            self._held.expires_mono_ms = now_mono_ms + ttl_ms
        if lost:
            log.warning("leases_lost", jobs=[job for job, token in tokens.items() if token in lost])
            self._held.take_prefetched(lambda _, lease: lease.token in lost)
            if (attempt := self._held.running) is not None and attempt.lease.token in lost:
                attempt.mark_lease_lost(time.monotonic())

    def _check_lease(self, attempt: RunningAttempt, now_s: float) -> None:
        has_expired = self._store.clock.monotonic_ms() >= self._held.expires_mono_ms
        if has_expired and not attempt.lease_lost:
            log.warning("lease_expired", job=attempt.lease.job_id)
            attempt.mark_lease_lost(now_s)

    def _store_output(
        self, attempt: RunningAttempt, store: Callable[[Store, RunningAttempt], None]
    ) -> None:
        with self._held.reporting:
            if self._held.running is attempt:  # else the main thread stores it with the result
                store(self._store, attempt)

    def _release_prefetched(self) -> None:
        """Report the results of the jobs before a long job, and release the jobs behind it."""
        with self._held.reporting:
            reports, prefetched = self._held.take_reports(), self._held.take_prefetched()
            try:
                self._report_and_release(reports, prefetched)
            except StorageError:
                self._held.restore(reports, prefetched)
                raise

    def _report_and_release(self, reports: list[Report], prefetched: list[Lease]) -> None:
        if reports:
            lost, _ = store_reports(self._store, reports)
            if lost:
                log.warning("results_refused", tokens=sorted(lost))
        self._store.leases.release(prefetched)

    def _enforce_deadlines(self, attempt: RunningAttempt, now_s: float) -> None:
        lease = attempt.lease
        if now_s >= self._control.stop_deadline_s:
            log.warning("job_released", job=lease.job_id, why="the worker must stop")
            self._report_and_exit(Finished(lease, Ending.RELEASED), attempt)
        elif self._control.is_alone and now_s >= attempt.hard_deadline_s(
            self._settings.cancel_grace_s
        ):
            log.error("job_past_hard_deadline", job=lease.job_id, type=lease.type)
            error = JobError("HardTimeout", "the job did not stop when told to; its worker ended")
            self._report_and_exit(Finished(lease, Ending.KILLED_AT_DEADLINE, None, error), attempt)

    def _report_and_exit(self, finished: Finished, attempt: RunningAttempt) -> None:
        """Report an attempt whose code still runs, and exit.

        A program is ended first, so that it does not run beside the job's next attempt.
        """
        if attempt.kill_program is not None:
            attempt.kill_program()
        with self._held.reporting:  # not released: the main thread must not report this attempt too
            reports = [*self._held.take_reports(), (finished, attempt)]
            try:
                self._report_and_release(reports, self._held.take_prefetched())
                self._store.processes.forget(self._record.incarnation)
            except StorageError as error:
                log.error("attempt_not_reported", reason=str(error))  # noqa: TRY400
            exit_now(ExitCode.CUT_SHORT, None)

    def _write_beat(self, attempt: RunningAttempt | None) -> None:
        self._beat += 1
        known = self._store.processes.beat(
            self._record.incarnation,
            ready=self._ready,
            beat=self._beat,
            job_id=None if attempt is None else attempt.lease.job_id,
            jobs_done=self._control.jobs_done,
        )
        if not known:  # another process took this one for dead and deleted its row
            self._store.processes.register(self._record)
