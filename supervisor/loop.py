"""The main loop: answer signals, then for each slot observe, decide, act; then sleep.

It sleeps in one poll over the pidfds, the channels and the signals, until one of them stirs or the
next deadline of a slot comes. It waits for nothing else, so that no child, no database and no disk
can make it late. When it was late itself (stopped, starved, suspended), it moves every deadline by
as much before it judges anyone.
"""

import random
import secrets
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from shared.clock import Clock
from shared.events import Kind
from shared.logs import get_logger
from shared.processes import ProcessRecord, SlotState
from supervisor.act import World, perform
from supervisor.exits import EXIT_CUT_SHORT, was_cut_short
from supervisor.kernel import reap_adopted
from supervisor.observe import observe
from supervisor.policy import decide, next_wake_s, rebase, stop_within_s, want
from supervisor.report import own_record, slot_record
from supervisor.sampling import Sampler
from supervisor.signals import Signals
from supervisor.slot import Act, Chance, Deed, Desired, Rules, Seen, Slot
from supervisor.specs import ProcessSpec

log = get_logger()

EXIT_OK, EXIT_CRASH_LOOP = 0, 70
_STALL_S = 2.0
_STAGGER_S = 0.05
_HASTY_S = 4.0
"""How long children get after a second signal to stop: they are told to give up after 3 s."""


class Loop:
    """Runs the slots of `world.specs` until it is told to stop and all of them are down."""

    def __init__(
        self,
        world: World,
        rules: Rules,
        *,
        shutdown_deadline_s: float,
        exit_on_fatal: bool,
        myself: ProcessRecord,
        clock: Clock,
        sampler: Sampler,
        signals: Signals,
        on_settled: Callable[[Sequence[Slot]], None] | None = None,
    ) -> None:
        self._world = world
        self._rules = rules
        self._shutdown_deadline_s = shutdown_deadline_s
        self._exit_on_fatal = exit_on_fatal
        self._myself = myself
        self._clock = clock
        self._sampler = sampler
        self._signals = signals
        self._on_settled = on_settled
        self._stops_asked = 0
        self._why_stopping = ""
        self._end_s: float | None = None
        self._cut_short = False
        self._exit_code = EXIT_OK
        now_s = time.monotonic()
        self.slots = {
            name: _new_slot(spec, now_s + position * _STAGGER_S)
            for position, (name, spec) in enumerate(world.specs.items())
        }

    def run(self) -> int:
        """Turn until everything has stopped; the exit code."""
        while True:
            began_s = time.monotonic()
            for number in self._signals.take():
                self._answer(number, began_s)
            self._turn(began_s)
            if self._all_down(began_s):
                return self._exit_code or (EXIT_CUT_SHORT if self._cut_short else EXIT_OK)
            turned_s = time.monotonic()
            late_s = turned_s - began_s + self._sleep(turned_s)
            if late_s > _STALL_S:
                self._rebase(late_s)

    def _rebase(self, gap_s: float) -> None:
        log.warning("supervisor_stalled", seconds=round(gap_s, 1))
        self.slots = {name: rebase(slot, gap_s) for name, slot in self.slots.items()}
        if self._end_s is not None:
            self._end_s += gap_s

    # One turn

    def _turn(self, now_s: float) -> None:
        for name in self.slots:
            try:
                self._turn_slot(name, now_s)
            except Exception:  # one slot's trouble is not the others'
                log.exception("slot_turn_failed", slot=name)
        reap_adopted({child.pid for child in self._world.children.values()})
        self._world.recorder.turns += 1
        self._sampler.watch(self._pids())
        self._publish()
        slots = list(self.slots.values())
        if self._on_settled and all(_settled(slot) for slot in slots):
            self._on_settled(slots)
            self._on_settled = None
        if self._exit_on_fatal and any(slot.state is SlotState.FATAL for slot in slots):
            self._exit_code = EXIT_CRASH_LOOP
            if not self._stops_asked:
                self._stop("a slot is in a crash loop", now_s)

    def _turn_slot(self, name: str, now_s: float) -> None:
        seen = self._observe(name)
        chance = Chance(random.random(), secrets.token_hex(8), self._clock.wall_ms())
        slot, actions = decide(self.slots[name], seen, self._rules, now_s, chance)
        self.slots[name] = slot
        for action in actions:
            perform(self._world, name, action)

    def _observe(self, name: str) -> Seen:
        before = self._world.seen.get(name, Seen())
        child = self._world.children.get(name)
        if child is None:
            return before
        sample = self._sampler.latest.get(child.incarnation)
        row_beat = self._world.recorder.row_beats.get(child.incarnation)
        seen = observe(child, before, sample.os_status if sample else None, row_beat)
        self._world.seen[name] = seen
        if seen.exit is not None and self._stops_asked:
            self._cut_short |= was_cut_short(seen.exit)
        return seen

    # Stopping

    def _answer(self, number: int, now_s: float) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGHUP and not self._signals.terminal_gone():
            log.info("reload_ignored", reason="settings are read at start only: restart to apply")
        else:
            if number == signal.SIGQUIT:
                self._stops_asked = max(self._stops_asked, 1)
            self._stop(name, now_s)

    def _stop(self, why: str, now_s: float) -> None:
        """Want every slot down: in order at first, within 3 s when asked again, then at once."""
        self._stops_asked += 1
        allowed_s = {1: self._shutdown_deadline_s, 2: _HASTY_S}.get(self._stops_asked, 0.0)
        kill_at_s = now_s + allowed_s
        if self._end_s is None:
            body = {"slot": self._myself.slot, "pid": self._myself.pid, "reason": why}
            self._world.recorder.note(Kind.SUPERVISOR_STOPPING, body)
            self._why_stopping = why
        self._end_s = kill_at_s + self._rules.kill_wait_s
        log.info("supervisor_stopping", reason=why, within_s=allowed_s)
        for name, slot in self.slots.items():
            self.slots[name] = want(slot, Desired.DOWN, kill_at_s)
            if slot.life is not None and slot.state is SlotState.STOPPING:  # it was told before
                within_s = stop_within_s(self.slots[name], self._rules, now_s)
                perform(self._world, name, Act(Deed.TERMINATE, slot.life.incarnation, within_s))

    def _all_down(self, now_s: float) -> bool:
        if self._end_s is None:
            return False
        if all(slot.life is None for slot in self.slots.values()):
            return True
        if now_s < self._end_s:
            return False
        left = [slot.name for slot in self.slots.values() if slot.life is not None]
        log.error("left_behind", slots=left, reason="they did not end by SIGKILL")
        self._cut_short = True
        return True

    # Sleeping

    def _sleep(self, now_s: float) -> float:
        """Sleep until something stirs or a deadline; by how many seconds it was overslept."""
        wake_s = min(
            (next_wake_s(slot, self._rules, now_s) for slot in self.slots.values()),
            default=now_s + self._rules.beat_interval_s,
        )
        if self._end_s is not None:
            wake_s = min(wake_s, max(now_s, self._end_s))
        if any(seen.exit is not None for seen in self._world.seen.values()):
            wake_s = now_s  # a child that could not be started: seen in the next turn
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        for child in self._world.children.values():
            poll.register(child.pidfd, select.POLLIN)
            if not child.channel.closed:  # a closed one would be readable for ever
                poll.register(child.channel.fileno(), select.POLLIN)
        poll.poll(max(0.0, wake_s - now_s) * 1000 + 1)
        return max(0.0, time.monotonic() - wake_s)

    # What others may know

    def _pids(self) -> dict[str, int]:
        pids = {child.incarnation: child.pid for child in self._world.children.values()}
        return {self._myself.incarnation: self._myself.pid, **pids}

    def _publish(self) -> None:
        records = []
        for name, slot in self.slots.items():
            child = self._world.children.get(name)
            sample = self._sampler.latest.get(child.incarnation) if child else None
            records.append(slot_record(slot, child, sample))
        sample = self._sampler.latest.get(self._myself.incarnation)
        records.append(own_record(self._myself, sample, self._why_stopping))
        self._world.recorder.publish(records)


def _new_slot(spec: ProcessSpec, not_before_s: float) -> Slot:
    return replace(Slot(spec.slot, spec.pool, spec.role), not_before_s=not_before_s)


def _settled(slot: Slot) -> bool:
    """It is ready, or has failed once: waiting for it longer tells nobody anything."""
    return slot.state is SlotState.READY or slot.last_exit is not None
