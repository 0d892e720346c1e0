"""Workers: report what ended and lease what comes next in one transaction, run it, or sleep.

The loop is that of worker/leasing/loop.py; what a job's code does stands in its payload. Around
each verb the worker notes what it sees in the effect log, and what the verb may answer is worked
out from the rows as they were before it.
"""

import json
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orpheus.shared.domain.jobs import Holder, JobError, Lease, NewJob, NewLine
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.steps import NewSignal, Suspension
from orpheus.shared.errors import StorageError
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import Store
from tests.simulation.engine import Actor, Crashed, Simulation, Steps, Wait
from tests.simulation.functions import SIGNAL, Function, FunctionLog
from tests.simulation.histories import PERMANENT, RETRY_ON, EffectLog, Run, check
from tests.simulation.options import OVERDUE
from tests.simulation.quarantines import nothing_is_quarantined_of
from tests.simulation.world import POOLS

_RETRY_DATABASE_MS = 50  # far more often than a process takes to recover from a stall
_RETRY_RENEWAL_MS = 50
_AFTER_OTHERS_MS = 50


@dataclass(eq=False, slots=True)
class Life:
    """One life of a worker, as its supervisor sees it. `cell` outlives it."""

    slot: str
    incarnation: str
    actor: Actor | None = None
    cell: CellState = field(default_factory=lambda: CellState(0, running=False))
    is_draining: bool = False
    hangs: bool = False
    """Its job is past its hard deadline."""
    has_died: bool = False
    is_alone: bool = False
    """No supervisor sees its death: its leases expire."""
    cells: list[CellState] = field(default_factory=list)
    """What its cell held, the newest last: after power loss the disk may hold any of them."""

    @property
    def pool(self) -> str:
        return self.slot.split("-")[0]

    def write_cell(self, cell: CellState) -> None:
        self.cell = cell
        self.cells.append(cell)


class _Rank(NamedTuple):
    """Where a job stands in the order of leasing."""

    minus_priority: int
    run_at_ms: int
    job_id: int
    queue: str
    key: str | None


class Worker:
    """What a life does."""

    def __init__(self, simulation: Simulation, effects: EffectLog, life: Life, ahead: int) -> None:
        self.functions = FunctionLog()
        self._simulation = simulation
        self._chance = simulation.chance
        self._store: Store = simulation.world.stores[life.slot]
        self._effects = effects
        self._life = life
        self._holder = Holder(life.slot, life.incarnation, 1)
        self._queues = POOLS[life.pool]
        self._bell = simulation.world.bells[life.pool]
        self._most_ahead = ahead
        self._ahead: deque[Lease] = deque()
        self._unreported: list[Finished] = []
        self._is_idle = True
        self._was_contended = False
        """The last lease gave nothing, but there may be work behind what it met."""
        self._tends_again = False
        self._waits: dict[int, Suspension] = {}
        """What the functions of ended attempts wait for, by token."""

    def steps(self) -> Steps:
        while True:
            try:
                self._report_and_lease()
            except StorageError:
                self._check_leases()
                yield Wait(_RETRY_DATABASE_MS)
                continue
            self._check_leases()
            if self._ahead:
                self._is_idle = False
                yield Wait(0)
                yield from self._work()
            elif self._life.is_draining:
                self._store.bells.ring_pool(self._life.pool)
                return
            else:
                self._is_idle = True
                yield self._sleep()
                self._bell.drain()

    def _check_leases(self) -> None:
        """A lease that nobody holds spends a retry when it expires, and its job does not run.

        One that has expired already is let go when its result is refused.
        """
        clock = self._simulation.clock
        held = set(self._held_tokens().values())
        rows = self._simulation.world.look(
            "SELECT lease_token FROM jobs WHERE status = 'in_progress' AND lease_incarnation = ? "
            "AND lease_boot_id = ? AND lease_expires_mono_ms > ?",
            self._life.incarnation,
            clock.boot_id,
            clock.monotonic_ms(),
        )
        lost = {row[0] for row in rows} - held
        check(not lost, "a worker does not hold a lease of its own", lost)

    def _sleep(self) -> Wait:
        if self._was_contended:
            self._was_contended = False
            return Wait(_AFTER_OTHERS_MS)
        return Wait(self._sleep_ms(), self._bell)

    def _sleep_ms(self) -> int:
        due_ms = self._store.leases.next_due_ms()
        longest_ms = self._simulation.timing.poll_ms
        if due_ms is None:
            return longest_ms
        return min(longest_ms, max(1, due_ms - self._store.clock.wall_ms()))

    # Reporting and leasing

    def _report_and_lease(self) -> None:
        if self._unreported and not self._is_calm():
            self._renew_late({one.lease.job_id: one.lease.token for one in self._unreported})
        excess = self._excess()
        leases = self._transact(excess)
        self._effects.granted(leases, self._simulation.timing.ttl_ms)
        self._unreported = []
        if excess:
            self._ahead.clear()
        self._ahead.extend(leases)
        if leases:
            self._simulation.note("leased", [(one.job_id, one.token) for one in leases])
            if self._is_idle:
                self._store.bells.ring_pool(self._life.pool)

    def _excess(self) -> list[Lease]:
        """What to release of what was prefetched."""
        return list(self._ahead) if self._life.is_draining else []

    def _may_lease(self) -> bool:
        return not (self._ahead or self._life.is_draining)

    def _held_tokens(self) -> dict[int, int]:
        """Of every lease that it holds and whose job does not run."""
        tokens = {one.job_id: one.token for one in self._ahead}
        return tokens | {one.lease.job_id: one.lease.token for one in self._unreported}

    def _is_calm(self) -> bool:
        return self._simulation.is_calm(self._life.actor)

    def _renew_late(self, tokens: dict[int, int]) -> None:
        ttl_ms = self._simulation.timing.ttl_ms
        self._note_renewed(tokens, self._store.leases.renew(tokens, ttl_ms, late=True))

    def _transact(self, excess: Sequence[Lease]) -> list[Lease]:
        """With nothing to report the lease is its own transaction, begun if there is work."""
        store, reports = self._store, [self._effects.told(one) for one in self._unreported]
        may_lease = self._may_lease()
        if not (reports or excess) and self._chance.random() < 0.5:
            due = may_lease and store.leases.is_work_due()  # an idle worker writes nothing
            return self._lease(self._limit()) if due else []
        with store.write(durable=bool(reports)):
            if reports:
                self._report(reports)
            if excess:
                store.leases.release(excess)
            return self._lease_in_order() if may_lease else []

    def _report(self, reports: Sequence[Finished]) -> None:
        """I5, I6: exactly those with the current token, unexpired, are accepted."""
        undisturbed = self._simulation.undisturbed()
        expected = {one.lease.token for one in reports if not self._is_held(one.lease)}
        before = self._rows(reports)
        lost = self._store.leases.finish(reports)
        agrees = lost == expected or not undisturbed()
        check(agrees, "I5 accepted and lost leases", lost, expected)
        after = self._rows(reports)
        held = {one.lease.job_id for one in reports if one.lease.token not in lost}
        changed = [
            one.lease.job_id
            for one, old, new in zip(reports, before, after, strict=True)
            if one.lease.token in lost and one.lease.job_id not in held and old != new
        ]
        check(not changed or not undisturbed(), "I6 a late finish changed its job", changed)
        self._simulation.note("reports", [(one.lease.job_id, one.ending) for one in reports])

    def _is_held(self, lease: Lease) -> bool:
        """By the token in the row, and by the engine's clock."""
        sql = "SELECT lease_token FROM jobs WHERE id = ? AND status = 'in_progress'"
        row = self._store._database.one(sql, lease.job_id)
        return row == (lease.token,) and self._effects.is_valid(lease.token)

    def _rows(self, reports: Sequence[Finished]) -> list[Any]:
        sql = "SELECT * FROM jobs WHERE id = ?"
        return [self._store._database.one(sql, one.lease.job_id) for one in reports]

    def _limit(self) -> int:
        return self._chance.randint(1, self._most_ahead)

    def _lease(self, limit: int) -> list[Lease]:
        leases = self._take(limit)
        self._was_contended = not leases and self._store.leases.was_contended
        return leases

    def _take(self, limit: int) -> list[Lease]:
        ttl_ms = self._simulation.timing.ttl_ms
        return self._store.leases.lease(self._holder, self._queues, limit, ttl_ms)

    def _lease_in_order(self) -> list[Lease]:
        limit, undisturbed = self._limit(), self._simulation.undisturbed()
        leases = self._lease(limit)
        if undisturbed():
            self._check_order(leases, limit, undisturbed)
        return leases

    def _check_order(
        self, leases: Sequence[Lease], limit: int, undisturbed: Callable[[], bool]
    ) -> None:
        """I9: what was taken is in order, and no smaller eligible job was left standing."""
        taken = {lease.job_id for lease in leases}
        nothing_is_quarantined_of(self._store, taken)
        ranks = self._ranks(taken)
        order = [ranks[lease.job_id] for lease in leases]
        check(order == sorted(order), "I9 not in order", order)
        overdue = self._store._database.all(OVERDUE, self._store.clock.wall_ms())
        expired = [ranks.pop(job_id) for (job_id,) in overdue if job_id in ranks]
        closed, rated = self._restricted_queues()
        full, unsure = self._full_keys()
        if not undisturbed():
            return  # another has submitted jobs while these were read
        for job_id, rank in ranks.items():
            serves = rank.queue in self._queues or "*" in self._queues
            if job_id in taken or not serves:
                continue
            in_the_way = [one for one in expired if one < rank]
            if rank[3:] in full or rank.queue in unsure | {one.queue for one in in_the_way}:
                continue
            later = [one for one in order if one > rank and one.queue == rank.queue]
            check(not later, "I9 a smaller job of the queue was passed over", rank, later)
            if rank.queue not in closed | rated:
                met = len(leases) + len(in_the_way)
                is_next = met >= limit and all(one < rank for one in order)
                check(is_next, "I9 a smaller eligible job was passed over", rank, order, limit)

    def _ranks(self, taken: set[int]) -> dict[int, _Rank]:
        """Those just leased, and those that may be: read past the store, in its transaction."""
        rows = self._store._database.all(
            "SELECT status, -priority, run_at_ms, id, queue, concurrency_key FROM jobs "
            "WHERE status = 'in_progress' "
            "OR (status = 'pending' AND is_parked <> 2 AND (is_due = 1 OR run_at_ms <= ?) "
            "AND type NOT IN (SELECT type FROM quarantines WHERE released_ms IS NULL))",
            self._store.clock.wall_ms(),
        )
        return {row[3]: _Rank(*row[1:]) for row in rows if row[0] == "pending" or row[3] in taken}

    def _restricted_queues(self) -> tuple[set[str], set[str]]:
        """Those that let nothing start now, and those that have a rate."""
        rows = self._store._database.all(
            "SELECT name, coalesce(paused, paused_by_config) = 1 OR (max_running > 0 AND "
            "max_running <= (SELECT count(*) FROM jobs WHERE status = 'in_progress' "
            "AND queue = name)), rate_starts > 0 FROM queues"
        )
        return {row[0] for row in rows if row[1]}, {row[0] for row in rows if row[2]}

    def _full_keys(self) -> tuple[set[Any], set[str]]:
        """Queue and key of those that have no room, and queues of which it cannot be said."""
        rows = self._store._database.all(
            "SELECT queue, concurrency_key FROM jobs JOIN queues ON name = queue "
            "WHERE status = 'in_progress' AND max_running_per_key > 0 "
            "AND concurrency_key IS NOT NULL "
            "GROUP BY queue, concurrency_key, max_running_per_key "
            "HAVING count(*) >= max_running_per_key"
        )
        unsure = self._store._database.all(
            "SELECT name FROM queues WHERE key_rate_starts > 0 OR sweep_after IS NOT NULL"
        )
        return set(rows), {row[0] for row in unsure}

    # Running

    def _work(self) -> Steps:
        while self._ahead and not self._life.is_draining:
            lease = self._ahead.popleft()
            if not self._may_enter(lease):
                yield Wait(10)
                continue
            yield from self._run(lease)
            if self._chance.random() < 0.5:
                return

    def _may_enter(self, lease: Lease) -> bool:
        """Not one whose time is over, nor one that is to be cancelled: those are released."""
        store, is_valid = self._store, self._effects.is_valid(lease.token)
        try:
            if is_valid and not store.leases.cancel_requests({lease.job_id: lease.token}):
                return True
            store.leases.release([lease])
        except StorageError:
            self._ahead.appendleft(lease)
        return False

    def _run(self, lease: Lease) -> Steps:
        life, payload = self._life, json.loads(lease.payload)
        self._check_entry(lease)
        life.write_cell(CellState(lease.token, running=True))
        run = self._effects.entered(lease, life.incarnation)
        ending = yield from self._code(lease, payload, run)
        self._effects.ended(run)
        life.write_cell(CellState(lease.token, running=False))
        self._unreported.append(self._finished_as(lease, ending, payload))
        if payload.get("does") == "spoils":
            raise Crashed
        yield Wait(0)

    def _check_entry(self, lease: Lease) -> None:
        row = self._simulation.world.look(
            "SELECT lease_token FROM jobs WHERE id = ? AND status = 'in_progress'", lease.job_id
        )
        check(row == [(lease.token,)], "I14, I10 entered without a lease", lease, row)

    def _code(
        self, lease: Lease, payload: dict[str, Any], run: Run
    ) -> Generator[Wait, None, Ending]:
        does, left_ms = payload.get("does", "ok"), payload.get("ms", 10)
        if does == "hang" and lease.failures == 0:
            self._hang(lease)
            left_ms = 60_000
        while left_ms > 0:
            longest_ms = self._simulation.timing.renew_every_ms
            slice_ms = min(left_ms, _RETRY_RENEWAL_MS if self._tends_again else longest_ms)
            yield Wait(slice_ms)
            left_ms -= slice_ms
            if self._tend(lease):
                return Ending.CANCELLED
            if self._life.is_draining and self._chance.random() < 0.5:
                return Ending.RELEASED
        if does == "poison":
            raise Crashed
        if does == "function":
            return (yield from self._function(lease, payload, run))
        ending = _ending_of(does, lease, payload)
        run.has_effect = ending is Ending.SUCCEEDED
        return ending

    def _function(
        self, lease: Lease, payload: dict[str, Any], run: Run
    ) -> Generator[Wait, None, Ending]:
        effects, store = self._effects, self._store
        calls: list[list[Any]] = payload["calls"]
        function = Function(self._simulation, effects, self.functions, store, lease, calls)
        for wait in function.run():
            yield wait
            if self._tend(lease):
                return Ending.CANCELLED
        if function.suspension is not None:
            self._waits[lease.token] = function.suspension
            return Ending.SNOOZED
        run.has_effect = not function.has_failed
        return Ending.SUCCEEDED if run.has_effect else Ending.FAILED

    def _finished_as(self, lease: Lease, ending: Ending, payload: dict[str, Any]) -> Finished:
        finished = finished_as(lease, ending, payload)
        if wait := self._waits.pop(lease.token, None):
            return finished._replace(snooze_ms=0, wait=wait)
        if ending is Ending.SUCCEEDED and "sends" in payload:
            sent = json.dumps({"sent by": lease.token})
            signal = self.functions.sends(NewSignal(SIGNAL, payload["sends"], sent))
            return finished._replace(signals=(signal,))
        return finished

    def _hang(self, lease: Lease) -> None:
        """Its supervisor ends it: the job is past its hard deadline."""
        self._life.hangs = True

    def _tend(self, lease: Lease) -> bool:
        """Renew what is held, store progress; whether the job is to be cancelled."""
        store, ttl_ms = self._store, self._simulation.timing.ttl_ms
        tokens = self._held_tokens()
        tokens[lease.job_id] = lease.token
        is_one_transaction = self._chance.random() < 0.5
        self._tends_again = False
        try:
            with store.write(durable=False) if is_one_transaction else nullcontext():
                late = not self._is_calm()
                lost = store.leases.renew(tokens, ttl_ms, late=late)
                for job_id, token in tokens.items():
                    may_be_kept = late or self._effects.is_valid(token)
                    check(token in lost or may_be_kept, "P3 renewed late", job_id)
                if not is_one_transaction:
                    self._note_renewed(tokens, lost)
                if store.leases.progress(lease.job_id, lease.token, 0.5, "half way"):
                    check(lease.token not in lost, "P3 progress without a lease", lease)
                store.logs.append(lease.job_id, lease.token, lease.attempt, [_LINE])
            if is_one_transaction:
                self._note_renewed(tokens, lost)
            return bool(store.leases.cancel_requests({lease.job_id: lease.token}))
        except StorageError:
            self._tends_again = True
            return False

    def _note_renewed(self, tokens: Mapping[int, int], lost: set[int]) -> None:
        for job_id, token in tokens.items():
            if token not in lost and self._is_renewed(token):
                self._effects.renewed(job_id, token, self._simulation.timing.ttl_ms)

    def _is_renewed(self, token: int) -> bool:
        """Where several write at once, a lease is not lost while another has locked its job."""
        sql = "SELECT lease_expires_mono_ms > ? FROM jobs WHERE lease_token = ?"
        now_ms, world = self._simulation.clock.monotonic_ms(), self._simulation.world
        return world.has_one_writer or world.look(sql, now_ms, token) == [(True,)]


_LINE = NewLine(0, "info", "half way")


def _ending_of(does: str, lease: Lease, payload: dict[str, Any]) -> Ending:
    if does == "hopeless" or (does == "flaky" and lease.failures < payload["failures"]):
        return Ending.FAILED
    if does == "permanent":
        return Ending.FAILED_PERMANENTLY
    if does == "snooze" and lease.attempt == 1:
        return Ending.SNOOZED
    if does == "overtime" and lease.failures == 0:
        return Ending.TIMED_OUT
    return Ending.SUCCEEDED


def finished_as(lease: Lease, ending: Ending, payload: dict[str, Any]) -> Finished:
    if ending is Ending.SUCCEEDED:
        n = payload["children"] if payload.get("does") == "parent" else 0
        child = NewJob("child", json.dumps({"parent": lease.job_id}), queue=lease.queue)
        return Finished(lease, ending, "null", children=(child,) * n)
    if ending is Ending.SNOOZED:
        return Finished(lease, ending, snooze_ms=1_500)
    if ending is Ending.FAILED_PERMANENTLY:
        return Finished(lease, ending, error=JobError(PERMANENT, "never"))
    if ending is Ending.FAILED and "retry_ms" in payload:
        retry_ms = payload["retry_ms"]
        return Finished(lease, ending, error=JobError(RETRY_ON, str(retry_ms)), retry_ms=retry_ms)
    if ending in (Ending.FAILED, Ending.TIMED_OUT):
        return Finished(lease, ending, error=JobError("ValueError", "not now"))
    return Finished(lease, ending)
