"""The helper thread that keeps leases and attempts true to the database while jobs run.

The main thread runs job code, which may take hours and never look up. So this thread, with a store
of its own, writes the heartbeat row, renews leases, watches for cancels, stores log lines and
progress, and, once a job turns out long, reports what ended before it and gives back what was
leased behind it. It goes on until the very exit.

It fences its own worker: a lease that could not be renewed before it expired is somebody else's,
so the job is told to stop; its result would be refused anyway.

While a job runs it looks up every 50 ms; in an idle worker it sleeps from beat to beat.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import ProcessRecord
from orpheus.shared.errors import StorageError
from orpheus.shared.logs import get_logger
from orpheus.shared.storage import Store
from orpheus.worker.attempt.context import Running
from orpheus.worker.control.control import EXIT_KILLED, Control, exit_now
from orpheus.worker.leasing.held import Held, Report, report, store_lines, store_progress

_TICK_S = 0.05
_LINES_EVERY_S = 0.13
"""Log lines are stored so often, rounded up to a tick: a death loses no more than 0.2 s of them."""
_PROGRESS_EVERY_S = 0.2
"""Progress is stored no more often."""

_END_WITHIN_S = 3.0

log = get_logger()


@dataclass(frozen=True, slots=True)
class RenewalRules:
    """Durations in seconds. `is_alone`: no supervisor ends a job past its hard deadline."""

    lease_ttl_s: float
    renew_every_s: float
    ahead_s: float
    beat_interval_s: float
    cancel_grace_s: float
    is_alone: bool


class Renewal(threading.Thread):
    """See the module. `record` is this process's row, registered already."""

    def __init__(
        self, store: Store, held: Held, control: Control, record: ProcessRecord, rules: RenewalRules
    ) -> None:
        super().__init__(name="renewal", daemon=True)
        self.is_asleep = False
        """Nothing ran when it last looked: it must be woken for the next job."""
        self._ready = False
        self._store = store
        self._held = held
        self._control = control
        self._record = record
        self._rules = rules
        self._wake = threading.Event()
        self._ended = False
        self._beat = 0
        self._next_beat_s = 0.0
        self._next_lines_s = self._next_progress_s = 0.0
        self._watched: Running | None = None

    def wake(self) -> None:
        """Look up now: a job begins, or an order arrived."""
        self.is_asleep = False
        self._wake.set()

    def tell_ready(self) -> None:
        """The row says at once that this worker takes jobs."""
        self._ready = True
        self._next_beat_s = 0.0
        self.wake()

    def end(self) -> None:
        """End the thread, and with it the heartbeat row, if the database lets it."""
        self._ended = True
        self._wake.set()
        self.join(_END_WITHIN_S)

    def run(self) -> None:
        """Look up until `end`."""
        try:
            while not self._ended:
                self._look_up(time.monotonic())
                self._sleep(time.monotonic())
            with contextlib.suppress(StorageError):
                self._forget_process()
            self._store.close()
        except BaseException:
            log.exception("renewal_thread_failed")
            exit_now(1, self._held.running)

    def _sleep(self, now_s: float) -> None:
        if self._held.is_empty():
            self.is_asleep = True
            # A job that began since was entered before the flag was seen: look again.
            if self._held.running is None:
                self._wake.wait(max(0.0, self._next_beat_s - now_s))
            self.is_asleep = False
        else:
            self._wake.wait(_TICK_S)
        self._wake.clear()

    def _look_up(self, now_s: float) -> None:
        try:
            with self._control.database.call():
                self._database_steps(now_s)
        except StorageError as error:
            self._control.database.tell(error)
        self._fence(now_s)
        self._enforce_deadlines(now_s)

    def _database_steps(self, now_s: float) -> None:
        running = self._held.running
        self._renew()
        if now_s >= self._next_beat_s:
            self._next_beat_s = now_s + self._rules.beat_interval_s
            self._write_beat(running)
        if running is None:
            return
        self._watch_for_cancel(running, now_s)
        if now_s >= self._next_lines_s:
            self._next_lines_s = now_s + _LINES_EVERY_S
            self._store_output(running, self._store_lines)
        if now_s >= self._next_progress_s:
            self._next_progress_s = now_s + _PROGRESS_EVERY_S
            self._store_output(running, self._store_progress)
        if now_s - running.entered_at_s > self._rules.ahead_s or not self._control.leasing:
            self._clear_the_way()

    def _watch_for_cancel(self, running: Running, now_s: float) -> None:
        # A change seen during another job may have been the request to cancel this one.
        is_new, self._watched = running is not self._watched, running
        if not (self._store.data_changed() or is_new) or running.cancelled:
            return
        tokens = {running.lease.job_id: running.lease.token}
        if self._store.leases.cancel_requests(tokens):
            log.info("job_cancel_requested", job=running.lease.job_id)
            running.cancel(now_s)

    def _renew(self) -> None:
        """More time for every lease held, once `renew_every_s` of it has passed."""
        now_mono_ms = self._store.clock.monotonic_ms()
        left_ms = self._held.expires_mono_ms - now_mono_ms
        ttl_ms = round(self._rules.lease_ttl_s * 1000)
        if left_ms > ttl_ms - self._rules.renew_every_s * 1000:
            return
        tokens = self._held.tokens()
        if not tokens:
            return
        lost = self._store.leases.renew(tokens, ttl_ms)
        if len(lost) < len(tokens):
            self._held.expires_mono_ms = now_mono_ms + ttl_ms
        if lost:
            log.warning("leases_lost", jobs=[job for job, token in tokens.items() if token in lost])
            self._held.take_ahead(lambda _, lease: lease.token in lost)
            self._lose(lost)

    def _lose(self, tokens: set[int]) -> None:
        running = self._held.running
        if running is not None and running.lease.token in tokens:
            running.lose(time.monotonic())

    def _fence(self, now_s: float) -> None:
        running = self._held.running
        if running is None or running.lost:
            return
        if self._store.clock.monotonic_ms() >= self._held.expires_mono_ms:
            log.warning("lease_expired", job=running.lease.job_id)
            running.lose(now_s)

    def _store_output(self, running: Running, store: Callable[[Running], None]) -> None:
        with self._held.reporting:
            if self._held.running is running:  # else the main thread stores it with its result
                store(running)

    def _store_lines(self, running: Running) -> None:
        if running.log is None:
            return
        lines = running.log.take()
        try:
            store_lines(self._store, running, lines)
        except StorageError:
            running.log.put_back(lines)
            raise

    def _store_progress(self, running: Running) -> None:
        store_progress(self._store, running)

    def _clear_the_way(self) -> None:
        """Report what ended before a long job, and give back what waits behind it."""
        if not self._held.is_waiting():
            return
        with self._held.reporting:
            reports = self._held.take_unreported()
            ahead = self._held.take_ahead(lambda *_: True)
            try:
                self._report(reports)
                self._store.leases.hand_back(ahead)
            except StorageError:
                self._held.put_back(reports, ahead)
                raise

    def _report(self, reports: list[Report]) -> None:
        if reports:
            lost, _ = report(self._store, reports)
            if lost:
                log.warning("results_refused", tokens=sorted(lost))

    def _enforce_deadlines(self, now_s: float) -> None:
        running = self._held.running
        if running is not None and now_s >= self._control.stop_at_s:
            log.warning("job_released", job=running.lease.job_id, why="the worker must stop")
            self._end_with(Finished(running.lease, Ending.RELEASED), running)
        elif (
            running is not None
            and self._rules.is_alone
            and now_s >= running.hard_deadline_s(self._rules.cancel_grace_s)
        ):
            log.error("job_past_hard_deadline", job=running.lease.job_id, type=running.lease.type)
            error = JobError("HardTimeout", "the job did not stop when told to; its worker ended")
            self._end_with(Finished(running.lease, Ending.KILLED_AT_DEADLINE, None, error), running)

    def _end_with(self, finished: Finished, running: Running) -> None:
        """Report an attempt whose code still runs, and end the process under it.

        A program is ended first: the job's next attempt must not meet it.
        """
        if running.kill is not None:
            running.kill()
        with self._held.reporting:  # kept to the end: whatever the main thread reports is too late
            reports = [*self._held.take_unreported(), (finished, running)]
            ahead = self._held.take_ahead(lambda *_: True)
            try:
                self._report(reports)
                self._store.leases.hand_back(ahead)
                self._forget_process()
            except StorageError as error:
                log.error("attempt_not_reported", reason=str(error))  # noqa: TRY400
            exit_now(EXIT_KILLED, None)

    def _write_beat(self, running: Running | None) -> None:
        self._beat += 1
        known = self._store.processes.beat(
            self._record.incarnation,
            ready=self._ready,
            beat=self._beat,
            job_id=None if running is None else running.lease.job_id,
            jobs_done=self._control.jobs_done,
        )
        if not known:  # somebody took us for dead; we are not
            self._store.processes.register(self._record)

    def _forget_process(self) -> None:
        self._store.processes.forget(self._record.incarnation)
