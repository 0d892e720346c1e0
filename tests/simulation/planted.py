"""Faults to plant in the store, each with the invariant that must find it."""

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import apsw
import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Holder, Lease, Status
from orpheus.shared.domain.lifecycle import Ending, Next, Spent, after
from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.process.stall import StallWatch
from orpheus.shared.storage import LeaseHolder
from orpheus.shared.storage.at_commit import AtCommit
from orpheus.shared.storage.sqlite.connection import SqliteDatabase
from orpheus.shared.storage.sqlite.sql import sql_file
from orpheus.shared.storage.verbs import ended_leases
from orpheus.shared.storage.verbs import leases as leases_module
from orpheus.shared.storage.verbs.due_jobs import DueJob
from orpheus.shared.storage.verbs.ended_leases import Ended
from orpheus.shared.storage.verbs.keys import Keys
from orpheus.shared.storage.verbs.leases import Leases
from orpheus.shared.storage.verbs.schedules import Schedules
from orpheus.shared.storage.verbs.signals import Signals
from orpheus.shared.storage.verbs.steps import Steps
from tests.simulation.engine import Faults
from tests.simulation.world import SimulatedClock, Tap, World

Plant = Callable[[pytest.MonkeyPatch, World], None]


def rewrite(patch: pytest.MonkeyPatch, file: str, old: str, new: str, *names: str) -> None:
    """Alter the text of named queries."""
    texts = sql_file(file)._texts
    for name in names:
        assert old in texts[name], name
        patch.setitem(texts, name, texts[name].replace(old, new))


def token_check_dropped(patch: pytest.MonkeyPatch, world: World) -> None:
    # It is checked in what is read, too: whose lease is held is told by the token of the row.
    old, new = "lease_token FROM jobs WHERE id = ?", "?2 FROM jobs WHERE id = ?1"
    rewrite(patch, "leases.sql", old, new, "held-lease")
    rewrite(patch, "leases.sql", "lease_token = ?", "?2 IS NOT NULL", "held-lease")
    queries = ("complete-job", "record-attempt", "end-lease")
    for name in queries:
        old, new = "lease_token = ?", "? IS NOT NULL"
        if name == "end-lease":
            old, new = "lease_token = ?12", "?12 IS NOT NULL"
        rewrite(patch, "leases.sql", old, new, name)


def late_finish_accepted(patch: pytest.MonkeyPatch, world: World) -> None:
    old = "lease_expires_mono_ms > ?"
    rewrite(patch, "leases.sql", old, "? IS NOT NULL", "complete-job", "held-lease")


def order_by_id_only(patch: pytest.MonkeyPatch, world: World) -> None:
    queries = ("due-of-all", "heads-of-all")
    rewrite(patch, "leases.sql", "priority DESC, run_at_ms, id", "id", *queries)


def unique_key_unchecked(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(
        patch, "jobs.sql", "= wanted.value", "IS NULL AND wanted.value", "holders-of-unique-keys"
    )
    rewrite(patch, "jobs.sql", "INDEXED BY jobs_unique_key", "", "holders-of-unique-keys")
    world.look("DROP INDEX jobs_unique_key")


class Died(BaseException):
    """Between the answer and the commit."""


def acknowledged_before_the_commit(patch: pytest.MonkeyPatch, world: World) -> None:
    write, chance = SqliteDatabase.write, random.Random(1)

    @contextlib.contextmanager
    def answer_first(self: SqliteDatabase, *, durable: bool) -> Iterator[None]:
        with self._handle as connection:
            is_outermost = not connection.in_transaction
        with contextlib.suppress(Died), write(self, durable=durable):
            yield
            if is_outermost and chance.random() < 0.05:
                raise Died

    patch.setattr(SqliteDatabase, "write", answer_first)


def deferred_begin(patch: pytest.MonkeyPatch, world: World) -> None:
    execute = Tap.execute

    def defer(self: Tap, sql: str, values: tuple[Any, ...] = ()) -> apsw.Cursor:
        return execute(self, sql.replace("BEGIN IMMEDIATE", "BEGIN DEFERRED"), values)

    patch.setattr(Tap, "execute", defer)


def attempt_counted_in_another_transaction(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "leases.sql", "attempt = attempt + 1", "attempt = attempt", "lease-job")
    lease, ring, started = Leases.lease, SqliteDatabase._ring, list[int]()

    def lease_uncounted(
        self: Leases,
        holder: Holder,
        queues: tuple[str, ...],
        limit: int,
        ttl_ms: int,
        **options: Any,
    ) -> list[Lease]:
        leases = lease(self, holder, queues, limit, ttl_ms, **options)
        started.extend(one.job_id for one in leases)
        return leases

    def count_after_the_commit(self: SqliteDatabase) -> None:
        ring(self)
        while started:
            job_id = started.pop()
            with self.write(durable=False):
                self.run("UPDATE jobs SET attempt = attempt + 1 WHERE id = ?", job_id)

    patch.setattr(Leases, "lease", lease_uncounted)
    patch.setattr(SqliteDatabase, "_ring", count_after_the_commit)


class FaultyClock(SimulatedClock):
    """What the store is told, of a clock that is right."""

    def __init__(self, right: SimulatedClock) -> None:
        super().__init__()
        self.right = right

    @property
    def boot_id(self) -> str:
        return self.right.boot_id

    def wall_ms(self) -> int:
        return self.right.wall_ms()

    def monotonic_ms(self) -> int:
        return self.right.monotonic_ms()


class WallClockOnly(FaultyClock):
    def monotonic_ms(self) -> int:
        return self.right.wall_ms()


class OneBoot(FaultyClock):
    @property
    def boot_id(self) -> str:
        return "boot"


def wall_clock_in_leases(patch: pytest.MonkeyPatch, world: World) -> None:
    for store in world.stores.values():
        patch.setattr(store._database, "clock", WallClockOnly(world.clock))


def boot_id_ignored(patch: pytest.MonkeyPatch, world: World) -> None:
    for store in world.stores.values():
        patch.setattr(store._database, "clock", OneBoot(world.clock))


def notified_before_the_commit(patch: pytest.MonkeyPatch, world: World) -> None:
    flush_counts = SqliteDatabase.flush_counts

    def flush_and_ring(self: SqliteDatabase) -> None:
        flush_counts(self)
        self.at_commit.ring(self.bells)

    patch.setattr(SqliteDatabase, "flush_counts", flush_and_ring)
    patch.setattr(SqliteDatabase, "_ring", lambda self: setattr(self, "at_commit", AtCommit()))


def retries(by: int) -> Plant:
    def off_by(patch: pytest.MonkeyPatch, world: World) -> None:
        def another(ending: Ending, spent: Spent) -> Next:
            return after(ending, replace(spent, max_retries=spent.max_retries + by))

        patch.setattr(ended_leases, "after", another)

    return off_by


def counts_not_kept(patch: pytest.MonkeyPatch, world: World) -> None:
    count = AtCommit.count_job

    def forgetful(self: AtCommit, queue: str, leaves: Status | None, enters: Status | None) -> None:
        if leaves is not Status.BLOCKED:
            count(self, queue, leaves, enters)

    patch.setattr(AtCommit, "count_job", forgetful)


def cell_ignored(patch: pytest.MonkeyPatch, world: World) -> None:
    def all_crashed(token: int, cell: CellState | None, **how: bool) -> Ending:
        return Ending.CRASHED

    patch.setattr(leases_module, "ending_by_death", all_crashed)


def cells_ignored_at_expiry(patch: pytest.MonkeyPatch, world: World) -> None:
    def all_expired(token: int, holder: LeaseHolder) -> Ending:
        return Ending.EXPIRED

    patch.setattr(leases_module, "ending_by_expiry", all_expired)


def cells_ignored_after_a_reboot(patch: pytest.MonkeyPatch, world: World) -> None:
    def all_expired(token: int, lowest_token: int, cell: CellState | None) -> Ending:
        return Ending.EXPIRED

    patch.setattr(leases_module, "ending_by_reboot", all_expired)


def rest_of_a_cascade_forgotten(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "dependencies.sql", "VALUES (?)", "SELECT ? WHERE 0", "begin-cascade")


def losses_uncounted(patch: pytest.MonkeyPatch, world: World) -> None:
    def first_loss(ending: Ending, spent: Spent) -> Next:
        return after(ending, replace(spent, losses=0))

    patch.setattr(ended_leases, "after", first_loss)


def ticks_of_a_clock_ahead_kept(patch: pytest.MonkeyPatch, world: World) -> None:
    patch.setattr(Schedules, "correct_ticks", lambda self: [])


def failing_after_a_lease(patch: pytest.MonkeyPatch, world: World) -> None:
    lease, chance = Leases.lease, random.Random(1)

    def lease_or_fail(
        self: Leases,
        holder: Holder,
        queues: tuple[str, ...],
        limit: int,
        ttl_ms: int,
        **options: Any,
    ) -> list[Lease]:
        leases = lease(self, holder, queues, limit, ttl_ms, **options)
        if leases and chance.random() < 0.05:  # what is rolled back if it is part of a transaction
            raise DatabaseBusy("the look for more jobs failed")
        return leases

    patch.setattr(Leases, "lease", lease_or_fail)


def stalls_unnoticed(patch: pytest.MonkeyPatch, world: World) -> None:
    patch.setattr(StallWatch, "is_calm", lambda self, now_s: True)


def late_renewal_of_anything(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "leases.sql", "lease_token = ?", "? IS NOT NULL", "renew-lease")


def clock_read_before_the_lock(patch: pytest.MonkeyPatch, world: World) -> None:
    def renew(
        self: Leases, tokens: Mapping[int, int], ttl_ms: int, *, late: bool = False
    ) -> set[int]:
        clock = self._database.clock
        now = clock.monotonic_ms()
        with self._database.write(durable=False):
            kept = self._database.run_many(
                self._sql["renew-lease"],
                [
                    (now + ttl_ms, job, token, 0 if late else now, clock.boot_id)
                    for job, token in tokens.items()
                ],
            )
        return set(tokens.values()) - {row[0] for row in kept}

    patch.setattr(Leases, "renew", renew)


def keys_not_looked_at(patch: pytest.MonkeyPatch, world: World) -> None:
    patch.setattr(Keys, "look_at", lambda self, keys: None)


def limits_of_keys_ignored(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "keys.sql", "status = 'in_progress'", "status = 'none'", "running")


def tokens_of_keys_not_spent(patch: pytest.MonkeyPatch, world: World) -> None:
    patch.setattr(Keys, "spend", lambda self, limits, leases: None)


def quarantined_types_leased(patch: pytest.MonkeyPatch, world: World) -> None:
    old, new = "released_ms IS NULL", "released_ms = 0"
    rewrite(patch, "leases.sql", old, new, "due-of-all", "something-leasable")


def held_jobs_forgotten(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "quarantines.sql", "AND type = ?", "AND type = ? || 's'", "held-jobs")


def step_kept_without_a_token(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "steps.sql", "lease_token = ?", "? IS NOT NULL", "held")
    rewrite(patch, "steps.sql", "lease_expires_mono_ms > ?", "? IS NOT NULL", "held")


def signal_lost_before_the_wait(patch: pytest.MonkeyPatch, world: World) -> None:
    wait_for_signal = Steps._wait_for_signal

    def wait_unseeing(self: Steps, *arguments: Any) -> Any:
        with pytest.MonkeyPatch.context() as inside:
            inside.setattr(Signals, "find", lambda self, name, key: None)
            return wait_for_signal(self, *arguments)

    patch.setattr(Steps, "_wait_for_signal", wait_unseeing)


def children_made_again(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "steps.sql", "AND name = ?", "AND name = ? || '!'", "one-step")


def received_signal_timed_out(patch: pytest.MonkeyPatch, world: World) -> None:
    queries = ("timed-out", "waiting-job")
    rewrite(patch, "signals.sql", "= steps.signal", "= steps.signal || '!'", *queries)
    rewrite(patch, "signals.sql", "INDEXED BY steps_by_timeout", "", "timed-out")
    rewrite(patch, "signals.sql", "state = 'waiting'", "state <> 'timed_out'", *queries)
    rewrite(patch, "signals.sql", "AND state = 'waiting'", "", "time-out")


def waiters_beyond_the_first_forgotten(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "signals.sql", "wakes = ?", "wakes = 0 * ?", "set-wakes")


def children_of_a_cancelled_function_forgotten(patch: pytest.MonkeyPatch, world: World) -> None:
    queries = ("children-to-cancel", "has-child-to-cancel")
    rewrite(patch, "dependencies.sql", "child = 'own'", "child = 'none'", *queries)


def expiry_ignored(patch: pytest.MonkeyPatch, world: World) -> None:
    patch.setattr(DueJob, "is_expired", lambda self, now_ms: False)


def started_jobs_expire(patch: pytest.MonkeyPatch, world: World) -> None:
    queries = ("any-expired", "expired")
    rewrite(patch, "jobs.sql", "INDEXED BY jobs_expiring", "", *queries)
    old, new = "attempt = 0", "status <> 'in_progress'"
    rewrite(patch, "jobs.sql", old, new, *queries, "expire-job")


def keys_free_at_the_end(patch: pytest.MonkeyPatch, world: World) -> None:
    old, new = "unique_until_ms > ?", "unique_until_ms < 0 * ?"
    rewrite(patch, "jobs.sql", old, new, "holders-of-unique-keys")


def started_jobs_replaced(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "jobs.sql", "AND attempt = 0", "", "replace-job")


def first_payload_kept(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "jobs.sql", "payload = ?", "payload = coalesce(payload, ?)", "replace-job")


def key_of_a_replaced_job_not_looked_at(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(
        patch,
        "jobs.sql",
        "RETURNING queue, concurrency_key",
        "RETURNING queue, NULL",
        "replace-job",
    )


def retention_not_waited_for(patch: pytest.MonkeyPatch, world: World) -> None:
    old, new = "AND finished_at_ms + retention_ms < ?3", "AND finished_at_ms < ?3"
    rewrite(patch, "retention.sql", old, new, "expired-with-retention")
    rewrite(patch, "retention.sql", "coalesce(jobs.retention_ms, 0)", "0", "lock-expired")


def jobs_deleted_with_their_keys(patch: pytest.MonkeyPatch, world: World) -> None:
    old, new = "unique_until_ms <= ?1", "?1 > 0"
    rewrite(patch, "retention.sql", old, new, "expired-with-retention")


def waits_of_errors_ignored(patch: pytest.MonkeyPatch, world: World) -> None:
    of = Ended.of.__func__  # type: ignore[attr-defined]
    patch.setattr(
        Ended, "of", classmethod(lambda cls, report: of(cls, report._replace(retry_ms=None)))
    )


OF_FUNCTIONS: dict[str, tuple[Plant, str]] = {
    "a step kept without a token": (step_kept_without_a_token, "I5 a step was kept"),
    "a signal lost before the wait": (signal_lost_before_the_wait, "I24"),
    "children made again": (children_made_again, "I27"),
    "a received signal timed out": (received_signal_timed_out, "I25"),
    "waiters beyond the first forgotten": (waiters_beyond_the_first_forgotten, "I24"),
    "children of a cancelled function forgotten": (
        children_of_a_cancelled_function_forgotten,
        "I28",
    ),
}
"""Faults that schedules with durable functions find."""
PLANTS: dict[str, tuple[Plant, str]] = {
    "late renewal of anything": (late_renewal_of_anything, "I3|I5|I6|I14|P3|P8"),
    "token check dropped": (token_check_dropped, "I5|I6"),
    "late finish accepted": (late_finish_accepted, "I5"),
    "order by id only": (order_by_id_only, "I9|why: another job is leased next"),
    "unique key unchecked": (unique_key_unchecked, "two live jobs with one unique key"),
    "ack before commit": (acknowledged_before_the_commit, "I1 |I3 |I14|P7|hold a lease"),
    "deferred BEGIN": (deferred_begin, "a transaction that had begun"),
    "attempt counted in another transaction": (attempt_counted_in_another_transaction, "I4"),
    "wall clock in leases": (
        wall_clock_in_leases,
        "P3|P8|I5|rate allows|why: another job is leased next",
    ),
    "boot id ignored": (boot_id_ignored, "P8|I5|rate allows"),
    "notify before commit": (notified_before_the_commit, "all workers sleep while work is due"),
    "one retry too many": (retries(1), "I7"),
    "one retry too few": (retries(-1), "I7"),
    "counts not kept": (counts_not_kept, "I19|CHECK constraint failed: n >= 0"),
    "cell ignored": (cell_ignored, "P7"),
    "ticks of a clock ahead kept": (ticks_of_a_clock_ahead_kept, "a silent schedule"),
    "the rest of a cascade forgotten": (
        rest_of_a_cascade_forgotten,
        "waits for another number of jobs than are live",
    ),
    "an error after a lease": (failing_after_a_lease, "a worker does not hold a lease of its own"),
    "cells ignored at expiry": (cells_ignored_at_expiry, "P7"),
    "cells ignored after a reboot": (cells_ignored_after_a_reboot, "P7"),
    "clock read before the lock": (clock_read_before_the_lock, "P3|I5|P8"),
    "losses uncounted": (losses_uncounted, "I7|I8|I18"),
    "keys not looked at": (keys_not_looked_at, "I21 parked|I9 a smaller eligible job"),
    "limits of keys ignored": (
        limits_of_keys_ignored,
        "more jobs of a key are leased|too many jobs of a key run|why: another job is leased next",
    ),
    "quarantined types leased": (
        quarantined_types_leased,
        "a job of a quarantined type|why: another job is leased next",
    ),
    "held jobs forgotten": (held_jobs_forgotten, "I22|I18 not drained"),
    "tokens of keys not spent": (tokens_of_keys_not_spent, "more starts than a key's rate"),
    "expiry ignored": (expiry_ignored, "I30 an expired job started"),
    "started jobs expire": (started_jobs_expire, "I30 a job that has started expired"),
    "keys free at the end": (keys_free_at_the_end, "I29 a second job"),
    "started jobs replaced": (started_jobs_replaced, "I31"),
    "first payload kept": (first_payload_kept, "I31 replaced, or not"),
    "key of a replaced job not looked at": (key_of_a_replaced_job_not_looked_at, "I21 parked"),
    "retention not waited for": (retention_not_waited_for, "I32 deleted too early"),
    "jobs deleted with their keys": (jobs_deleted_with_their_keys, "I32 deleted too early"),
    "waits of errors ignored": (waits_of_errors_ignored, "I33"),
    **OF_FUNCTIONS,
}
FIRST_SEEDS = {
    "late finish accepted": 1,
    "notify before commit": 1,
    "tokens of keys not spent": 15,
    "limits of keys ignored": 106,
    "late renewal of anything": 113,
    "quarantined types leased": 122,
    "held jobs forgotten": 54,
    "a step kept without a token": 32,
    "children made again": 38,
    "a signal lost before the wait": 65,
    "children of a cancelled function forgotten": 34,
    "clock read before the lock": 11,
    "started jobs replaced": 12,
    "a received signal timed out": 14,
    "expiry ignored": 16,
}
"""Where the search for a fault begins that no earlier schedule finds: each would cost 80 ms."""
ONLY_STOPS = Faults(stop=0.25)
ONLY_PREEMPTION = Faults(preempt=0.06)
ONLY_WAITS = Faults(slow=0.1)
STOPS_AND_WAITS = Faults(stop=0.2, slow=0.05)
CRASHES_AND_REBOOTS = Faults(crash=0.01, reboot=0.03)
STOPS_AND_PREEMPTION = Faults(preempt=0.06, stop=0.1)
WALL_CLOCK_JUMPS = Faults(wall_jump=0.03)
FAULTS = {
    "notify before commit": ONLY_PREEMPTION,  # a crash may lose a ring: it hides this one
    "clock read before the lock": ONLY_WAITS,  # it must wait until its lease has expired
    # A worker must stand still past the end of its lease.
    "late renewal of anything": STOPS_AND_WAITS,
    "late finish accepted": STOPS_AND_WAITS,
    "token check dropped": ONLY_STOPS,
    "cells ignored at expiry": ONLY_STOPS,
    "cells ignored after a reboot": CRASHES_AND_REBOOTS,
    "ticks of a clock ahead kept": WALL_CLOCK_JUMPS,
    # Jobs of one key must run long enough for others to come.
    "keys not looked at": ONLY_WAITS,
    "limits of keys ignored": STOPS_AND_WAITS,
    "quarantined types leased": ONLY_WAITS,
    "held jobs forgotten": ONLY_WAITS,
    "a step kept without a token": STOPS_AND_WAITS,
    "children made again": STOPS_AND_WAITS,
    "a signal lost before the wait": STOPS_AND_PREEMPTION,
    "a received signal timed out": STOPS_AND_PREEMPTION,
    "children of a cancelled function forgotten": STOPS_AND_PREEMPTION,
}
"""What makes a fault show itself soon, where the mixture of all takes dozens of schedules."""
