"""The main loop of a worker that runs several jobs at once: it runs no job code itself.

It leases as many jobs as there are free places, and prefetches short ones behind them. Jobs run in
other threads (worker/attempt/concurrent_executor.py), which wake it when one has ended. So a long
job delays neither the results of others nor the next leases. While no place is free, the worker
does not listen to its pool's doorbell: a ring must reach a worker that can take the job.
"""

import os
import select
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import StorageError
from orpheus.shared.process.failpoints import failpoint
from orpheus.worker.attempt.concurrent_executor import ConcurrentExecutor
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.folder import Folder
from orpheus.worker.attempt.stray_output import StrayOutput
from orpheus.worker.leasing.alone import AloneChoice
from orpheus.worker.leasing.concurrent_leases import ConcurrentLeases, runs_alone
from orpheus.worker.leasing.loop import Loop

_LOOK_EVERY_S = 1.0


class ConcurrentLoop(Loop):
    """See the module."""

    _held: ConcurrentLeases
    _executor: ConcurrentExecutor

    def __init__(self, *args: Any, stray: StrayOutput) -> None:
        """See Loop; listen also to the ends of jobs."""
        super().__init__(*args)
        self._stray = stray
        self._folder = Folder()
        self._alone = AloneChoice()
        self._ended: deque[tuple[RunningAttempt, Finished, float]] = deque()
        """What ended, and when, since the last look; filled by the threads of the jobs."""
        self._end_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._reports_since_s: float | None = None
        self._started_at_s = time.monotonic()
        """When a job was last started, or leased."""
        self._hears_bell = False
        self._executor.on_end = self._note_end
        self._executor.wake = lambda: os.eventfd_write(self._end_fd, 1)

    def run(self) -> bool:
        """See Loop."""
        try:
            return super().run()
        finally:
            self._executor.stop()

    def replacement_reason(self) -> str | None:
        """See Loop."""
        reason = super().replacement_reason()
        if reason is None and self._executor.lacks_threads:
            return "the system gave it no thread for a job"
        if reason is None and self._executor.has_kept_threads():
            return "functions of asyncio.to_thread have outlived their jobs"
        return reason

    def _listen(self, epoll: select.epoll) -> None:
        epoll.register(self._order_fd, select.EPOLLIN)
        epoll.register(self._end_fd, select.EPOLLIN)

    def _turn(self, epoll: select.epoll) -> None:
        self._control.loop_turns += 1
        try:
            self._keep_up(time.monotonic())
            self._look_at_ended()
            self._start_prefetched()
            if self._is_report_due(time.monotonic()):
                self._report_and_lease(leasing=True)
                self._start_prefetched()
            self._sleep(epoll)
        except StorageError as error:
            self._control.database.wait_after(error)

    def _report_the_rest(self) -> bool:
        """See Loop. First, let the jobs that run end."""
        poll = select.poll()
        poll.register(self._end_fd, select.POLLIN)
        while self._executor.is_busy():
            self._control.loop_turns += 1
            try:
                self._report_and_lease(leasing=False)
            except StorageError as error:
                self._control.database.wait_after(error)
            if poll.poll(_LOOK_EVERY_S * 1000):
                os.eventfd_read(self._end_fd)
            self._look_at_ended()
        self._look_at_ended()  # one may have ended since
        return super()._report_the_rest()

    # The ends of jobs

    def _note_end(self, attempt: RunningAttempt, finished: Finished) -> None:
        """Keep how an attempt ended. Called in the thread that has run it."""
        attempt.ended_at_s = ended_at_s = time.monotonic()
        self._take_stray_output(attempt)
        self._held.end_attempt(attempt, finished)
        self._ended.append((attempt, finished, ended_at_s))

    def _take_stray_output(self, attempt: RunningAttempt | None = None) -> None:
        """Take what was written to the descriptors 1 and 2: for a job only if it ran alone."""
        if attempt is not None and self._held.only_attempt() is attempt:
            self._stray.finish(attempt)
        else:
            self._stray.take(self._held.only_attempt)

    def _look_at_ended(self) -> None:
        while self._ended:
            attempt, finished, ended_at_s = self._ended.popleft()
            failpoint("worker.job.left")
            if self._reports_since_s is None:
                self._reports_since_s = ended_at_s
            self._estimates.note(attempt.lease.type, ended_at_s - attempt.started_at_s)
            self._control.jobs_done += finished.ending not in (Ending.RELEASED, Ending.UNENTERED)
            self._tell_ending(attempt, finished)

    # Reporting and leasing

    def _is_report_due(self, now_s: float) -> bool:
        """Return whether results have waited long enough, or places are free for new leases."""
        since_s = self._reports_since_s
        if since_s is not None and now_s >= since_s + self._settings.ahead_s:
            return True
        if self._held.risks_results() and not self._held.attempts():
            return True
        if now_s >= self._held.parked_due_s:
            return True
        return self._has_room() or self._is_stuck(now_s)

    def _report_and_lease(self, *, leasing: bool) -> None:
        self._reports_since_s = None
        super()._report_and_lease(leasing=leasing)

    def _has_room(self) -> bool:
        return super()._has_room() and self._held.free_places() > 0 and self._jobs_left() != 0

    def _most_kept(self) -> int:
        return 0 if self._is_stuck(time.monotonic()) else len(self._held.prefetched_tokens())

    def _is_stuck(self, now_s: float) -> bool:
        """Return whether prefetched jobs wait behind long ones, so that others should have them.

        A job that is to run alone waits for as long as it takes.
        """
        if not self._held.prefetched_tokens() or self._held.waits_to_run_alone():
            return False
        return now_s > self._started_at_s + 2 * self._settings.ahead_s

    def _jobs_left(self) -> int | None:
        max_jobs = self._settings.max_jobs
        if not max_jobs:
            return None
        begun = len(self._held.attempts()) + len(self._ended)
        return max(0, max_jobs - self._control.jobs_done - begun)

    def _lease_due(self) -> list[Lease]:
        limit, is_idle = self._most_jobs(), not self._held.attempts()

        def eligible(crashes: Sequence[int]) -> Sequence[int]:
            chosen = self._alone.eligible(crashes, limit, time.monotonic(), is_idle=is_idle)
            self._leaves_due = len(chosen) < len(crashes)
            return chosen

        leases = self._store.leases.lease(
            self._holder,
            self._settings.queues,
            self._alone.most_to_read(limit),
            round(self._settings.lease_ttl_s * 1000),
            partial(self._fitting, limit),
            eligible,
        )
        self._started_at_s = time.monotonic()
        if leases and runs_alone(leases[-1]):
            self._alone.taken()
        return leases

    def _fitting(self, most: int, due_types: Sequence[str]) -> int:
        free, lanes = self._free_and_lanes()
        keep = self._estimates.fitting(due_types, free, lanes)
        self._leaves_due |= keep < len(due_types) or keep == most
        return keep

    def _most_jobs(self) -> int:
        limit, left = self._estimates.limit(*self._free_and_lanes()), self._jobs_left()
        return limit if left is None else min(limit, left)

    def _free_and_lanes(self) -> tuple[int, int]:
        """Return how many places are free, and how many are free or will be in a moment."""
        free, recently_s = self._held.free_places(), time.monotonic() - self._settings.ahead_s
        ending = sum(
            attempt.started_at_s > recently_s and self._estimates.is_short(attempt.lease.type)
            for attempt in self._held.attempts()
        )
        return free, free + ending

    # Running and sleeping

    def _start_prefetched(self) -> None:
        """Start prefetched jobs in the free places."""
        if self._held.prefetched_tokens():
            self._look_for_cancels(time.monotonic())
        while self._may_continue() and self._held.can_start():
            self._take_stray_output()
            if not self._held.attempts():
                self._folder.enter()
            now_s = self._started_at_s = time.monotonic()
            attempt = self._held.start_next(now_s, self._store.own_clock.monotonic_ms)
            if attempt is None:
                # If leases expired, for example during a suspend, others may have the jobs by now.
                self._release(lambda _: True)
                return
            failpoint("worker.job.entered")
            if self._renewal.is_asleep:
                self._renewal.wake()
            self._is_idle = False
            self._executor.start(attempt)

    def _sleep(self, epoll: select.epoll) -> None:
        """Sleep until a job ends, and until whatever Loop waits for, if a place is free."""
        has_room = self._has_room()
        if has_room != self._hears_bell:
            self._hears_bell = has_room
            if has_room:
                epoll.register(self._bell, select.EPOLLIN | select.EPOLLEXCLUSIVE)
            else:
                epoll.unregister(self._bell)
        sleep_s = self._until_poll_s()
        if has_room:
            sleep_s = min(sleep_s, self._until_due_s())
        if self._reports_since_s is not None or self._held.prefetched_tokens():
            sleep_s = min(sleep_s, self._settings.ahead_s)
        self._is_rung = False
        for fd, _ in self._poll(epoll, sleep_s):
            if fd == self._end_fd:
                os.eventfd_read(self._end_fd)
            elif fd == self._bell.fileno():
                self._is_rung = self._bell.drain()
                self._is_idle = True
