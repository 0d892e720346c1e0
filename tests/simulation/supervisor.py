"""The supervisor: sees deaths, frees leases by the cell, starts new lives, reclaims, fires ticks.

Also what kills it and the others from outside: whoever restarts a supervisor that died.
"""

from collections.abc import Iterable

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.schedules import CatchUp, ScheduleDefinition
from orpheus.shared.errors import StorageError
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import LeaseHolder, Store
from orpheus.shared.storage.verbs.retention import Retention
from tests.simulation.concurrent_workers import ConcurrentWorker
from tests.simulation.engine import Actor, Simulation, Steps, Wait
from tests.simulation.functions import FunctionLog, no_wait_is_overdue
from tests.simulation.histories import EffectLog, Run, check
from tests.simulation.options import NOTHING_BUT_OWN, OVERDUE
from tests.simulation.workers import Life, Worker

_TURN_MS = 1_000
_SEES_DEATH_WITHIN_MS = 300
_RESTARTS_WITHIN_MS = 2_000

SCHEDULES = (
    ScheduleDefinition("often", "tick", every_s=7, catch_up=CatchUp.ONE),
    ScheduleDefinition("hourly", "tick", every_s=3600, catch_up=CatchUp.ALL),
)

_LEASED = "SELECT id, lease_token FROM jobs WHERE status = 'in_progress'"
_LEASED_BY = "SELECT id, lease_token, lease_incarnation FROM jobs WHERE status = 'in_progress'"
_OUTCOME = "SELECT outcome, error_type FROM attempts WHERE job_id = ? AND lease_token = ?"
_TO_BE_CANCELLED = "SELECT id FROM jobs WHERE cancel_requested = 1"
_DAY_MS = 86_400_000
_NEVER_WRITTEN = CellState(0, running=False)


class Supervisor:
    """Every life it starts may die, and so may it; the lives stay known."""

    def __init__(self, simulation: Simulation, effects: EffectLog, slots: Iterable[str]) -> None:
        self._simulation = simulation
        self._chance = simulation.chance
        self._store: Store = simulation.world.stores["supervisor"]
        self._effects = effects
        self._slots = tuple(slots)
        self._lives: list[Life] = []
        self._holders: dict[str, Life] = {}
        """Every life that was started, by incarnation: its cell outlives it."""
        self._born = 0
        self.concurrency: dict[str, int] = {}
        """How many jobs a worker of a pool runs at once; without an entry: one."""
        self.functions: FunctionLog | None = None
        """None: there are no durable functions in this schedule."""
        self._actor: Actor | None = None
        simulation.on_reboot = self._rebooted

    def start(self, after_ms: int = 0) -> None:
        self._actor = self._simulation.spawn(
            "supervisor", "supervisor", self.steps(), after_ms, self._died
        )

    def living(self) -> list[Life]:
        return [life for life in self._lives if not life.has_died]

    def _died(self) -> None:
        self.start(after_ms=self._chance.randrange(_RESTARTS_WITHIN_MS))

    def _rebooted(self) -> None:
        """The processes of the boot before are gone; its cells are as the disk has them."""
        self._lives.clear()
        for life in self._holders.values():
            if self._chance.random() < 0.5:
                life.cell = self._chance.choice([_NEVER_WRITTEN, *life.cells])

    # What it does

    def steps(self) -> Steps:
        retention = Retention(self._store._database)
        while True:
            try:
                self._void_other_boots()
                break
            except StorageError:
                yield Wait(100)
        while True:
            try:
                for life in [one for one in self._lives if one.has_died]:
                    if life.is_alone:
                        self._lives.remove(life)
                    else:
                        self._free(life)
                if self._simulation.is_calm(self._actor):
                    self._reclaim()
                self._store.schedules.correct_ticks()
                self._store.schedules.fire_due(_job_of_tick)
                goes_on = self._cancel_expired() | self._retain(retention)
                goes_on |= self._store.dependencies.continue_cascades()
                goes_on |= self._store.keys.continue_sweep()
                goes_on |= self._store.quarantines.continue_releases()
                if self.functions is not None:
                    goes_on |= self._wake_functions()
            except StorageError:
                yield Wait(100)
                continue
            self._start_missing()
            self._see_to_the_living()
            yield Wait(0 if goes_on else _TURN_MS)

    def _cancel_expired(self) -> bool:
        undisturbed = self._simulation.undisturbed()
        if self._store.jobs.cancel_expired():
            return True
        if undisturbed():
            rows = self._simulation.world.look(OVERDUE, self._store.clock.wall_ms())
            check(not rows, "I30 an expired job was left", rows)
        return False

    def _retain(self, retention: Retention) -> bool:
        # With a clock that is days ahead, it would delete answers that clients may ask for again.
        is_right = abs(self._simulation.clock.wall_offset_ms) < _DAY_MS
        return is_right and retention.step(NOTHING_BUT_OWN)

    def _wake_functions(self) -> bool:
        goes_on = self._store.signals.continue_wakes()
        undisturbed = self._simulation.undisturbed()
        if self._store.signals.expire_waits():
            return True
        if undisturbed():
            no_wait_is_overdue(self._simulation, self._store)
        return goes_on

    def _void_other_boots(self) -> None:
        held = dict(self._leased())
        for job_id in self._store.leases.void_other_boots(self._look):
            outcome, error = self._end_of(job_id, held[job_id])
            has_run = held[job_id] in self._effects.runs
            is_free = outcome is None or error in ("Rebooted", "ResultLost")
            check(has_run or is_free, "P7 what was not certainly run paid", job_id, outcome)
        rows = self._simulation.world.look(
            "SELECT id FROM jobs WHERE status = 'in_progress' AND lease_boot_id <> ?",
            self._simulation.clock.boot_id,
        )
        check(not rows, "P8 a lease outlived its boot", rows)
        alive = [token for _, token in self._leased() if self._is_of_another_boot(token)]
        check(not alive, "P8 a lease outlived its boot", alive)
        self._store.schedules.configure(SCHEDULES)

    def _is_of_another_boot(self, token: int) -> bool:
        grant = self._effects.grants.get(token)
        return grant is not None and grant.boot_id != self._simulation.clock.boot_id

    def _leased(self) -> list[tuple[int, int]]:
        return [(row[0], row[1]) for row in self._simulation.world.look(_LEASED)]

    def _free(self, life: Life) -> None:
        """P7: a death spends an attempt of the job it was running, of no other."""
        look = self._store._database.all
        with self._store.write(durable=True):
            undisturbed = self._simulation.undisturbed()
            tokens: dict[int, int] = dict(look(_LEASED))
            cancelled = {row[0] for row in look(_TO_BE_CANCELLED)}
            freed = self._store.leases.free(
                life.incarnation, life.cell, killed_at_deadline=life.hangs, evidence="SIGKILL"
            )
            for job_id in freed:
                rows = look(_OUTCOME, job_id, tokens[job_id])
                outcome = rows[0][0] if rows else None
                run = self._effects.runs.get(tokens[job_id])
                expected = _outcome_of_death(run, life.cell, overdue=life.hangs)
                if expected == "timed_out" and job_id in cancelled:
                    expected = "cancelled"
                agrees = outcome == expected or not undisturbed()
                check(agrees, "P7 what a death spends", job_id, outcome, expected)
        self._simulation.note("frees", (life.incarnation, freed))
        self._lives.remove(life)

    def _reclaim(self) -> None:
        """P8: exactly what has expired by the clock that does not jump."""
        undisturbed = self._simulation.undisturbed()
        before = dict(self._leased())
        for job_id in self._store.leases.reclaim_expired(self._look):
            self._simulation.note("reclaims", job_id)
            valid = self._effects.is_valid(before[job_id])
            check(not valid, "P8 taken back before it expired", job_id)
            outcome, _ = self._end_of(job_id, before[job_id])
            has_run = before[job_id] in self._effects.runs
            check(has_run or outcome is None, "P7 not entered, but it paid", job_id, outcome)
        boot_id = self._simulation.clock.boot_id
        rows = self._simulation.world.look(_LEASED_BY)
        for job_id, token, incarnation in rows:
            grant = self._effects.grants.get(token)
            life = self._holders[incarnation]
            if life.has_died or self._simulation.stands_inside(life.actor):
                continue  # its last renewal may be committed, but not answered
            if grant is not None and grant.boot_id == boot_id:
                valid = self._effects.is_valid(token)
                check(valid or not undisturbed(), "P8 an expired lease was left", job_id, token)

    def _look(self, incarnation: str) -> LeaseHolder:
        life = self._holders[incarnation]
        return LeaseHolder(life.cell, life.has_died)

    def _end_of(self, job_id: int, token: int) -> tuple[str | None, str | None]:
        """The outcome and the error of the attempt with that lease; None: there is no attempt."""
        rows = self._simulation.world.look(_OUTCOME, job_id, token)
        return rows[0] if rows else (None, None)

    def _start_missing(self) -> None:
        there = {life.slot for life in self._lives}
        for slot in self._slots:
            if slot not in there:
                self._start(slot)

    def _start(self, slot: str) -> None:
        self._born += 1
        life = Life(slot, f"life-{self._born}", is_alone=self._chance.random() < 0.2)
        self._holders[life.incarnation] = life
        ahead, places = self._chance.choice((1, 2, 6)), self.concurrency.get(life.pool, 1)
        worker = Worker(self._simulation, self._effects, life, ahead)
        if places > 1:
            worker = ConcurrentWorker(self._simulation, self._effects, life, ahead, places)

        if self.functions is not None:
            worker.functions = self.functions

        def died() -> None:
            life.has_died = True
            self._effects.killed(life.incarnation)
            if self._actor is not None:
                self._simulation.wake(self._actor, self._chance.randrange(_SEES_DEATH_WITHIN_MS))

        life.actor = self._simulation.spawn(
            life.incarnation, slot, worker.steps(), self._chance.randrange(100), died
        )
        self._lives.append(life)

    def _see_to_the_living(self) -> None:
        """A job past its deadline is killed with its worker; now and then a slot is drained."""
        for life in list(self._lives):
            if life.actor is None or life.has_died:
                continue
            if not life.actor.is_alive:  # drained
                self._lives.remove(life)
            elif life.hangs:
                self._simulation.kill(life.actor)
            elif self._simulation.faults.stop and self._chance.random() < 0.08:
                life.is_draining = True


def _outcome_of_death(run: Run | None, cell: CellState, *, overdue: bool) -> str | None:
    if run is None:
        return None
    if run.has_ended:
        return "lost"
    if not overdue or (len(cell.running_tokens) > 1 and not cell.overdue):
        return "crashed"  # of several that ran, nobody knows which was overdue
    return "timed_out" if run.token in cell.overdue or not cell.overdue else "released"


def _job_of_tick(definition: ScheduleDefinition) -> NewJob:
    return NewJob(definition.type)
