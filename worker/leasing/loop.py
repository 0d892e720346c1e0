"""The worker's main loop: report the results, lease the next jobs, and run them or sleep.

Reporting and leasing share one transaction, so a batch of short jobs costs one commit. A worker
with nothing to do sleeps in epoll until its pool's doorbell rings, an order comes, the next delayed
job is due, or the time of a slow safety poll comes. One ring wakes one sleeper (EPOLLEXCLUSIVE), so
a worker that leases after it was idle, and leaves ready or delayed jobs behind, rings again before
it runs its own.
"""

import os
import select
import time
from collections.abc import Callable, Sequence
from functools import partial

from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.jobs import Holder, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import StorageError
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.upkeep import Leadership, Upkeep
from orpheus.shared.process.clock import next_multiple_s
from orpheus.shared.process.doorbells import Bell
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.process.stall import StallWatch
from orpheus.shared.storage import Store
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor
from orpheus.worker.control.control_thread import ControlThread
from orpheus.worker.leasing.estimates import Estimates
from orpheus.worker.leasing.held_leases import (
    HeldLeases,
    Report,
    as_released,
    newest_tokens,
    store_reports,
)
from orpheus.worker.leasing.renewal import RenewalThread

_NEVER = float("inf")
_A_YEAR_S = 365 * 86_400.0
_LOOK_EVERY_S = 0.001
"""How often the loop looks for cancels between short jobs: a look takes as long as a short job."""
_MOST_BEFORE_OTHERS = 64
"""How many jobs to lease while a request or an application waits to write: it waits shorter."""
_LOOKS_FOR_ORDERS_S = 0.1
_AFTER_OTHERS_S = 0.02
"""When to lease again after others had locked what is due: their transactions take some ms."""
_LOOK_PAUSES = 9
"""How many times longer than a look the pause after it is: over a network, a look is slow."""

log = get_logger()


class Loop:
    """The main loop of a worker. It does the upkeep at each safety poll, busy or idle."""

    def __init__(
        self,
        settings: WorkerHandover,
        holder: Holder,
        store: Store,
        held: HeldLeases,
        control: ControlThread,
        renewal: RenewalThread,
        executor: Executor,
        upkeep: Upkeep | None,
    ) -> None:
        """Listen to the pool's doorbell and to orders from now on."""
        self._settings = settings
        self._holder = holder
        self._store = store
        self._held = held
        self._control = control
        self._renewal = renewal
        self._executor = executor
        self._upkeep = upkeep
        self._stall = StallWatch()
        """Notices that this thread stood still while it slept, with nothing to do."""
        self._leadership = Leadership(settings.host_name, holder.incarnation)
        self._estimates = Estimates(settings.ahead_s)
        self._poll_every_s = min(settings.beat_interval_s, settings.beat_timeout_s / 3)
        self._next_upkeep_s = 0.0
        self._is_idle = True
        self._is_rung = False
        """Whether the last sleep ended because the bell rang: jobs may be due."""
        self._leaves_due = False
        self._was_contended = False
        """Whether the last lease gave nothing, as others had locked the due jobs."""
        self._look_at_s = 0.0
        """When to look again for cancels."""
        self._bell: Bell = store.bells.listen_pool(settings.pool)
        # Never closed: a later order would write into a new file that has the same number.
        self._order_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        control.on_order = self._wake

    def _wake(self) -> None:
        os.eventfd_write(self._order_fd, 1)
        self._renewal.wake()

    def run(self) -> bool:
        """Run jobs until told to stop, or until `replacement_reason` gives a reason.

        Returns whether every result was reported and every other lease released.
        """
        epoll = select.epoll()
        self._listen(epoll)
        self._renewal.main_looks = True
        try:
            while self._may_continue():
                self._turn(epoll)
            self._renewal.main_looks = False
            self._renewal.wake()
            return self._report_the_rest()
        finally:
            # This worker may have taken a ring without leasing the job: wake another worker.
            self._store.bells.ring_pool(self._settings.pool)
            epoll.close()

    def _listen(self, epoll: select.epoll) -> None:
        epoll.register(self._bell, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        epoll.register(self._order_fd, select.EPOLLIN)

    def replacement_reason(self) -> str | None:
        """Return why another process should take this worker's place; None if it can go on."""
        if self._executor.has_raised:
            return "a timeout was raised inside a job's code"
        if self._jobs_left() == 0:
            return f"it has done {self._control.jobs_done} jobs (max_jobs)"
        if self._executor.lacks_files:
            return "it may open no more files, and could not start a command"
        return None

    def _may_continue(self) -> bool:
        return self._control.may_lease and self.replacement_reason() is None

    def _jobs_left(self) -> int | None:
        """Return how many more jobs this process may run; None for any number."""
        max_jobs = self._settings.max_jobs
        return max_jobs - self._control.jobs_done if max_jobs else None

    def _turn(self, epoll: select.epoll) -> None:
        self._control.loop_turns += 1
        try:
            self._keep_up(time.monotonic())
            self._report_and_lease(leasing=True)
            if self._held.has_waiting():
                self._is_idle = False
                self._run_prefetched()
            else:
                self._sleep(epoll)
                self._is_idle = True
        except StorageError as error:
            self._control.database.wait_after(error)

    def _keep_up(self, now_s: float) -> None:
        """Do the upkeep, and the work of the renewal thread while it is asleep, if they are due."""
        self._renewal.look(now_s)
        if self._upkeep is not None and now_s >= self._next_upkeep_s:
            self._next_upkeep_s = now_s + self._poll_every_s  # also if an error is raised
            # Others may have stood still with us, and need a moment to renew their leases.
            next_s = self._upkeep.run(
                self._store,
                reclaims=self._stall.is_calm(now_s) and self._held.stall.is_calm(now_s),
                leads=self._leadership.holds(self._store),
            )
            ended_s = time.monotonic()
            # It takes half of our time at most: the jobs are waiting, too.
            pause_s = max(min(self._poll_every_s, next_s), ended_s - now_s)
            self._next_upkeep_s = ended_s + pause_s

    def _report_the_rest(self) -> bool:
        """Report the results and release the prefetched jobs, until the stop deadline.

        What others hold up for longer than a job may take to stop is released: it runs again.
        """
        release_s = time.monotonic() + self._settings.stop_timeout_s
        while True:
            self._control.loop_turns += 1
            try:
                self._report_and_lease(leasing=False)
                if not self._held.has_parked():
                    return True
                deadline_s = min(release_s, self._control.stop_deadline_s)
                if time.monotonic() >= deadline_s:
                    self._release_parked()
                    return self._control.stop_deadline_s == _NEVER
            except StorageError as error:
                if time.monotonic() >= self._control.stop_deadline_s:
                    return False
                self._control.database.wait_after(error)
            else:
                left_s = min(self._held.parked_due_s, deadline_s) - time.monotonic()
                time.sleep(max(0.0, min(left_s, _LOOKS_FOR_ORDERS_S)))

    def _release_parked(self) -> None:
        """Store of each parked report that its job was not finished."""
        with self._control.database.call(), self._held.reporting:
            reports = self._held.take_reports(with_parked=True)
            with self._held.giving(reports, []):
                lost, _ = store_reports(self._store, as_released(reports), lambda: None)
            if lost:
                self._held.note_refused()
            self._held.note_reported()

    # Reporting and leasing

    def _report_and_lease(self, *, leasing: bool) -> None:
        """Report the results, release surplus jobs and lease the next, in one transaction.

        It waits for what others hold once for all that needs it, and again when what it has parked
        is due: so a held key costs little of the time of other jobs.
        """
        held_up: list[Report] = []
        with self._control.database.call(), self._held.reporting:
            reports = self._held.take_reports()
            keep = self._most_kept() if leasing else 0
            excess = self._held.take_prefetched(lambda index, _: index >= keep)
            may_lease = leasing and self._has_room()
            if not (reports or excess or (may_lease and self._may_find_work())):
                return  # an idle worker writes nothing
            with self._held.giving(reports, excess):
                self._renew_late(reports)
                lost, leases = store_reports(
                    self._store,
                    reports,
                    lambda: self._lease(excess, may_lease=may_lease),
                    held_up,
                    is_patient=not self._held.has_parked(),
                )
            self._held.park(held_up)
            self._held.add(leases)  # first: whatever fails from here on, the leases are held
            if leases:
                self._look_at_s = time.monotonic() + _LOOK_EVERY_S
            if lost:
                self._held.note_refused()
            if reports:
                self._held.note_reported()
        if lost:
            log.warning("results_refused", tokens=sorted(lost), why="the lease was lost")
        if leases and self._is_idle and self._leaves_jobs():
            self._store.bells.ring_pool(self._settings.pool)

    def _most_kept(self) -> int:
        """Return how many of the prefetched jobs to keep."""
        return self._estimates.still_fitting(self._held.prefetched_types())

    def _has_room(self) -> bool:
        """Return whether to lease jobs now."""
        return not self._held.prefetched_tokens() and self._held.may_park()

    def _renew_late(self, reports: list[Report]) -> None:
        """Renew the leases of `reports` if this worker stood still while they expired."""
        if reports and not self._held.stall.is_calm(time.monotonic()):
            tokens = newest_tokens(finished.lease for finished, _ in reports)
            self._store.leases.renew(tokens, round(self._settings.lease_ttl_s * 1000), late=True)

    def _lease(self, excess: list[Lease], *, may_lease: bool) -> list[Lease]:
        """Release `excess` and lease the next jobs, inside the transaction of the reports."""
        if excess:
            self._store.leases.release(excess)
        if not may_lease:
            return []
        self._store.data_changed()  # only later commits can concern these leases
        leases = self._lease_due()
        self._was_contended = not leases and self._store.leases.was_contended
        return leases

    def _may_find_work(self) -> bool:
        """Return whether a lease is worth a transaction.

        It looks for due jobs first, unless a bell rang and the transaction blocks no other writer.
        """
        if self._is_rung and not self._store.one_writer:
            return True
        return self._store.leases.is_work_due()

    def _lease_due(self) -> list[Lease]:
        most = self._most_jobs()
        leases = self._store.leases.lease(
            self._holder,
            self._settings.queues,
            most,
            round(self._settings.lease_ttl_s * 1000),
            partial(self._fitting, most),
        )
        if self._settings.debugs:  # a person may think for long at a breakpoint
            return [lease._replace(timeout_s=_A_YEAR_S) for lease in leases]
        return leases

    def _fitting(self, most: int, due_types: Sequence[str]) -> int:
        """Choose how many of the next due jobs to lease; note whether some are left to others.

        `most`: how many were asked for.
        """
        keep = self._estimates.fitting(due_types)
        self._leaves_due = keep < len(due_types) or keep == most
        return keep

    def _most_jobs(self) -> int:
        limit, left = self._estimates.limit(), self._jobs_left()
        if limit > _MOST_BEFORE_OTHERS and self._store.others_wait():
            limit = _MOST_BEFORE_OTHERS
        # Every job leased before has run, so nothing else counts against `left`.
        return limit if left is None else min(limit, left)

    def _leaves_jobs(self) -> bool:
        """Return whether there may be jobs that the last lease has left to others."""
        return self._leaves_due or self._store.leases.has_delayed()

    # Running and sleeping

    def _run_prefetched(self) -> None:
        """Run the prefetched jobs; return to report after at most twice the prefetch time."""
        now_s = time.monotonic()
        report_at_s = now_s + 2 * self._settings.ahead_s
        monotonic_ms = self._store.own_clock.monotonic_ms
        while self._may_continue() and not self._held.risks_results():
            now_s = self._look_for_cancels(now_s)  # the look does not count as a job's time
            attempt = self._held.start_next(now_s, monotonic_ms)
            if attempt is None:
                # If leases expired, for example during a suspend, others may have the jobs by now.
                self._release(lambda _: True)
                return
            failpoint("worker.job.entered")
            if self._renewal.is_asleep:
                self._renewal.wake()
            finished = self._executor.run(attempt)
            started_s, now_s = now_s, time.monotonic()
            attempt.ended_at_s = now_s  # and the next one starts
            self._held.end_attempt(attempt, finished)
            failpoint("worker.job.left")
            self._estimates.note(attempt.lease.type, now_s - started_s)
            self._control.jobs_done += finished.ending not in (Ending.RELEASED, Ending.UNENTERED)
            self._control.loop_turns += 1
            self._tell_ending(attempt, finished)
            if now_s >= report_at_s:
                return

    def _tell_ending(self, attempt: RunningAttempt, finished: Finished) -> None:
        if self._held.echo is not None:
            self._held.echo.end(attempt, finished)
        elif finished.ending is not Ending.SUCCEEDED:
            _log_ending(finished)

    def _look_for_cancels(self, now_s: float) -> float:
        """Release the prefetched jobs that were cancelled, if a look is due. Return the time."""
        if now_s < self._look_at_s:
            return now_s
        if self._store.data_changed():
            self._release_cancelled()
        began_s, now_s = now_s, time.monotonic()
        self._look_at_s = now_s + max(_LOOK_EVERY_S, _LOOK_PAUSES * (now_s - began_s))
        return now_s

    def _release_cancelled(self) -> None:
        """Release the prefetched jobs that were cancelled: they end without having run."""
        cancelled = self._store.leases.cancel_requests(self._held.prefetched_tokens())
        if cancelled:
            self._release(lambda lease: lease.job_id in cancelled)

    def _release(self, wanted: Callable[[Lease], bool]) -> None:
        """Release prefetched jobs in the database at once.

        If they were only skipped, the crash cell would say that they were entered.
        """
        with self._held.reporting:
            released = self._held.take_prefetched(lambda _, lease: wanted(lease))
            if released:
                with self._control.database.call(), self._held.giving([], released):
                    self._store.leases.release(released)

    def _sleep(self, epoll: select.epoll) -> None:
        """Sleep until a ring, an order, the next delayed job, or as `_until_poll_s`."""
        woken = self._poll(epoll, min(self._until_poll_s(), self._until_due_s()))
        self._is_rung = bool(woken) and self._bell.drain()

    def _poll(self, epoll: select.epoll, sleep_s: float) -> list[tuple[int, int]]:
        """Sleep until something has come, and notice whether this process stood still meanwhile."""
        self._stall.expect(time.monotonic() + sleep_s)
        woken = epoll.poll(sleep_s)
        self._stall.look(time.monotonic(), self._settings.renew_every_s)
        self._stall.expect(_NEVER)
        return woken

    def _until_poll_s(self) -> float:
        """Return how long to sleep until the safety poll, the upkeep or a parked report."""
        now_s = time.monotonic()
        sleep_s = next_multiple_s(now_s, self._poll_every_s) - now_s
        sleep_s = min(sleep_s, max(0.0, self._held.parked_due_s - now_s))
        if self._was_contended:
            self._was_contended = False
            sleep_s = min(sleep_s, _AFTER_OTHERS_S)
        if self._upkeep is not None:
            sleep_s = min(sleep_s, max(0.0, self._next_upkeep_s - time.monotonic()))
        return sleep_s

    def _until_due_s(self) -> float:
        """Return how long it is until one more job may be leased."""
        due_ms = self._store.leases.next_due_ms()
        return _NEVER if due_ms is None else max(0, due_ms - self._store.clock.wall_ms()) / 1000


def _log_ending(finished: Finished) -> None:
    """Log that a job was not done. That a durable function waits is no news."""
    lease, error = finished.lease, finished.error
    tell = log.info if finished.wait is None else log.debug
    tell(
        "job_not_done",
        job=lease.job_id,
        type=lease.type,
        attempt=lease.attempt,
        ending=finished.ending.value,
        error=None if error is None else f"{error.type}: {error.message}",
    )
