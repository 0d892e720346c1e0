"""The worker's main loop: report what ended and lease what comes next, run it, or sleep.

Reporting and leasing share one transaction, so a batch of short jobs costs one commit. A worker
with nothing to do sleeps in epoll until its pool's bell rings, an order comes, the next scheduled
job is due, or a slow safety poll. One ring wakes one sleeper (EPOLLEXCLUSIVE), so a worker that
leases from idle and leaves work behind, ready or scheduled, rings again before it turns to its
own.
"""

import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass

from orpheus.shared.domain.jobs import Holder, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import StorageError
from orpheus.shared.logs import get_logger
from orpheus.shared.process.doorbells import Bell
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.storage import Store
from orpheus.worker.attempt.alarm import Alarm
from orpheus.worker.attempt.context import Running
from orpheus.worker.attempt.executor import Executor
from orpheus.worker.control.control import Control
from orpheus.worker.leasing.estimates import Estimates
from orpheus.worker.leasing.held import Held, report
from orpheus.worker.leasing.renewal import Renewal

_RETRY_DATABASE_S = 0.5

log = get_logger()


@dataclass(frozen=True, slots=True)
class LoopRules:
    """What the loop needs of the settings; durations in seconds but the lease's."""

    holder: Holder
    pool: str
    queues: tuple[str, ...]
    lease_ttl_ms: int
    ahead_s: float
    longest_sleep_s: float
    max_jobs: int
    """After so many the worker wants to be replaced; 0: never."""


class Loop:
    """The main thread of a worker. `upkeep` is done as often as a safety poll, busy or idle."""

    def __init__(
        self,
        store: Store,
        held: Held,
        control: Control,
        renewal: Renewal,
        executor: Executor,
        alarm: Alarm,
        rules: LoopRules,
        upkeep: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._held = held
        self._control = control
        self._renewal = renewal
        self._executor = executor
        self._alarm = alarm
        self._rules = rules
        self._upkeep = upkeep
        self._estimates = Estimates(rules.ahead_s)
        self._is_idle = True
        self._next_upkeep_s = 0.0
        self._bell: Bell = store.bells.listen_pool(rules.pool)
        # Never closed: an order may still come, and its number would be somebody else's.
        self._order_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        control.on_stop = self._on_order

    def _on_order(self) -> None:
        os.eventfd_write(self._order_fd, 1)
        self._renewal.wake()

    def run(self) -> bool:
        """Work until told to stop, or until `why_replace` gives a reason.

        True if everything this worker held was reported.
        """
        epoll = select.epoll()
        epoll.register(self._bell, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        epoll.register(self._order_fd, select.EPOLLIN)
        try:
            while self._control.leasing and self.why_replace() is None:
                self._turn(epoll)
            return self._report_the_rest()
        finally:
            # A ring that this worker took and did not answer is another's.
            self._store.bells.ring_pool(self._rules.pool)
            epoll.close()

    def why_replace(self) -> str | None:
        """Why a new life should take this worker's place; None: it can go on."""
        if self._alarm.struck:
            return "a timeout was raised inside a job's code"
        if self._jobs_left() == 0:
            return f"it has done {self._control.jobs_done} jobs (max_jobs)"
        if self._executor.is_outdated:
            return "its job code is older than the job types"
        return None

    def _jobs_left(self) -> int | None:
        """How many more jobs it may run; None: any number."""
        most = self._rules.max_jobs
        return most - self._control.jobs_done if most else None

    def _turn(self, epoll: select.epoll) -> None:
        self._control.turns += 1
        try:
            self._keep_up(time.monotonic())
            self._report_and_lease(leasing=True)
            if self._held.is_waiting():
                self._is_idle = False
                self._work()
            else:
                self._sleep(epoll)
                self._is_idle = True
        except StorageError as error:
            self._wait_for_database(error)

    def _keep_up(self, now_s: float) -> None:
        if now_s >= self._next_upkeep_s:
            self._next_upkeep_s = now_s + self._rules.longest_sleep_s
            self._upkeep()

    def _wait_for_database(self, error: StorageError) -> None:
        self._control.database.tell(error)
        time.sleep(_RETRY_DATABASE_S)

    def _report_the_rest(self) -> bool:
        """Report what ended and give back what was not entered, for as long as there is time."""
        while True:
            self._control.turns += 1
            try:
                self._report_and_lease(leasing=False)
            except StorageError as error:
                if time.monotonic() >= self._control.stop_at_s:
                    return False
                self._wait_for_database(error)
            else:
                return True

    # Reporting and leasing

    def _report_and_lease(self, *, leasing: bool) -> None:
        """In one transaction: report what ended, give back what is too much, lease what is next."""
        with self._control.database.call(), self._held.reporting:
            reports = self._held.take_unreported()
            keep = self._estimates.fitting(self._held.types_ahead()) if leasing else 0
            excess = self._held.take_ahead(lambda place, _: place >= keep)
            may_lease = leasing and not self._held.tokens_ahead()
            try:
                if reports:
                    lost, leases = report(
                        self._store, reports, lambda: self._next(excess, may_lease=may_lease)
                    )
                else:
                    lost, leases = set(), self._next(excess, may_lease=may_lease)
            except StorageError:
                self._held.put_back(reports, excess)
                raise
            self._held.add(leases)
        if lost:
            log.warning("results_refused", tokens=sorted(lost), why="the lease was lost")

    def _next(self, excess: list[Lease], *, may_lease: bool) -> list[Lease]:
        if excess:
            self._store.leases.hand_back(excess)
        if not may_lease:
            return []
        rules = self._rules
        limit, left = self._estimates.limit(), self._jobs_left()
        if left is not None:  # all that was leased before has run: nothing else counts against it
            limit = min(limit, left)
        leases = self._store.leases.lease(rules.holder, rules.queues, limit, rules.lease_ttl_ms)
        keep = self._estimates.fitting([lease.type for lease in leases])
        if keep < len(leases):
            self._store.leases.hand_back(leases[keep:])
        elif self._is_idle and leases and self._leaves_work(len(leases) == limit):
            self._store.bells.ring_pool(rules.pool)
        return leases[:keep]

    def _leaves_work(self, perhaps_ready: bool) -> bool:
        return perhaps_ready or self._store.leases.next_due_ms() is not None

    # Running and sleeping

    def _work(self) -> None:
        """Run what is leased; at the latest after twice the time it was leased for, report."""
        now_s = time.monotonic()
        report_at_s = now_s + 2 * self._rules.ahead_s
        while self._control.leasing and self.why_replace() is None:
            if self._store.data_changed():
                self._drop_cancelled()
            if self._store.clock.monotonic_ms() >= self._held.expires_mono_ms:
                # Whoever slept past its leases does not enter what may be another's by now.
                self._give_back(lambda _: True)
            running = self._held.enter(now_s)
            if running is None:
                return
            failpoint("worker.job.entered")
            if self._renewal.is_asleep:
                self._renewal.wake()
            ended = self._executor.run(running)
            self._held.leave(running, ended)
            failpoint("worker.job.left")
            entered_s, now_s = now_s, time.monotonic()
            self._estimates.note(running.lease.type, now_s - entered_s)
            self._control.jobs_done += ended.ending is not Ending.RELEASED
            self._control.turns += 1
            if ended.ending is not Ending.SUCCEEDED:
                _tell(running, ended)
            if now_s >= report_at_s:
                return

    def _drop_cancelled(self) -> None:
        """Jobs leased ahead whose cancel was asked for are not run: given back, they end."""
        cancelled = self._store.leases.cancel_requests(self._held.tokens_ahead())
        if cancelled:
            self._give_back(lambda lease: lease.job_id in cancelled)

    def _give_back(self, wanted: Callable[[Lease], bool]) -> None:
        """Give back jobs leased ahead. To skip them would make the cell call them entered."""
        dropped = self._held.take_ahead(lambda _, lease: wanted(lease))
        try:
            with self._control.database.call():
                self._store.leases.hand_back(dropped)
        except StorageError:
            self._held.put_back([], dropped)
            raise

    def _sleep(self, epoll: select.epoll) -> None:
        """Until a ring, an order, the next scheduled job or the safety poll."""
        sleep_s = self._rules.longest_sleep_s
        due_ms = self._store.leases.next_due_ms()
        if due_ms is not None:
            sleep_s = min(sleep_s, max(0, due_ms - self._store.clock.wall_ms()) / 1000)
        if epoll.poll(sleep_s):
            self._bell.drain()


def _tell(running: Running, ended: Finished) -> None:
    lease = running.lease
    error = None if ended.error is None else f"{ended.error.type}: {ended.error.message}"
    log.info(
        "job_not_done",
        job=lease.job_id,
        type=lease.type,
        attempt=lease.attempt,
        ending=ended.ending.value,
        error=error,
    )
