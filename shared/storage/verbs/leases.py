"""The lease verbs of the store: lease, finish, renew, release, reclaim.

A lease is three things in the job's row: token, expiry (monotonic clock, with boot id) and
incarnation. Every change of a leased job names the token. If no row changes, the lease is lost,
and nothing else is written: no attempt, no event, no count.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Holder, Lease, Outcome, Status
from orpheus.shared.domain.lifecycle import ENDINGS, Ending, Finished
from orpheus.shared.domain.rooms import Room
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage.data import LeaseHolder, LookAtHolder
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.dependencies import Dependencies
from orpheus.shared.storage.verbs.due_jobs import DueJob, DueJobs
from orpheus.shared.storage.verbs.ended_leases import (
    Ended,
    EndedLeases,
    LeasedJob,
    ending_by_death,
    ending_by_expiry,
    ending_by_reboot,
    times_of,
)
from orpheus.shared.storage.verbs.enqueue import Children, Enqueue
from orpheus.shared.storage.verbs.events import Events
from orpheus.shared.storage.verbs.job_types import Versions
from orpheus.shared.storage.verbs.keys import Keys
from orpheus.shared.storage.verbs.queues import Queues
from orpheus.shared.storage.verbs.signals import Signals


class Leases:
    """Leases, and what becomes of a job when its lease ends."""

    def __init__(
        self,
        database: Database,
        events: Events,
        dependencies: Dependencies,
        enqueue: Enqueue,
        queues: Queues,
        keys: Keys,
        versions: Versions,
        signals: Signals,
        ended: EndedLeases,
    ) -> None:
        self._database = database
        self._events = events
        self._dependencies = dependencies
        self._children = Children(enqueue)
        self._queues = queues
        self._keys = keys
        self._signals = signals
        self._ended = ended
        self._due_jobs = DueJobs(database, keys, versions)
        self._met_expired = False
        self._has_delayed: bool | None = None
        """Whether the last lease saw a delayed job; None: it did not look."""
        self._sql = database.sql("leases.sql")

    # Taking

    def is_work_due(self) -> bool:
        """Return whether there may be a job to lease: see `DueJobs.is_any`. It only reads."""
        return self._due_jobs.is_any()

    def lease(
        self,
        holder: Holder,
        queues: Sequence[str],
        limit: int,
        ttl_ms: int,
        fitting: Callable[[Sequence[str]], int] = len,
        eligible: Callable[[Sequence[int]], Sequence[int]] | None = None,
    ) -> list[Lease]:
        """Lease up to `limit` due jobs of `queues` (`*`: all), in the order in which to run them.

        The order among the due jobs: highest priority, then earliest run_at, then lowest id.
        First `eligible` gets the crash count of each job and returns the indexes to keep, in order.
        Then `fitting` gets the types of these jobs and returns how many to lease. The other jobs
        stay pending.
        """
        if limit < 1:
            return []
        with self._database.write(durable=False):
            due, rooms = self._first(queues, limit)
            now_ms = self._database.clock.wall_ms()
            jobs = [job for job in due if not job.is_expired(now_ms)]
            self._met_expired = len(jobs) < len(due)
            if eligible is not None:
                jobs = [jobs[index] for index in eligible([job.crashes for job in jobs])]
            jobs = jobs[: fitting([job.type for job in jobs])]
            self._due_jobs.park_again_beside(jobs)
            if not jobs:
                return []
            expires_here_ms, expires_mono_ms = self._database.lease_ends_ms(ttl_ms)
            drawn = [job.token for job in jobs if job.token is not None]
            tokens = drawn or self._database.take_tokens(len(jobs))
            leases = [
                job.lease(token, now_ms, expires_here_ms)
                for job, token in zip(jobs, tokens, strict=True)
            ]
            self._store_leases(holder, leases, expires_mono_ms)
            if rooms:
                self._queues.spend(rooms, (lease.queue for lease in leases))
                self._keys.spend(rooms, leases)
            self._events.record_jobs(Kind.JOB_STARTED, [lease.job_id for lease in leases])
            return leases

    def _first(self, queues: Sequence[str], limit: int) -> tuple[list[DueJob], Mapping[str, Room]]:
        """Return the first due jobs, and the rooms within which they are leased."""
        jobs = self._due_jobs.unlimited(queues, limit)
        self._has_delayed = jobs[0].delayed_ms is not None if jobs else None
        if jobs or not self.is_work_due():
            return jobs, {}
        rooms = self._queues.locked_rooms()
        self._due_jobs.promote()
        return self._due_jobs.first(queues, limit, rooms), rooms

    def _store_leases(self, holder: Holder, leases: Sequence[Lease], expires_mono_ms: int) -> None:
        same = (holder.incarnation, expires_mono_ms, self._database.clock.boot_id)
        self._database.send(
            self._sql["lease-job"],
            [
                (
                    holder.slot,
                    holder.pid,
                    held_lease.started_at_ms,
                    held_lease.token,
                    *same,
                    held_lease.job_id,
                )
                for held_lease in leases
            ],
        )
        self._database.at_commit.count_jobs(
            (lease.queue for lease in leases), Status.PENDING, Status.IN_PROGRESS
        )

    @property
    def was_contended(self) -> bool:
        """Whether the last lease returned nothing because others changed all due jobs.

        They had locked them, or are about to cancel them, as they were not started in time.
        """
        return self._due_jobs.was_contended or self._met_expired

    def has_delayed(self) -> bool:
        """Return whether the last lease saw a delayed job; if it did not look, look now."""
        known = self._has_delayed
        return self.next_due_ms() is not None if known is None else known

    def next_due_ms(self) -> int | None:
        """Return when a sleeping worker should look again, on the wall clock.

        That is when the earliest delayed job is due, or when the rate of a queue or key allows one.
        None: sleep until a doorbell rings.
        """
        due_ms, token_ms = self._due_jobs.next_ms(), self._queues.next_token_ms()
        times = [] if due_ms is None else [due_ms]
        if token_ms is not None:
            times.append(self._database.clock.wall_ms() + token_ms)
        return min(times, default=None)

    # By the holder

    def finish(
        self,
        finished: Sequence[Finished],
        held_up: set[int] | None = None,
        key_wait_ms: int | None = None,
    ) -> set[int]:
        """Record how jobs ended; return the tokens of lost leases, whose jobs are not changed.

        If `held_up` is given, do not wait for jobs locked by others, and wait at most `key_wait_ms`
        for a child's unique key. Add the tokens of skipped jobs to `held_up`; they can be reported
        again. Without it, this waits for both.
        """
        with self._database.write(durable=True):
            # One clock reading for all: each report holds its age.
            now_ms = self._database.clock.wall_ms()
            self._lock_limits(report.lease for report in finished)
            if any(new.replaces for report in finished for new in report.new_jobs):
                self._keys.lock()
            if any(ENDINGS[report.ending].outcome is None for report in finished):
                self._queues.lock_for_refunds()
            self._signals.lock(
                signal
                for report in finished
                if report.signals or report.wait is not None
                for signal in report.locked_signals
            )
            # Lock keys before jobs, in the same order as submissions, to avoid deadlocks.
            keyed = self._children.lock_keys(finished, key_wait_ms)
            now = (self._database.clock.monotonic_ms(), self._database.clock.boot_id)
            leases = [(report.lease.job_id, report.lease.token) for report in finished]
            free = [lease for lease in leases if lease[1] not in keyed]
            held = self._ended.held(free, now, skips_locked=held_up is not None)
            missing = [lease for lease in leases if lease[1] not in held]
            waiting = set() if held_up is None else self._ended.still_leased(missing, now)
            if held_up is not None:
                held_up |= waiting
            needed = [job.id for job in held.values() if job.has_dependents]
            self._dependencies.lock_dependents(needed)
            reported = [report for report in finished if report.lease.token in held]
            done, waits, others = _by_end(reported)
            self._end_otherwise(others, held, now_ms)
            done, refused = self._children.checked(done)
            self._end_otherwise(refused, held, now_ms)
            if done:
                self._complete([(report, held[report.lease.token]) for report in done], now, now_ms)
            if waits:
                waits, refused = self._children.checked(waits)
                self._end_otherwise([*refused, *waits], held, now_ms)
        return {token for _, token in leases} - waiting - set(held)

    def stored(self, finished: Sequence[Finished]) -> set[int]:
        """Return the tokens of the leases whose attempts are stored with the outcome given here.

        Needed after a commit in doubt: if `finish` is called again, it reports these leases as lost
        although they were stored.
        """
        outcomes = ((report.lease, ENDINGS[report.ending].outcome) for report in finished)
        ends = [
            (report.job_id, report.token, outcome.value) for report, outcome in outcomes if outcome
        ]
        return {row[0] for row in self._database.run_many(self._sql["ended-with"], ends)}

    def _complete(
        self, done: Sequence[tuple[Finished, LeasedJob]], now: tuple[int, str], now_ms: int
    ) -> None:
        times_ms = [times_of(report.run, job.started_at_ms, now_ms) for report, job in done]
        self._database.send(
            self._sql["complete-job"],
            [
                (
                    report.result,
                    *times,
                    report.cpu_s,
                    report.max_rss_bytes,
                    report.lease.job_id,
                    report.lease.token,
                    *now,
                )
                for (report, _), times in zip(done, times_ms, strict=True)
            ],
        )
        at_commit = self._database.at_commit
        at_commit.count_jobs(
            (report.lease.queue for report, _ in done), Status.IN_PROGRESS, Status.DONE
        )
        for (report, job), (started_ms, ended_ms) in zip(done, times_ms, strict=True):
            since_ms, lease = job.waits_since_ms, report.lease
            at_commit.count_ended(lease.queue, lease.type, Status.DONE, ended_ms - started_ms)
            times = (since_ms, started_ms, ended_ms)
            at_commit.count_attempt(
                lease.queue,
                lease.type,
                Outcome.SUCCEEDED,
                times,
                report.cpu_s,
                report.max_rss_bytes,
            )
        keys = [
            (job.queue, job.concurrency_key) for _, job in done if job.concurrency_key is not None
        ]
        if keys:
            self._keys.look_at(keys)
        self._events.record_jobs(Kind.JOB_DONE, [report.lease.job_id for report, _ in done])
        self._children.keep(report for report, _ in done)
        for report, _ in done:
            for signal in report.signals:
                self._signals.send(signal)
        self._dependencies.ended((job.id, Status.DONE) for _, job in done if job.has_dependents)

    def _end_otherwise(
        self, finished: Iterable[Finished], held: Mapping[int, LeasedJob], now_ms: int
    ) -> None:
        for report in finished:
            self._ended.end(Ended.of(report), held[report.lease.token], now_ms)

    def renew(self, tokens: Mapping[int, int], ttl_ms: int, *, late: bool = False) -> set[int]:
        """Extend the leases (job id -> token) that are still held; return the lost tokens.

        `late`: also extend expired leases that were not reclaimed. Jobs locked by others are
        skipped: neither renewed nor reported as lost.
        """
        clock = self._database.clock
        with self._database.write(durable=False):
            # Read the clock after getting the lock; a lease may expire during the wait.
            now_ms = clock.monotonic_ms()
            now = (0 if late else now_ms, clock.boot_id)
            rows = self._database.run_many(
                self._sql["renew-lease"],
                [(now_ms + ttl_ms, job_id, token, *now) for job_id, token in tokens.items()],
            )
            kept = {row[0] for row in rows}
            lost = set(tokens.values()) - kept
            return lost - self._ended.still_leased(
                [item for item in tokens.items() if item[1] in lost], now
            )

    def release(self, leases: Sequence[Lease]) -> None:
        """Release prefetched jobs that were never entered: they get no attempt and no number.

        Jobs that are to be cancelled end cancelled; jobs with a lost lease are left alone.
        """
        with self._database.write(durable=False):
            self._lock_limits(leases)
            self._queues.lock_for_refunds()
            for lease in leases:
                self._ended.end_if_leased(Ended(lease.job_id, lease.token, Ending.UNENTERED))

    def release_unknown(self, incarnation: str, known: Collection[int]) -> list[int]:
        """Release the leases of a process, except those in `known`; return the ids of the jobs.

        The process was not told of them, so it has entered none of these jobs. An expired lease is
        left to be reclaimed: its job may have run, and its result may have been refused.
        """
        clock, rows = self._database.clock, self._database.all(self._sql["leases-of"], incarnation)
        unknown = {job_id: token for job_id, token, _ in rows if token not in known}
        if not unknown:
            return []
        with self._database.write(durable=False):
            self._keys.lock()
            now = (clock.monotonic_ms(), clock.boot_id)
            held = self._ended.held(unknown.items(), now)
            for token, job in held.items():
                self._ended.end(Ended(job.id, token, Ending.UNENTERED), job)
        return [job.id for job in held.values()]

    def cancel_requests(self, tokens: Mapping[int, int]) -> set[int]:
        """Return the ids of running jobs (job id -> token) that are to be cancelled."""
        rows = self._database.run_many(self._sql["cancel-requested"], list(tokens.items()))
        return {row[0] for row in rows}

    def progress(self, job_id: int, token: int, fraction: float, message: str | None) -> bool:
        """Store the progress (0…1) of a running job; False if the lease is lost."""
        clock = self._database.clock
        with self._database.write(durable=False):
            changed = self._database.run(
                self._sql["save-progress"],
                fraction,
                message,
                job_id,
                token,
                clock.monotonic_ms(),
                clock.boot_id,
            )
            self._database.at_commit.ring_api()
        return changed == 1

    # By others

    def free(
        self,
        incarnation: str,
        cell: CellState | None,
        *,
        killed_at_deadline: bool = False,
        was_stopped: bool = False,
        evidence: str | None = None,
        stacks: str | None = None,
        seen_ms: int | None = None,
    ) -> list[int]:
        """End every lease of a process that is certainly dead; return the ids of its jobs.

        `cell` tells which job was running, which had run, and which were not entered. If it is
        None, each lease ends as EXPIRED. `evidence` says in a line how the process ended, and
        `stacks` what it was doing: they become part of the errors. `was_stopped`: it was stopped on
        purpose, so its death does not count against the type of its job. `seen_ms`: the last
        heartbeat, used as the end of the run if the death was not observed.
        """
        with self._database.write(durable=True):
            self._keys.lock()
            rows = self._database.all(self._sql["leases-of"], incarnation)
            for job_id, token, cancel_requested in rows:
                ending = ending_by_death(
                    token,
                    cell,
                    killed_at_deadline=killed_at_deadline,
                    cancel_requested=bool(cancel_requested),
                )
                told = (job_id, token, ending, evidence, stacks)
                self._ended.reclaim(*told, counts=not was_stopped, seen_ms=seen_ms)
        return [row[0] for row in rows]

    def jobs_of(self, incarnation: str) -> list[int]:
        """Return the jobs that a process has leased, in the order in which it enters them."""
        return [row[0] for row in self._database.all(self._sql["leases-of"], incarnation)]

    def reclaim_expired(self, look: LookAtHolder = lambda _: LeaseHolder()) -> list[int]:
        """Reclaim every expired lease; return the ids of the jobs.

        `look` tells whether a job was started. A job that never started spends no retry.
        """
        clock, sql = self._database.clock, self._sql
        if not self._database.all(sql["any-expired"], clock.boot_id, clock.monotonic_ms()):
            return []
        with self._database.write(durable=True):
            self._keys.lock()
            now = clock.monotonic_ms()
            rows = self._database.all(sql["expired-leases"], clock.boot_id, now)
            holders = {key: look(key) for key in dict.fromkeys(row[2] for row in rows)}
            for job_id, token, incarnation in rows:
                holder = holders[incarnation]
                ending = ending_by_expiry(token, holder)
                why = "its lease expired without a renewal"
                told = (job_id, token, ending, why)
                self._ended.reclaim(*told, counts=True, seen_ms=holder.seen_ms)
        return [row[0] for row in rows]

    def void_other_boots(
        self, look: LookAtHolder = lambda _: LeaseHolder(), *, only_reboots: bool = False
    ) -> list[int]:
        """Reclaim every lease of an earlier boot; return the ids of the jobs.

        Call only while holding the supervisor lock, unless `only_reboots`, which keeps leases of
        other containers on the same kernel boot.
        """
        with self._database.write(durable=True):
            self._keys.lock()
            mine = self._database.clock.boot_id
            rows = self._database.all(self._sql["leases-of-other-boots"], mine)
            if only_reboots:  # the part before the slash names the boot of the kernel
                rows = [row for row in rows if row[3].split("/")[0] != mine.split("/")[0]]
            lowest = {incarnation: token for _, token, incarnation, _ in reversed(rows)}
            holders = {incarnation: look(incarnation) for incarnation in lowest}
            for job_id, token, incarnation, _ in rows:
                holder = holders[incarnation]
                ending = ending_by_reboot(token, lowest[incarnation], holder.cell)
                why = "the machine was rebooted"
                self._ended.reclaim(job_id, token, ending, why, seen_ms=holder.seen_ms)
        return [row[0] for row in rows]

    def _lock_limits(self, leases: Iterable[Lease]) -> None:
        """Lock the limits, if the end of one of these leases gives room to a key."""
        if any(lease.concurrency_key is not None for lease in leases):
            self._keys.lock()


def _by_end(
    finished: Iterable[Finished],
) -> tuple[list[Finished], list[Finished], list[Finished]]:
    """Return those that succeeded, those that wait for something, and all others."""
    done: list[Finished] = []
    waits: list[Finished] = []
    others: list[Finished] = []
    for report in finished:
        if report.ending is Ending.SUCCEEDED:
            done.append(report)
        elif report.wait is not None:
            waits.append(report)
        else:
            others.append(report)
    return done, waits, others
