"""Faults to plant in the store, each with the invariant that must find it."""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import apsw
import pytest

from orpheus.shared.domain.jobs import Holder, Lease, Status
from orpheus.shared.domain.lifecycle import Ending, Next, Spent, after
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage.sqlite import leases as leases_module
from orpheus.shared.storage.sqlite.at_commit import AtCommit
from orpheus.shared.storage.sqlite.connection import Database
from orpheus.shared.storage.sqlite.leases import Leases
from orpheus.shared.storage.sqlite.sql import sql_file
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
    queries = ("record-success", "complete-job", "held-lease", "record-attempt", "end-lease")
    for name in queries:
        old, new = "lease_token = ?", "? IS NOT NULL"
        if name == "end-lease":
            old, new = "lease_token = ?11", "?11 IS NOT NULL"
        rewrite(patch, "leases.sql", old, new, name)


def late_finish_accepted(patch: pytest.MonkeyPatch, world: World) -> None:
    old = "lease_expires_mono_ms > ?"
    rewrite(patch, "leases.sql", old, "? IS NOT NULL", "record-success", "held-lease")


def order_by_id_only(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "leases.sql", "priority DESC, run_at_ms, id", "id", "due-jobs")


def unique_key_unchecked(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "jobs.sql", "unique_key = ?", "? IS NULL", "live-by-unique-key")
    rewrite(patch, "jobs.sql", "INDEXED BY jobs_unique_key", "", "live-by-unique-key")
    world.look("DROP INDEX jobs_unique_key")


class Died(BaseException):
    """Between the answer and the commit."""


def acknowledged_before_the_commit(patch: pytest.MonkeyPatch, world: World) -> None:
    write, chance = Database.write, random.Random(1)

    @contextlib.contextmanager
    def answer_first(self: Database, *, durable: bool) -> Iterator[None]:
        is_outermost = not self._connection.in_transaction
        with contextlib.suppress(Died), write(self, durable=durable):
            yield
            if is_outermost and chance.random() < 0.05:
                raise Died

    patch.setattr(Database, "write", answer_first)


def deferred_begin(patch: pytest.MonkeyPatch, world: World) -> None:
    execute = Tap.execute

    def defer(self: Tap, sql: str, values: tuple[Any, ...] = ()) -> apsw.Cursor:
        return execute(self, sql.replace("BEGIN IMMEDIATE", "BEGIN DEFERRED"), values)

    patch.setattr(Tap, "execute", defer)


def attempt_counted_in_another_transaction(patch: pytest.MonkeyPatch, world: World) -> None:
    rewrite(patch, "leases.sql", "attempt = attempt + 1", "attempt = attempt", "lease-job")
    lease, ring, started = Leases.lease, Database._ring, list[int]()

    def lease_uncounted(
        self: Leases, holder: Holder, queues: tuple[str, ...], limit: int, ttl_ms: int
    ) -> list[Lease]:
        leases = lease(self, holder, queues, limit, ttl_ms)
        started.extend(one.job_id for one in leases)
        return leases

    def count_after_the_commit(self: Database) -> None:
        ring(self)
        while started:
            job_id = started.pop()
            with self.write(durable=False):
                self.run("UPDATE jobs SET attempt = attempt + 1 WHERE id = ?", job_id)

    patch.setattr(Leases, "lease", lease_uncounted)
    patch.setattr(Database, "_ring", count_after_the_commit)


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
    flush_counts = Database.flush_counts

    def flush_and_ring(self: Database) -> None:
        flush_counts(self)
        self.at_commit.ring(self.bells)

    patch.setattr(Database, "flush_counts", flush_and_ring)
    patch.setattr(Database, "_ring", lambda self: setattr(self, "at_commit", AtCommit()))


def retries(by: int) -> Plant:
    def off_by(patch: pytest.MonkeyPatch, world: World) -> None:
        def another(ending: Ending, spent: Spent) -> Next:
            return after(ending, replace(spent, max_retries=spent.max_retries + by))

        patch.setattr(leases_module, "after", another)

    return off_by


def counts_not_kept(patch: pytest.MonkeyPatch, world: World) -> None:
    count = AtCommit.count_job

    def forgetful(self: AtCommit, queue: str, leaves: Status | None, enters: Status | None) -> None:
        if leaves is not Status.BLOCKED:
            count(self, queue, leaves, enters)

    patch.setattr(AtCommit, "count_job", forgetful)


def cell_ignored(patch: pytest.MonkeyPatch, world: World) -> None:
    def all_crashed(token: int, cell: CellState | None, *, killed_at_deadline: bool) -> Ending:
        return Ending.CRASHED

    patch.setattr(leases_module, "_ending_by_death", all_crashed)


PLANTS: dict[str, tuple[Plant, str]] = {
    "token check dropped": (token_check_dropped, "I5|I6"),
    "late finish accepted": (late_finish_accepted, "I5"),
    "order by id only": (order_by_id_only, "I9"),
    "unique key unchecked": (unique_key_unchecked, "two live jobs with one unique key"),
    "ack before commit": (acknowledged_before_the_commit, "I1 |I14"),
    "deferred BEGIN": (deferred_begin, "a transaction that had begun"),
    "attempt counted in another transaction": (attempt_counted_in_another_transaction, "I4"),
    "wall clock in leases": (wall_clock_in_leases, "P8|I5"),
    "boot id ignored": (boot_id_ignored, "P8|I5"),
    "notify before commit": (notified_before_the_commit, "all workers sleep while work is due"),
    "one retry too many": (retries(1), "I7"),
    "one retry too few": (retries(-1), "I7"),
    "counts not kept": (counts_not_kept, "I19"),
    "cell ignored": (cell_ignored, "P7"),
}
ONLY_PREEMPTION = Faults(preempt=0.06)
FAULTS = {"notify before commit": ONLY_PREEMPTION}  # a crash may lose a ring: it hides this one
