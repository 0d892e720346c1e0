"""One slot and its process, driven by hand: what the tests of the policy share."""

from typing import Any

from msgspec.structs import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.supervisor.policy.slot import (
    Action,
    Announce,
    Exit,
    Observation,
    ProcessCommand,
    ProcessEnded,
    Rules,
    SendCommand,
    Slot,
    Turn,
)
from orpheus.supervisor.policy.state_machine import (
    decide,
)

RULES = Rules()


class Driver:
    """One slot and its world, turned by hand."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.now_s = 1_000.0
        self.slot = Slot("default-1", "default", Role.WORKER)
        self.seen = Observation()
        self.spawned = 0
        self.actions: tuple[Action, ...] = ()

    def turn(self, after_s: float = 0.0, uniform: float = 1.0) -> tuple[Action, ...]:
        self.now_s += after_s
        turn = Turn(self.now_s, uniform, f"process-{self.spawned + 1}", wall_ms=5)
        self.slot, self.actions = decide(self.slot, self.seen, self.rules, turn)
        if self.commands() == [ProcessCommand.SPAWN]:
            self.spawned += 1
            self.seen = Observation(f"process-{self.spawned}")
        if self.slot.process is None:
            self.seen = Observation()
        return self.actions

    def see(self, after_s: float = 0.0, **changes: object) -> tuple[Action, ...]:
        self.seen = replace(self.seen, **changes)
        return self.turn(after_s)

    def beat(self, after_s: float = 0.0, **changes: object) -> tuple[Action, ...]:
        beat = (self.seen.beat or 0) + 1
        return self.see(after_s, **{"beat": beat, "loop": beat, "row_beat": beat, **changes})

    def make_ready(self) -> "Driver":
        self.turn()
        self.beat(1.0, ready=True)
        assert self.state() is SlotState.READY
        return self

    def live_for(self, seconds: float) -> "Driver":
        for _ in range(int(seconds / 2)):
            self.beat(2.0)
        return self

    def exit(self, after_s: float = 0.0, **how: Any) -> tuple[Action, ...]:
        return self.see(after_s, exit=Exit(**how))

    def commands(self) -> list[ProcessCommand]:
        return [action.command for action in self.actions if isinstance(action, SendCommand)]

    def reported(self) -> list[Kind]:
        return [action.kind for action in self.actions if isinstance(action, Announce)]

    def state(self) -> SlotState:
        return self.slot.state

    def reason(self) -> str:
        assert self.slot.last_exit is not None
        return self.slot.last_exit.reason

    def ended(self) -> ProcessEnded:
        [ended] = [action for action in self.actions if isinstance(action, ProcessEnded)]
        return ended
