"""Random walks through the policy: whatever a process does, and whenever, these rules hold.

A fake process may become ready or not, beat or not, obey signals or ignore them, be stopped, hang,
ask to be replaced, or end in any way. An operator wants the slot up or down at any time, and the
clock jumps. Hypothesis shrinks a walk that fails to its shortest form.
"""

import os
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
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
from orpheus.supervisor.policy.state_machine import decide, next_wake_s, rebase, with_desired

WALKS = int(os.environ.get("WALKS", "40"))
RULES = Rules()
WINDOW_S = RULES.crash_loop_window_s
# A stable process counts for little, but takes 5 s; the others are bounded by the crash
# loop; recycles by their own; starts that an operator asks for are not counted.
MOST_STARTS_IN_WINDOW = WINDOW_S / RULES.stable_s + 2 * RULES.crash_loop_failures

exits = st.one_of(
    st.builds(Exit, code=st.sampled_from([0, 0, 1, 4, 78])),
    st.builds(Exit, signal=st.sampled_from([6, 9, 11, 15])),
    st.just(Exit(error="no memory")),
)


@dataclass
class FakeProcess:
    """A process as it really is."""

    incarnation: str
    seen: Observation
    signals: list[ProcessCommand] = field(default_factory=list)


class Walk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.slot = Slot("default-1", "default", Role.WORKER)
        self.process: FakeProcess | None = None
        self.spawned: list[str] = []
        self.ended: Counter[str] = Counter()
        self.starts_s: list[float] = []
        self.turn(0.5)

    def turn(self, uniform: float) -> None:
        ended = self.process is not None and self.process.seen.exit is not None
        seen = self.process.seen if self.process else Observation()
        turn = Turn(self.now_s, uniform, f"process-{len(self.spawned)}", wall_ms=0)
        self.slot, actions = decide(self.slot, seen, RULES, turn)
        for action in actions:
            self.perform(action, ended)
        if ended:
            assert self.process is None, "the end of a process is known in the same turn"

    def perform(self, action: Action, ended: bool) -> None:
        match action:
            case SendCommand(ProcessCommand.SPAWN, incarnation):
                assert self.process is None, "two processes in one slot"
                assert self.slot.desired is Desired.UP
                assert incarnation not in self.spawned
                self.spawned.append(incarnation)
                self.starts_s.append(self.now_s)
                self.process = FakeProcess(incarnation, Observation(incarnation))
            case SendCommand(command, incarnation):
                assert self.process is not None
                assert incarnation == self.process.incarnation, "sends a command to another process"
                self.process.signals.append(command)
            case ProcessEnded(_, incarnation, cause=cause) if cause is not None:
                assert ended, "ended while it runs"
                assert self.process is not None
                assert incarnation == self.process.incarnation
                self.ended[incarnation] += 1
                self.process = None

    def change(self, **changes: object) -> None:
        assert self.process is not None
        self.process.seen = replace(self.process.seen, **changes)

    def is_running(self) -> bool:
        return self.process is not None and self.process.seen.exit is None

    @rule(uniform=st.floats(0, 1, exclude_max=True), seconds=st.sampled_from([0.01, 1, 5, 30, 400]))
    def time_passes(self, uniform: float, seconds: float) -> None:
        self.now_s += seconds
        self.turn(uniform)

    @rule(uniform=st.floats(0, 1, exclude_max=True))
    def the_next_deadline_comes(self, uniform: float) -> None:
        wake_s = next_wake_s(self.slot, RULES, self.now_s)
        assert wake_s >= self.now_s
        self.now_s = wake_s
        self.turn(uniform)

    @precondition(is_running)
    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0]), loops=st.booleans(), works=st.booleans())
    def beats(self, seconds: float, loops: bool, works: bool) -> None:
        assert self.process is not None
        seen = self.process.seen
        self.now_s += seconds
        loop = (seen.loop or 0) + loops
        job = ObservedJob(1, "sleep", overdue=False) if works else None
        self.change(beat=(seen.beat or 0) + 1, loop=loop, job=job)
        self.turn(0.5)

    @precondition(is_running)
    @rule()
    def becomes_ready(self) -> None:
        self.change(ready=True)
        self.turn(0.5)

    @precondition(is_running)
    @rule()
    def asks_to_be_replaced(self) -> None:
        self.change(recycle="wants to")
        self.turn(0.5)

    @precondition(is_running)
    @rule()
    def is_in_a_job_past_its_deadline(self) -> None:
        self.change(job=ObservedJob(1, "sleep", overdue=True))
        self.turn(0.5)

    @precondition(is_running)
    @rule(status=st.sampled_from(OsStatus))
    def changes_its_run_state(self, status: OsStatus) -> None:
        self.change(os_status=status)
        self.turn(0.5)

    @precondition(is_running)
    @rule(how=exits)
    def dies(self, how: Exit) -> None:
        self.change(exit=how)
        self.turn(0.5)

    @rule()
    def an_old_observation_arrives(self) -> None:
        before = self.slot
        if self.spawned and (self.process is None or self.process.incarnation != self.spawned[0]):
            old = Observation(self.spawned[0], exit=Exit(signal=9), ready=True)
            turn = Turn(self.now_s, 0.5, "never", wall_ms=0)
            after, _ = decide(self.slot, old, RULES, turn)
            assert after.last_exit == before.last_exit

    @rule(up=st.booleans(), allowed_s=st.sampled_from([0.0, 3.0, 40.0]))
    def the_operator_decides(self, up: bool, allowed_s: float) -> None:
        self.slot = (
            with_desired(self.slot, Desired.UP)
            if up
            else with_desired(self.slot, Desired.DOWN, self.now_s + allowed_s)
        )
        self.starts_s.clear()
        self.turn(0.5)

    @rule(seconds=st.sampled_from([3.0, 60.0, 4_000.0]))
    def the_supervisor_is_stopped_for_a_while(self, seconds: float) -> None:
        seen = self.process.seen if self.process else Observation()
        turn = Turn(self.now_s, 0.5, "never", wall_ms=0)
        without_stop, _ = decide(self.slot, seen, RULES, turn)
        self.slot = rebase(self.slot, seconds)
        later = replace(turn, now_s=self.now_s + seconds)
        with_stop, _ = decide(self.slot, seen, RULES, later)
        assert with_stop.state is without_stop.state, "its own stall changed what it decides"
        self.now_s += seconds
        self.turn(0.5)

    @invariant()
    def every_process_ends_once(self) -> None:
        alive = {self.process.incarnation} if self.process else set()
        assert all(self.ended[one] == (one not in alive) for one in self.spawned)

    @invariant()
    def the_slot_knows_exactly_the_process_that_runs(self) -> None:
        known = self.slot.process.incarnation if self.slot.process else None
        assert known == (self.process.incarnation if self.process else None)

    @invariant()
    def a_timer_belongs_to_the_present_process(self) -> None:
        if self.slot.timer is not None:
            process = self.slot.process
            assert self.slot.timer.incarnation == (process.incarnation if process else None)

    @invariant()
    def states_without_a_process_have_none(self) -> None:
        idle = self.slot.state in (SlotState.DOWN, SlotState.BACKOFF, SlotState.FATAL)
        assert idle == (self.process is None)

    @invariant()
    def restarts_do_not_storm(self) -> None:
        recent = [at_s for at_s in self.starts_s if at_s > self.now_s - WINDOW_S]
        assert len(recent) <= MOST_STARTS_IN_WINDOW

    @invariant()
    def only_a_process_in_killing_or_stuck_was_sent_sigkill(self) -> None:
        if self.process and ProcessCommand.KILL in self.process.signals:
            assert self.slot.state in (SlotState.KILLING, SlotState.STUCK)

    def teardown(self) -> None:
        """Told to go down, a slot does: whatever its process ignores, up to the shutdown's end."""
        self.slot = with_desired(self.slot, Desired.DOWN, self.now_s + 40)
        end_s = self.now_s + 60
        while self.now_s < end_s:
            self.turn(0.5)
            if self.process is None:
                return
            if ProcessCommand.KILL in self.process.signals:
                self.change(exit=Exit(signal=9))
                continue
            self.now_s = max(next_wake_s(self.slot, RULES, self.now_s), self.now_s)
        raise AssertionError("it never went down")


Walk.TestCase.settings = settings(
    max_examples=min(WALKS, 300), stateful_step_count=60, deadline=None, print_blob=True
)
TestWalk = Walk.TestCase
