"""The supervisor: sees deaths, frees leases by the cell, starts new lives, reclaims, fires ticks.

Also what kills it and the others from outside: whoever restarts a supervisor that died.
"""

from collections.abc import Iterable

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.schedules import CatchUp, ScheduleDefinition
from orpheus.shared.errors import StorageError
from orpheus.shared.storage import Store
from tests.simulation.engine import Actor, Simulation, Steps, Wait
from tests.simulation.histories import EffectLog, Run, check
from tests.simulation.workers import Life, Worker

_TURN_MS = 1_000
_SEES_DEATH_WITHIN_MS = 300
_RESTARTS_WITHIN_MS = 2_000

SCHEDULES = (
    ScheduleDefinition("often", "tick", every_s=7, catch_up=CatchUp.ONE),
    ScheduleDefinition("hourly", "tick", every_s=3600, catch_up=CatchUp.ALL),
)

_LEASED = "SELECT id, lease_token FROM jobs WHERE status = 'in_progress'"
_OUTCOME = "SELECT outcome FROM attempts WHERE job_id = ? AND lease_token = ?"


class Supervisor:
    """Every life it starts may die, and so may it; the lives stay known."""

    def __init__(self, simulation: Simulation, effects: EffectLog, slots: Iterable[str]) -> None:
        self._simulation = simulation
        self._chance = simulation.chance
        self._store: Store = simulation.world.stores["supervisor"]
        self._effects = effects
        self._slots = tuple(slots)
        self._lives: list[Life] = []
        self._born = 0
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
        """Cells and processes of the boot before are gone."""
        self._lives.clear()

    # What it does

    def steps(self) -> Steps:
        while True:
            try:
                self._void_other_boots()
                break
            except StorageError:
                yield Wait(100)
        while True:
            try:
                for life in [one for one in self._lives if one.has_died]:
                    self._free(life)
                self._reclaim()
                self._store.schedules.fire_due(_job_of_tick)
            except StorageError:
                yield Wait(100)
                continue
            self._start_missing()
            self._see_to_the_living()
            yield Wait(_TURN_MS)

    def _void_other_boots(self) -> None:
        self._store.leases.void_other_boots()
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
            tokens: dict[int, int] = dict(look(_LEASED))
            freed = self._store.leases.free(
                life.incarnation, life.cell, killed_at_deadline=life.hangs, evidence="SIGKILL"
            )
            for job_id in freed:
                rows = look(_OUTCOME, job_id, tokens[job_id])
                outcome = rows[0][0] if rows else None
                run = self._effects.runs.get(tokens[job_id])
                expected = _outcome_of_death(run, overdue=life.hangs)
                check(outcome == expected, "P7 what a death spends", job_id, outcome, expected)
        self._simulation.note("frees", (life.incarnation, freed))
        self._lives.remove(life)

    def _reclaim(self) -> None:
        """P8: exactly what has expired by the clock that does not jump."""
        before = dict(self._leased())
        for job_id in self._store.leases.reclaim_expired():
            self._simulation.note("reclaims", job_id)
            valid = self._effects.is_valid(before[job_id])
            check(not valid, "P8 taken back before it expired", job_id)
        boot_id = self._simulation.clock.boot_id
        for job_id, token in self._leased():
            grant = self._effects.grants.get(token)
            if grant is not None and grant.boot_id == boot_id:
                valid = self._effects.is_valid(token)
                check(valid, "P8 an expired lease was left", job_id, token)

    def _start_missing(self) -> None:
        there = {life.slot for life in self._lives}
        for slot in self._slots:
            if slot not in there:
                self._start(slot)

    def _start(self, slot: str) -> None:
        self._born += 1
        life = Life(slot, f"life-{self._born}")
        worker = Worker(self._simulation, self._effects, life, self._chance.choice((1, 2, 6)))

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
            elif self._simulation.faults.stop and self._chance.random() < 0.03:
                life.is_draining = True


def _outcome_of_death(run: Run | None, *, overdue: bool) -> str | None:
    if run is None:
        return None
    if run.has_ended:
        return "lost"
    return "timed_out" if overdue else "crashed"


def _job_of_tick(definition: ScheduleDefinition) -> NewJob:
    return NewJob(definition.type)
