"""Random walks through a whole fleet: whatever its processes do, these rules hold.

There are three workers, the API and four slots of programs: `q` comes after `p`, and `r` is started
once. Each process may become ready or not, beat or not, obey or not,
hang, grow, hold the lock, or end in any way. Operators restart, drain, scale and reload, and the
clock jumps. At the end of each walk every process behaves, and the fleet must reach the state that
is wanted; then it is told to stop, and nothing may be left.

40 walks are drawn from seeds (a failure names its seed); `WALKS=10000` draws that many. Of the
faults that were planted in supervisor/policy/ for a trial, each that was found at all was found by
one of the first 25. Hypothesis draws further walks, and shrinks those that fail.
"""

import os
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.programs import RestartPolicy
from orpheus.supervisor.policy import fleet, order
from orpheus.supervisor.policy.fleet import WantedSlot
from orpheus.supervisor.policy.slot import (
    Action,
    Desired,
    Exit,
    Observation,
    ObservedJob,
    OsStatus,
    ProcessCommand,
    ProcessEnded,
    Rules,
    SendCommand,
    Slot,
    Turn,
)
from orpheus.supervisor.policy.state_machine import decide, next_wake_s, rebase
from tests.unit.supervisor.policy.fake_process import FakeProcess, behave, obey

WALKS = int(os.environ.get("WALKS", "40"))
PARTS = 4
STEPS = 20
RULES = Rules(max_age_s=3_600.0, max_memory_bytes=100)
IN_DEVELOPMENT = replace(RULES, replacements_first=True)
PROGRAM_RULES = {
    "p": Rules(ready_after_s=2.0, max_memory_bytes=100),
    "q": Rules(restart=RestartPolicy.ON_FAILURE),
    "r": Rules(ready_after_s=1.0, restart=RestartPolicy.NEVER),
}
AFTER = {"q": ("p",)}
INSTANCES = {"p": 1, "q": 2, "r": 1}
WINDOW_S = RULES.crash_loop_window_s
MOST_STARTS_IN_WINDOW = WINDOW_S / RULES.stable_s + 2 * RULES.crash_loop_failures

EXITS = [
    *(Exit(code=code) for code in (0, 0, 1, 4, 78)),
    *(Exit(signal=number) for number in (6, 9, 11, 15)),
    Exit(signal=9, out_of_memory=True),
    Exit(error="no memory"),
]


def rules_of(slot: Slot) -> Rules:
    return PROGRAM_RULES.get(slot.pool or "", RULES)


class World:
    """A fleet and its processes; each method is one step of a walk."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now_s = 0.0
        self.version = 1
        self.workers = 2
        self.has_api = True
        self.rules = rng.choice([RULES, IN_DEVELOPMENT])
        """Those of the fleet as a whole."""
        self.has_replacements = self.rules is IN_DEVELOPMENT
        self.slots: dict[str, Slot] = {}
        self.processes: dict[str, FakeProcess] = {}
        self.spawned = 0
        self.ended: Counter[str] = Counter()
        self.starts: list[tuple[float, str]] = []
        self.before: dict[str, Slot] = {}
        self.forced: set[str] = set()
        """The slots that an operator has started whether it was their turn or not."""
        self.reconcile()
        self.turn()

    # What a turn of the supervisor is

    def turn(self) -> None:
        self.before = dict(self.slots)
        for key in list(self.slots):
            slot = self.slots[key]
            known = slot.process
            process = self.processes.get(known.incarnation) if known else None
            seen = process.seen if process else Observation()
            turn = Turn(self.now_s, self.rng.random(), f"process-{self.spawned}", wall_ms=0)
            after, actions = decide(slot, seen, rules_of(slot), turn)
            self.slots[key] = after
            for action in actions:
                self.perform(after, action)
            if seen.exit is not None:
                assert known is not None
                assert known.incarnation not in self.processes, "its end is known in the same turn"
        self.slots = fleet.advance(self.slots, self.rules, self.now_s)
        self.check()

    def perform(self, slot: Slot, action: Action) -> None:
        match action:
            case SendCommand(ProcessCommand.SPAWN, incarnation):
                assert slot.desired is Desired.UP, "started although it is not wanted"
                assert not slot.retired
                assert incarnation not in self.processes
                self.check_order(slot)
                self.spawned += 1
                self.starts.append((self.now_s, slot.name))
                self.processes[incarnation] = FakeProcess(slot.name, Observation(incarnation))
            case SendCommand(command, incarnation):
                assert incarnation in self.processes, "sends a command to a process that is gone"
                is_ours = command in (
                    ProcessCommand.DRAIN,
                    ProcessCommand.ABORT,
                    ProcessCommand.CONTINUE,
                )
                assert not (is_ours and slot.role is Role.PROGRAM), "a program does not know these"
                self.processes[incarnation].signals.append(command)
            case ProcessEnded(_, incarnation, cause=None):
                self.processes[incarnation].is_stuck = True
            case ProcessEnded(_, incarnation):
                process = self.processes.pop(incarnation)
                assert process.seen.exit is not None, "ended while it runs"
                self.ended[incarnation] += 1

    def check_order(self, slot: Slot) -> None:
        """A program starts when those before it are ready, unless an operator says otherwise."""
        # As the fleet was seen last: one of them may stop in the same turn.
        before = self.before.items()
        earlier = [one for key, one in before if one.pool in slot.after and key == one.name]
        forced = slot.name in self.forced
        self.forced.discard(slot.name)
        assert forced or all(one.state is SlotState.READY for one in earlier), "started too early"

    def check(self) -> None:
        known = [slot.process.incarnation for slot in self.slots.values() if slot.process]
        assert sorted(known) == sorted(self.processes), (
            "the fleet knows exactly the processes there are"
        )
        assert set(self.ended.values()) <= {1}, "every process ends once"
        names = (process.name for process in self.processes.values() if not process.is_stuck)
        alone = (name for name in names if name != "api" and not self.has_replacements)
        assert all(n == 1 for n in Counter(alone).values()), "two processes in one slot"
        for slot in self.slots.values():
            incarnation = slot.process.incarnation if slot.process else None
            assert slot.timer is None or slot.timer.incarnation == incarnation
            idle = slot.state in (SlotState.DOWN, SlotState.BACKOFF, SlotState.FATAL)
            assert idle == (slot.process is None)
            assert next_wake_s(slot, rules_of(slot), self.now_s) >= self.now_s
        recent = Counter(name for at_s, name in self.starts if at_s > self.now_s - WINDOW_S)
        assert all(n <= MOST_STARTS_IN_WINDOW for n in recent.values()), "a restart storm"

    def reconcile(self) -> None:
        runs = f"v{self.version}"
        names = [f"a-{number}" for number in range(1, self.workers + 1)]
        wanted = [WantedSlot("api", None, Role.API, runs)] if self.has_api else []
        wanted += [WantedSlot(name, "a", Role.WORKER, runs) for name in names]
        for name, instances in INSTANCES.items():
            numbers = range(1, instances + 1)
            slots = [f"{name}-{number}" for number in numbers]
            after = AFTER.get(name, ())
            wanted += [WantedSlot(slot, name, Role.PROGRAM, runs, after) for slot in slots]
        self.slots = fleet.reconcile(self.slots, wanted, self.now_s)

    # Steps: time

    def time_passes(self) -> None:
        self.now_s += self.rng.choice([0.01, 1, 5, 30, 400])
        self.turn()

    def the_next_deadline_comes(self) -> None:
        wakes_s = [next_wake_s(slot, rules_of(slot), self.now_s) for slot in self.slots.values()]
        self.now_s = min(wakes_s, default=self.now_s + 1)
        self.turn()

    def the_supervisor_stands_still(self) -> None:
        gap_s = self.rng.choice([3.0, 60.0, 4_000.0])
        before = {key: slot.state for key, slot in self.slots.items()}
        self.slots = {key: rebase(slot, gap_s) for key, slot in self.slots.items()}
        self.now_s += gap_s
        assert {key: slot.state for key, slot in self.slots.items()} == before
        self.starts = [(at_s + gap_s, name) for at_s, name in self.starts]

    # Steps: processes

    def a_process(self) -> FakeProcess | None:
        alive = [p for p in self.processes.values() if p.seen.exit is None]
        return self.rng.choice(alive) if alive else None

    def change(self, **changes: object) -> None:
        process = self.a_process()
        if process is not None:
            process.seen = replace(process.seen, **changes)
        self.turn()

    def one_becomes_ready(self) -> None:
        self.change(ready=True)

    def all_do_well(self) -> None:
        self.now_s += 1
        for process in self.processes.values():
            if process.seen.exit is None:
                behave(process)
        self.turn()

    def one_is_found_dead(self) -> None:
        self.change(unhealthy="3 checks in a row have failed")

    def one_beats(self) -> None:
        process = self.a_process()
        if process is not None:
            works = self.rng.random() < 0.5
            job = ObservedJob(1, "sleep", overdue=self.rng.random() < 0.1) if works else None
            loop = (process.seen.loop or 0) + self.rng.randint(0, 1)
            beat = (process.seen.beat or 0) + 1
            process.seen = replace(process.seen, beat=beat, loop=loop, job=job)
        self.turn()

    def one_asks_to_be_replaced(self) -> None:
        self.change(recycle="wants to")

    def one_grows(self) -> None:
        self.change(rss_bytes=self.rng.choice([120, 200]))

    def one_takes_the_lock(self) -> None:
        self.change(lock_held_s=self.rng.choice([1.0, 6.0]))

    def one_changes_its_run_state(self) -> None:
        self.change(os_status=self.rng.choice(list(OsStatus)))

    def one_dies(self) -> None:
        self.change(exit=self.rng.choice(EXITS))

    def one_obeys(self) -> None:
        process = self.a_process()
        if process is not None:
            obey(process)
        self.turn()

    # Steps: operators

    def by_operator(self) -> None:
        self.starts.clear()  # what they ask for is no storm
        self.turn()

    def shown(self) -> list[str]:
        """The slots that an operator sees and may do something to."""
        return [key for key, slot in self.slots.items() if key == slot.name and not slot.retired]

    def one_is_restarted(self) -> None:
        if self.shown():
            name = self.rng.choice(self.shown())
            self.forced.add(name)
            self.slots = fleet.restart(self.slots, name)
        self.by_operator()

    def one_is_drained(self) -> None:
        workers = [name for name in self.shown() if self.slots[name].role is not Role.API]
        if workers:
            name = self.rng.choice(workers)
            self.slots[name] = fleet.drain(self.slots[name])
        self.by_operator()

    def the_api_is_switched(self) -> None:
        self.has_api = not self.has_api
        self.reconcile()
        self.by_operator()

    def the_pool_is_scaled(self) -> None:
        self.workers = self.rng.randint(0, 4)
        self.reconcile()
        self.by_operator()

    def the_configuration_changes(self) -> None:
        self.version += 1
        self.rules = self.rng.choice([RULES, self.rules])
        self.forced.update(self.shown())
        self.slots = fleet.retry_failed(self.slots)
        self.reconcile()
        self.by_operator()

    def everything_is_rolled(self) -> None:
        self.slots = fleet.rolling_restart(self.slots)
        self.by_operator()

    # The end of a walk

    def comes_to_rest(self) -> None:
        """From now on everyone behaves: what is wanted is up, ready and up to date."""
        self.starts.clear()
        drained = [name for name in self.shown() if self.slots[name].desired is Desired.DRAINED]
        if self.rng.random() < 0.5:  # else by itself
            self.forced.update(self.shown())
            for name in drained:
                self.slots = fleet.restart(self.slots, name)
            drained = []
            self.slots = fleet.retry_failed(self.slots)
        self.reconcile()
        for _ in range(1_200):
            self.now_s += 1 if self.processes else 10
            for process in self.processes.values():
                if process.seen.exit is None:
                    behave(process)
                    obey(process)
            self.turn()
            if all(is_at_rest(slot, drained) for slot in self.slots.values()):
                break
        else:
            raise AssertionError(f"never at rest: {self.slots}")
        assert len(self.slots) == self.workers + self.has_api + sum(INSTANCES.values())

    def stops(self) -> None:
        """Programs stop one after the other as long as there is time; then all are killed."""
        kill_at_s = self.now_s + 100.0
        obeys = self.rng.random() < 0.7
        for process in self.processes.values():
            process.told = len(process.signals)
        for _ in range(30):
            self.slots = order.stop(self.slots, kill_at_s, in_order=True)
            later = {name for one in self.slots.values() if one.process for name in one.after}
            for process in self.processes.values():
                is_early = process.name.partition("-")[0] in later and self.now_s < kill_at_s
                assert not (
                    is_early and ProcessCommand.TERMINATE in process.signals[process.told :]
                )
                if obeys or ProcessCommand.KILL in process.signals:
                    obey(process)
            self.turn()
            self.now_s += 10.0
        assert not self.processes


def is_at_rest(slot: Slot, drained: list[str]) -> bool:
    if slot.name in drained:
        return slot.state is SlotState.DOWN and slot.desired is Desired.DRAINED
    if slot.desired is Desired.ENDED:
        return slot.state is SlotState.DOWN and slot.pool in ("q", "r")
    if slot.pool == "q" and "p-1" in drained:  # one that has stopped waits, and so does the rest
        return slot.state is SlotState.READY or slot.held_back == "waits for p-1"
    return (
        slot.state is SlotState.READY
        and slot.desired is Desired.UP
        and not slot.retired
        and not fleet.is_outdated(slot)
        and not slot.degraded
    )


STEP_NAMES = (
    *("time_passes", "the_next_deadline_comes", "all_do_well", "one_beats", "one_obeys") * 2,
    *("one_becomes_ready", "one_dies") * 2,
    "the_supervisor_stands_still", "one_asks_to_be_replaced", "one_grows", "one_takes_the_lock",
    "one_is_found_dead", "one_changes_its_run_state", "one_is_restarted", "one_is_drained",
    "the_pool_is_scaled", "the_configuration_changes", "everything_is_rolled",
    "the_api_is_switched",
)  # fmt: skip


def walk(rng: random.Random, steps: list[str]) -> None:
    world = World(rng)
    for name in steps:
        step: Callable[[], None] = getattr(world, name)
        step()
    world.comes_to_rest()
    world.stops()


@pytest.mark.parametrize("part", range(PARTS))
def test_no_random_walk_breaks_a_rule(part: int) -> None:
    for seed in range(part, WALKS, PARTS):
        rng = random.Random(seed)
        steps = rng.choices(STEP_NAMES, k=STEPS)
        try:
            walk(rng, steps)
        except AssertionError as error:
            raise AssertionError(f"the walk of seed {seed}, {steps}: {error}") from error


@settings(max_examples=min(WALKS, 200), deadline=None, print_blob=True)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(STEP_NAMES), max_size=60))
def test_no_walk_that_hypothesis_draws_breaks_a_rule(seed: int, steps: list[str]) -> None:
    walk(random.Random(seed), steps)
