"""The engine: which actor takes the next step, when time moves, and where faults strike.

An actor is a generator that stands for a thread of one process; it yields when it would wait, and
every statement it makes is a point where the engine may let another actor take its step first,
crash it, or answer that the database is busy or full. All chance comes from one seed, so the seed
gives the same trace again.
"""

import random
import select
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, fields

from orpheus.shared.process.doorbells import Bell
from orpheus.shared.process.stall import StallWatch
from tests.simulation.world import Point, Tap, World

HOUR_MS = 3_600_000
_DEEPEST = 3  # actors that stand inside each other's statements
_MOST_STEPS = 30_000
_STALL_S = 0.5
_AT_COMMIT = 4  # where another is let first so much more often: all is done, nothing is seen


class Crashed(BaseException):
    """The process of the actor that runs now has died here."""


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What an actor yields: for how long, or until its bell rings."""

    ms: int
    bell: Bell | None = None


Steps = Generator[Wait, None, None]


@dataclass(eq=False, slots=True)
class Actor:
    """One thread of one process. `on_death` is called when it crashes."""

    name: str
    process: str
    steps: Steps
    wakes_at_ms: int
    on_death: Callable[[], None]
    bell: Bell | None = None
    is_alive: bool = True
    is_doomed: bool = False
    """Killed while it stood inside a statement; it dies as soon as it runs again."""
    stall: StallWatch = field(default_factory=lambda: StallWatch(_STALL_S))
    """Told when it would run next; it may stand still until long after that."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How likely each is: at a statement, at a step, or (reboot, wall jump, freeze) at a turn."""

    preempt: float = 0.0
    crash: float = 0.0
    busy: float = 0.0
    slow: float = 0.0
    full: float = 0.0
    stop: float = 0.0
    lost_reply: float = 0.0
    wall_jump: float = 0.0
    reboot: float = 0.0
    freeze: float = 0.0


_USUAL = Faults(
    preempt=0.03,
    crash=0.003,
    busy=0.02,
    slow=0.01,
    full=0.003,
    stop=0.06,
    lost_reply=0.15,
    wall_jump=0.01,
    reboot=0.004,
    freeze=0.005,
)


def draw_faults(chance: random.Random, *, has_one_clock: bool = False) -> Faults:
    """Each kind is in about half of the schedules: with all in all, some bugs are never reached
    (Groce et al., "Swarm testing", 2012)."""
    drawn = {
        one.name: getattr(_USUAL, one.name) * chance.choice((0, 0, 1, 2)) for one in fields(Faults)
    }
    if has_one_clock:  # there is no promise for who sets it, and a reboot is one of many deaths
        drawn |= {"wall_jump": 0.0, "reboot": 0.0}
    return Faults(**drawn)


@dataclass(slots=True)
class Timing:
    """Durations that actors share, ms."""

    ttl_ms: int = 2_000
    renew_every_ms: int = 700
    poll_ms: int = 5_000
    """How long an idle worker sleeps at most."""


class Simulation:
    """One schedule."""

    def __init__(self, world: World, seed: int, faults: Faults, after_step: Callable[[], None]):
        self.world = world
        self.clock = world.clock
        self.chance = random.Random(seed)
        self.faults = faults
        self.timing = Timing()
        self.trace: list[tuple[int, str, str, object]] = []
        self.actors: list[Actor] = []
        self.rings_lost_until_ms = 0
        """A process that dies may take a ring with it, and a jump of the wall clock makes a sleep
        too long; then the safety poll finds the work."""
        self.on_reboot: Callable[[], None] = lambda: None
        self.on_wall_back: Callable[[], None] = lambda: None
        self._after_step = after_step
        self._stack: list[Actor] = []
        self._another_went_first = False
        self._interruptions = 0
        self._polls: dict[int, select.poll] = {}
        for tap in world.taps.values():
            tap.strike = self._strike

    def note(self, what: str, detail: object = None) -> None:
        """Write the trace."""
        name = self._stack[-1].name if self._stack else "engine"
        self.trace.append((self.clock.now_ms, name, what, detail))

    def undisturbed(self) -> Callable[[], bool]:
        """Return what tells whether nobody else could write since this call.

        Where there are many writers, whoever stands inside of a transaction has locks, too.
        """
        before, is_alone = self._interruptions, len(self._stack) <= 1
        if self.world.has_one_writer:
            return lambda: True
        return lambda: is_alone and self._interruptions == before

    # Actors

    def spawn(
        self,
        name: str,
        process: str,
        steps: Steps,
        after_ms: int = 0,
        on_death: Callable[[], None] = lambda: None,
    ) -> Actor:
        """A new actor; its first step comes after `after_ms`."""
        actor = Actor(name, process, steps, self.clock.now_ms + after_ms, on_death)
        self.actors.append(actor)
        return actor

    def kill(self, actor: Actor) -> None:
        """SIGKILL, also to one that stands inside a transaction."""
        if actor in self._stack:
            actor.is_doomed = True
        elif actor.is_alive:
            self._bury(actor)

    def wake(self, actor: Actor, after_ms: int) -> None:
        """Let it run not later than that."""
        actor.wakes_at_ms = min(actor.wakes_at_ms, self.clock.now_ms + after_ms)

    def _bury(self, actor: Actor) -> None:
        actor.is_alive = False
        self.actors.remove(actor)
        self._lose_rings()
        self.note("dies", actor.name)
        actor.steps.close()
        actor.on_death()

    def _lose_rings(self) -> None:
        self.rings_lost_until_ms = self.clock.now_ms + self.timing.poll_ms

    def is_calm(self, actor: Actor | None) -> bool:
        """Whether it has not stood still lately, by what it can know itself."""
        return actor is None or actor.stall.is_calm(self.clock.now_ms / 1000)

    def stands_inside(self, actor: Actor | None) -> bool:
        """Whether it let another go first: it may have committed what it has not noted yet."""
        return actor in self._stack

    def is_asleep(self, actor: Actor) -> bool:
        """Whether it waits for a bell that does not ring."""
        return (
            actor.bell is not None
            and actor.wakes_at_ms > self.clock.now_ms
            and not self._rings(actor.bell)
        )

    def _rings(self, bell: Bell) -> bool:
        poll = self._polls.get(bell.fileno())
        if poll is None:
            poll = self._polls[bell.fileno()] = select.poll()
            poll.register(bell.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    # Turns

    def run(self, is_over: Callable[[], bool], bound_ms: int) -> bool:
        """Take turns until it is over; False if it is not within `bound_ms`."""
        until_ms = self.clock.now_ms + bound_ms
        for _ in range(_MOST_STEPS):
            if is_over():
                return True
            if self.clock.now_ms >= until_ms:
                return False
            self._turn()
        return False

    def _turn(self) -> None:
        now_ms = self.clock.now_ms
        ready = [
            one
            for one in self.actors
            if one.wakes_at_ms <= now_ms or (one.bell is not None and self._rings(one.bell))
        ]
        if not ready:
            self.clock.now_ms = min(one.wakes_at_ms for one in self.actors)
            self._move_the_world()
            return
        self._another_went_first = False
        self._step(self.chance.choice(ready))
        self._after_step()

    def _move_the_world(self) -> None:
        if self.chance.random() < self.faults.wall_jump:
            furthest_ms = self.chance.choice((3, 3, 3, 40)) * HOUR_MS
            self.jump(self.chance.randrange(-furthest_ms, furthest_ms))
        if self.chance.random() < self.faults.reboot:
            self.note("reboot")
            for actor in list(self.actors):
                if actor.process != "api":
                    self._bury(actor)
            self.clock.reboot()
            self.on_reboot()
        if self.chance.random() < self.faults.freeze:
            ms = self.chance.randrange(self.timing.ttl_ms, 3 * self.timing.ttl_ms)
            self.note("all stand still", ms)
            self.clock.now_ms += ms
            self._lose_rings()

    def jump(self, ms: int) -> None:
        """The wall clock is set to another time."""
        self.note("wall clock jumps", ms)
        if ms < 0:
            self.on_wall_back()
        self.clock.wall_offset_ms += ms
        self._lose_rings()

    def _step(self, actor: Actor) -> None:
        self._stack.append(actor)
        actor.bell, wait = None, None
        now_s = self.clock.now_ms / 1000
        actor.stall.look(now_s, self.timing.renew_every_ms / 1000)
        actor.stall.expect(now_s)
        try:
            wait = next(actor.steps, None)
        except Crashed:
            actor.is_doomed = True
        finally:
            self._stack.pop()
        if actor.is_doomed:
            self._bury(actor)
            return
        if wait is None:
            actor.is_alive = False
            self.actors.remove(actor)
            return
        actor.stall.expect((self.clock.now_ms + wait.ms) / 1000)
        if actor.process != "api" and self.chance.random() < self.faults.stop:
            stopped_ms = self.chance.randrange(4 * self.timing.ttl_ms)
            self.note("stopped", (actor.name, stopped_ms))
            actor.wakes_at_ms = self.clock.now_ms + wait.ms + stopped_ms
        else:
            actor.wakes_at_ms, actor.bell = self.clock.now_ms + wait.ms, wait.bell

    # Strikes

    def _strike(self, tap: Tap, point: Point) -> None:
        if not self._stack:
            return
        actor, faults = self._stack[-1], self.faults
        preempt = faults.preempt * (_AT_COMMIT if point is Point.COMMIT else 1)
        drawn = self.chance.random()
        if drawn < preempt:
            self._let_another_go_first()
        elif drawn < preempt + faults.crash:
            self.note("crash", point.name)
            self._lose_rings()
            raise Crashed
        if actor.is_doomed:
            raise Crashed
        # Else time would pass in mid-statement, or before what another has done was seen.
        is_alone = len(self._stack) == 1 and not self._another_went_first
        if point is Point.BEGIN and is_alone and self.chance.random() < faults.slow:
            waited_ms = self.chance.randrange(self.timing.ttl_ms)
            self.note("waits for the lock", waited_ms)
            self.clock.now_ms += waited_ms
        if point is Point.BEGIN and self.chance.random() < faults.busy:
            self.note("busy")
            raise tap.busy()
        if (
            point in (Point.STATEMENT, Point.COMMIT)
            and tap.in_transaction
            and self.chance.random() < faults.full
        ):
            self.note("full")
            raise tap.full()

    def _let_another_go_first(self) -> None:
        standing = {one.process for one in self._stack}
        others = [one for one in self.actors if one.process not in standing]
        if others and len(self._stack) < _DEEPEST:
            other = self.chance.choice(others)
            self.note("goes first", other.name)
            self._another_went_first = True
            self._interruptions += 1
            self._step(other)
            self._interruptions += 1
