"""Workers that run several jobs at once: as in worker/leasing/concurrent_loop.py.

The jobs of one life take turns: each waits for its own time, and the life for the next of them.
Their leases are chosen by the policy of the product itself (worker/leasing/alone.py).
"""

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.errors import StorageError
from orpheus.shared.process.crash_cell import CellState
from orpheus.worker.leasing.alone import AloneChoice
from orpheus.worker.leasing.concurrent_leases import runs_alone
from tests.simulation.engine import Crashed, Simulation, Steps, Wait
from tests.simulation.histories import EffectLog, Run, check
from tests.simulation.workers import Life, Worker, _Rank

_RETRY_DATABASE_MS = 50


@dataclass(eq=False, slots=True)
class _Running:
    lease: Lease
    run: Run
    payload: dict[str, Any]
    code: Generator[Wait, None, Ending]
    wakes_at_ms: int


class ConcurrentWorker(Worker):
    """Runs up to `places` jobs at once."""

    def __init__(
        self, simulation: Simulation, effects: EffectLog, life: Life, ahead: int, places: int
    ) -> None:
        super().__init__(simulation, effects, life, ahead)
        self._most = places
        self._running: list[_Running] = []
        self._overdue: set[int] = set()
        self._entered = 0
        self._alone = AloneChoice()

    def steps(self) -> Steps:
        while True:
            try:
                self._report_and_lease()
            except StorageError:
                self._check_leases()
                yield from self._go_on(_RETRY_DATABASE_MS)
                continue
            self._check_leases()
            self._start_ahead()
            if self._running or self._unreported or self._ahead:
                yield from self._go_on(self._simulation.timing.poll_ms)
            elif self._life.is_draining:
                self._store.bells.ring_pool(self._life.pool)
                return
            else:
                self._is_idle = True
                yield self._sleep()
                self._bell.drain()

    # Leasing

    def _free(self) -> int:
        if any(runs_alone(one.lease) for one in self._running):
            return 0
        return self._most - len(self._running)

    def _may_lease(self) -> bool:
        return super()._may_lease() and self._free() > 0

    def _excess(self) -> list[Lease]:
        """What waits behind long jobs may be released; what is to run alone waits."""
        is_stuck = self._ahead and not self._free() and self._chance.random() < 0.1
        return list(self._ahead) if is_stuck else super()._excess()

    def _limit(self) -> int:
        return self._chance.randint(1, max(1, self._free()) + self._most_ahead)

    def _take(self, limit: int) -> list[Lease]:
        now_s, is_idle = self._store.clock.monotonic_ms() / 1000, not self._running

        def eligible(crashes: Sequence[int]) -> Sequence[int]:
            return self._alone.eligible(crashes, limit, now_s, is_idle=is_idle)

        ttl_ms, most = self._simulation.timing.ttl_ms, self._alone.most_to_read(limit)
        leases = self._store.leases.lease(
            self._holder, self._queues, most, ttl_ms, eligible=eligible
        )
        if leases and runs_alone(leases[-1]):
            self._alone.taken()
        check(not any(map(runs_alone, leases[:-1])), "one that runs alone before another", leases)
        return leases

    def _check_order(
        self, leases: Sequence[Lease], limit: int, undisturbed: Callable[[], bool]
    ) -> None:
        if leases:
            super()._check_order(leases, len(leases), undisturbed)

    def _ranks(self, taken: set[int]) -> dict[int, _Rank]:
        """Without those that run alone, and in a queue with a limit those behind them."""
        rows = self._store._database.all(
            "SELECT id FROM jobs WHERE crashes > 0 OR queue IN (SELECT queue FROM jobs "
            "JOIN queues ON name = queue WHERE status = 'pending' AND crashes > 0)"
        )
        passed_over = {row[0] for row in rows} - taken
        ranks = super()._ranks(taken)
        return {one: rank for one, rank in ranks.items() if one not in passed_over}

    def _held_tokens(self) -> dict[int, int]:
        running = {one.lease.job_id: one.lease.token for one in self._running}
        return running | super()._held_tokens()  # of two of one job, the newer

    # Running

    def _start_ahead(self) -> None:
        while self._ahead and self._free() and not self._life.is_draining:
            if self._running and runs_alone(self._ahead[0]):
                return
            lease = self._ahead.popleft()
            if not self._may_enter(lease):
                return
            self._check_entry(lease)
            payload = json.loads(lease.payload)
            run = self._effects.entered(lease, self._life.incarnation)
            others = [one for one in self._running if runs_alone(one.lease) or runs_alone(lease)]
            check(not others, "not alone", lease, others)
            code = self._code(lease, payload, run)
            now_ms = self._simulation.clock.now_ms
            self._running.append(_Running(lease, run, payload, code, now_ms))
            self._entered = lease.token
            self._write_cell()

    def _go_on(self, most_ms: int) -> Steps:
        """Wait for the next job that does something, and let it."""
        clock = self._simulation.clock
        times = [one.wakes_at_ms for one in self._running]
        wakes_at_ms = min([clock.now_ms + most_ms, *times])
        yield Wait(max(0, wakes_at_ms - clock.now_ms))
        for one in list(self._running):
            if one.wakes_at_ms <= clock.now_ms:
                self._step(one)

    def _step(self, one: _Running) -> None:
        try:
            wait = next(one.code)
        except StopIteration as end:
            self._effects.ended(one.run)
            self._running.remove(one)
            self._write_cell()
            self._unreported.append(self._finished_as(one.lease, end.value, one.payload))
            if one.payload.get("does") == "spoils":
                raise Crashed from None
        else:
            one.wakes_at_ms = self._simulation.clock.now_ms + wait.ms

    def _hang(self, lease: Lease) -> None:
        super()._hang(lease)
        if self._chance.random() < 0.8:  # else nobody could mark it: a C call holds the GIL
            self._overdue.add(lease.token)
            self._write_cell()

    def _write_cell(self) -> None:
        tokens = frozenset(one.lease.token for one in self._running)
        overdue = tokens & self._overdue
        self._life.write_cell(
            CellState(self._entered, bool(tokens), together=tokens, overdue=overdue)
        )
