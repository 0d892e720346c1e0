"""One schedule: drawn from its seed, run with faults, healed, drained, and checked."""

import random
from dataclasses import dataclass, field

from orpheus.shared.domain.steps import NewSignal
from orpheus.shared.errors import StorageError
from orpheus.shared.storage.verbs.retention import Retention
from tests.simulation import functions, invariants
from tests.simulation.clients import (
    MOST_OF_A_KEY,
    PACE,
    THIN,
    Client,
    FunctionClient,
    rules_with,
)
from tests.simulation.engine import Faults, Simulation, Steps, Violation, Wait, draw_faults
from tests.simulation.histories import LIVE, ClientLog, EffectLog, Fold, check
from tests.simulation.options import NOTHING_BUT_OWN, OptionsLog
from tests.simulation.supervisor import Supervisor
from tests.simulation.whys import why_tells_what_is_leased_next
from tests.simulation.world import POOLS, Tables, World

_FAULTY_MS = 20_000
_DRAINED_WITHIN_MS = 600_000
_SLOTS = ("default-1", "default-2", "mail-1")
_TICKS_ARE_CORRECT_MS = 12_000
"""A supervisor that was stopped or died is back by then."""
_TRACE_SHOWN = 60
_CHANGES_A_QUESTION = 20
"""After so many steps that changed something, `why` is asked about every waiting job."""


@dataclass(slots=True)
class Ran:
    """What a schedule did: the same seed gives the same."""

    trace: list[tuple[int, str, str, object]] = field(default_factory=list)
    events: list[tuple[object, ...]] = field(default_factory=list)


class Schedule:
    """Wires the actors together and looks at the database after each step."""

    has_functions = False

    def __init__(self, world: World, seed: int, faults: Faults | None = None) -> None:
        world.empty(seed)
        chance = random.Random(f"plan {seed}")
        self.world = world
        self.faults = faults or draw_faults(chance, has_one_clock=world.has_one_clock)
        self.clients = ClientLog()
        self.effects = EffectLog(world.clock)
        self.fold = Fold(world.clock, has_one_writer=world.has_one_writer)
        self.options = OptionsLog()
        self.simulation = Simulation(world, seed, self.faults, self.look)
        self.simulation.on_wall_back = self._wall_back
        self.supervisor = Supervisor(
            self.simulation, self.effects, _SLOTS[: chance.choice((1, 2, 3, 3))]
        )
        self.functions = functions.FunctionLog() if self.has_functions else None
        self.supervisor.functions = self.functions
        self._configure()
        most_at_once, quarantine_after = chance.choice((1, 2, 500)), chance.choice((0, 2, 3))
        for store in world.stores.values():
            store.dependencies.most_at_once = store.keys.keys_at_once = most_at_once
            store.quarantines.most_at_once = most_at_once
            store.quarantines.after = quarantine_after
        self._received: list[int] = []
        self._changes = 0
        self._healed_at_ms = 0
        self._client_actors = [
            self.simulation.spawn(f"client-{n}", "api", steps)
            for n, steps in enumerate(self.client_steps(chance))
        ]
        self.supervisor.start()
        self._has_watcher = chance.random() < 0.25
        if self._has_watcher:
            self._watch()
        if chance.random() < 0.3:
            self.supervisor.concurrency = {"default": 4, "mail": chance.choice((1, 4))}

    def client_steps(self, chance: random.Random) -> list[Steps]:
        """What clients do; the faults last until they are through."""
        return [
            Client(self.simulation, self.clients, chance.randint(6, 14)).steps() for _ in range(2)
        ]

    def _configure(self) -> None:
        most = max(MOST_OF_A_KEY)
        self.world.stores["supervisor"].queues.configure(rules_with(most))
        self.fold.rates["thin"], self.fold.rates_of_keys["paced"] = THIN, PACE
        self.fold.most_of_a_key["keyed"] = self.effects.most_of_a_key["keyed"] = most

    def _wall_back(self) -> None:
        self.fold.wall_peaks.append((self.fold.last_seq, self.world.clock.wall_ms()))

    def _watch(self) -> None:
        self.simulation.spawn("watcher", "watcher", self._watcher(), 0, self._watch)

    def _watcher(self) -> Steps:
        """I11: who asks for what comes after the last event it has seen gets the next one."""
        store = self.world.stores["watcher"]
        while True:
            seq = self._received[-1] if self._received else 0
            try:
                events, last_seq = store.events.after(seq, 7), store.events.last_seq()
            except StorageError:
                yield Wait(100)
                continue
            for event in events:
                check(event.seq == seq + 1, "I11 a subscriber's gap", seq, event.seq)
                seq = event.seq
                self._received.append(seq)
            if seq < last_seq:
                yield Wait(0)
                continue
            yield Wait(self.simulation.timing.poll_ms, self.world.api_bell)
            self.world.api_bell.drain()

    # Looking

    def look(self) -> None:
        """After each step: fold what is new; if there was something, check what is cheap."""
        rows = self.world.look(
            "SELECT seq, at_ms, kind, job_id, body FROM events WHERE seq > ? ORDER BY seq",
            self.fold.last_seq,
        )
        for row in rows:
            self.fold.take(*row)
        self.options.look(self.world, self.fold, self.clients, rows)
        if rows:
            with self.world.tables() as tables:
                for invariant in invariants.CHEAP:
                    invariant(tables, self.fold)
                self._look_at_functions(tables)
            self._changes += 1
            if self._changes % _CHANGES_A_QUESTION == 0:
                why_tells_what_is_leased_next(self.world)
        if self.world.clock.now_ms > self.simulation.rings_lost_until_ms:
            self._nobody_oversleeps()

    def _look_at_functions(self, tables: Tables) -> None:
        if self.functions is not None:
            self.functions.look(tables, self.fold)
            functions.no_child_outlives_a_cancelled_parent(tables)

    def _nobody_oversleeps(self) -> None:
        """While every worker sleeps and no bell rings, no work is due."""
        lives = self.supervisor.living()
        actors = [life.actor for life in lives if life.actor is not None]
        if not actors or not all(
            actor.is_alive and self.simulation.is_asleep(actor) for actor in actors
        ):
            return
        served = {queue for life in lives for queue in POOLS[life.pool]}
        due = self.world.look(
            "SELECT DISTINCT queue FROM jobs WHERE status = 'pending' AND is_due = 1 "
            "AND is_parked <> 2 AND queue NOT IN (SELECT name FROM queues)"
        )
        due += self.world.look(
            "SELECT DISTINCT queue FROM jobs JOIN queues ON name = queue WHERE status = 'pending' "
            "AND is_due = 1 AND is_parked <> 2 AND max_running_per_key > 0 "
            "AND coalesce(paused, 0) = 0 AND sweep_after IS NULL "
            "AND (concurrency_key IS NULL OR max_running_per_key > ("
            "SELECT count(*) FROM jobs AS other WHERE other.status = 'in_progress' "
            "AND other.queue = jobs.queue AND other.concurrency_key = jobs.concurrency_key))"
        )
        missed = [queue for (queue,) in due if queue in served or "*" in served]
        check(not missed, "all workers sleep while work is due", missed)

    # Running

    def run(self) -> Ran:
        """Raises Violation, naming the invariant."""
        clients = self._client_actors
        self.simulation.run(lambda: not any(one.is_alive for one in clients), _FAULTY_MS)
        self._heal()
        self.simulation.run(self._has_drained, _DRAINED_WITHIN_MS)
        self.look()
        with self.world.tables() as tables:
            invariants.no_schedule_is_silent(tables, self.fold)
            invariants.at_the_end(tables, self.fold, self.clients, self.effects)
            if self.functions is not None:
                self.functions.look(tables, self.fold)
                functions.children_are_there_once(tables, self.fold, self.functions)
        retention = Retention(self.world.stores["supervisor"]._database)
        while retention.step(NOTHING_BUT_OWN):
            pass
        self.look()
        self.options.nothing_is_left(self.fold)
        problems = self.world.stores["api"].maintenance.verify()
        check(not problems, "db verify finds what is not so", problems)
        if self._has_watcher:
            last = self._received[-1] if self._received else 0
            check(last == self.fold.last_seq, "I11 a subscriber missed the last events", last)
        events = self.world.look("SELECT seq, at_ms, kind, job_id, body FROM events")
        return Ran(self.simulation.trace, events)

    def _heal(self) -> None:
        """No more faults; the clock is right again, and so no job waits for hours."""
        self.simulation.note("healed")
        self.simulation.faults = Faults()
        self._healed_at_ms = self.world.clock.now_ms
        self.simulation.jump(-self.world.clock.wall_offset_ms)
        sql = "SELECT max(run_at_ms) FROM jobs WHERE status IN ('blocked', 'pending')"
        latest = self.world.look(sql)[0][0]
        self.simulation.jump(max(0, (latest or 0) - self.world.clock.wall_ms()))
        self.simulation.spawn("operator", "api", self._release_types())
        if self.functions is not None:
            self.simulation.spawn("approver", "api", self._send_signals(self.functions))
        try:
            for queue in sorted(self.fold.paused):
                self.world.stores["supervisor"].queues.resume(queue)
        except StorageError as error:
            raise Violation("a healthy database refused a resume") from error

    def _release_types(self) -> Steps:
        """However often: at last each job that kills its worker has spent its retries."""
        quarantines = self.world.stores["api"].quarantines
        while True:
            for one in quarantines.all():
                quarantines.release(one.type)
            yield Wait(1_000)

    def _send_signals(self, log: functions.FunctionLog) -> Steps:
        """Whoever waits without a timeout gets a signal, so each function ends at last."""
        while True:
            for (key,) in self.world.look(functions.WAITED_FOR):
                signal = log.sends(NewSignal(functions.SIGNAL, key, '"at last"'))
                self.world.stores["api"].signals.send(signal)
            yield Wait(1_000)

    def _has_drained(self) -> bool:
        return (
            not any(one.is_alive for one in self._client_actors)
            and not any(job.status in LIVE for job in self.fold.jobs.values())
            and self.world.clock.now_ms >= self._healed_at_ms + _TICKS_ARE_CORRECT_MS
            and (not self._has_watcher or self._received[-1:] == [self.fold.last_seq])
        )


class FunctionSchedule(Schedule):
    """With durable functions, and clients that send them signals."""

    has_functions = True

    def client_steps(self, chance: random.Random) -> list[Steps]:
        """See Schedule."""
        assert self.functions is not None
        simulation, clients = self.simulation, self.clients
        return [
            Client(simulation, clients, chance.randint(2, 5)).steps(),
            FunctionClient(simulation, clients, self.functions, chance.randint(6, 14)).steps(),
        ]


def kind_of(seed: int) -> type[Schedule]:
    """Return the kind of the schedule of a seed: every third has functions."""
    return FunctionSchedule if seed % 3 == 2 else Schedule


class ScheduleFailed(AssertionError):
    """A schedule's seed, what it broke, and the end of its trace."""


def run_schedule(
    world: World, seed: int, faults: Faults | None = None, kind: type[Schedule] = Schedule
) -> Ran:
    """Run the schedule of `seed`. Raises ScheduleFailed, which says how to run it again."""
    schedule = kind(world, seed, faults)
    try:
        return schedule.run()
    except Exception as error:
        shown = schedule.simulation.trace[-_TRACE_SHOWN:]
        lines = [
            f"{at_ms:>7} {who:<12} {what} {detail!r:.160}" for at_ms, who, what, detail in shown
        ]
        raise ScheduleFailed(
            "\n".join([*lines, f"seed {seed}: {type(error).__name__}: {error}"])
        ) from error


def nothing_expires_because_all_stand_still(world: World, schedules: int) -> None:
    """Run schedules in which now and then everything stands still for longer than a lease."""
    for seed in range(schedules):
        run_schedule(world, seed, Faults(preempt=0.03, freeze=0.05))
        rows = world.look("SELECT job_id FROM attempts WHERE error_type = 'LeaseExpired'")
        assert not rows, f"leases expired in seed {seed}"
