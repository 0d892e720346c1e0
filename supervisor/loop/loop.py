"""The main loop: hear orders, then for each slot observe, decide, act; then sleep.

It sleeps in one poll over the pidfds, the channels and whatever orders come from, until one of them
stirs or the next deadline of a slot comes. It waits for nothing else, so that no child, no database
and no disk can make it late. When it was late itself (stopped, starved, suspended), it moves every
deadline by as much before it judges anyone.
"""

import random
import secrets
import select
import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import ProcessRecord, SlotState, rejection
from orpheus.shared.errors import ExitCode
from orpheus.shared.logs import get_logger
from orpheus.shared.process.clock import Clock
from orpheus.supervisor.linux.adoption import children, family_of, kill_adopted, reap_adopted
from orpheus.supervisor.linux.sampling import Sampler
from orpheus.supervisor.linux.systemd import Notifier
from orpheus.supervisor.loop.act import World, perform
from orpheus.supervisor.loop.bystanders import Bystanders
from orpheus.supervisor.loop.observe import Outside, observe
from orpheus.supervisor.loop.report import own_record, slot_record
from orpheus.supervisor.plan.plan import Plan
from orpheus.supervisor.policy import fleet
from orpheus.supervisor.policy.exits import was_cut_short
from orpheus.supervisor.policy.slot import Act, Action, Chance, Deed, Desired, Seen, Slot
from orpheus.supervisor.policy.state_machine import decide, next_wake_s, rebase, stop_within_s, want

log = get_logger()

_STALL_S = 2.0
_DESCRIBING_S = 1.0  # how long job modules may go on being described when all the rest has ended
_HASTY_S = 4.0
"""How long children get after a second signal to stop: they are told to give up after 3 s."""


class Readable(Protocol):
    """Something to wait on for reading."""

    def fileno(self) -> int:
        """Its descriptor."""
        ...


class Loop:
    """Runs the slots of a plan until it is told to stop and all of them are down."""

    def __init__(
        self,
        world: World,
        plan: Plan,
        *,
        myself: ProcessRecord,
        clock: Clock,
        sampler: Sampler,
        notifier: Notifier,
        describing: Lock,
        on_settled: Callable[[Sequence[Slot]], None] | None = None,
    ) -> None:
        """`describing`: held while a child lives that another thread reaps (reload.py)."""
        self.slots: dict[str, Slot] = {}
        self.rejected: str | None = None
        """Why the newest configuration is not in force; None: it is."""
        self._world = world
        self._myself = myself
        self._clock = clock
        self._sampler = sampler
        self._notifier = notifier
        self._describing = describing
        self._on_settled = on_settled
        self._bystanders = Bystanders(sampler)
        self._inherited = children()
        self._family = family_of(world.database)
        self._sources: list[tuple[Readable, Callable[[], None]]] = []
        self._stops_asked = 0
        self._why_stopping = ""
        self.status = "starting"
        """One line about how all of it is doing."""
        self._end_s: float | None = None
        self._cut_short = False
        self._exit_code = ExitCode.OK
        self.adopt(plan)

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop: no order counts any more but to stop faster."""
        return self._end_s is not None

    def listen(self, source: Readable, answer: Callable[[], None]) -> None:
        """Call `answer` in every turn, and wake up when `source` is readable."""
        self._sources.append((source, answer))

    def adopt(self, plan: Plan) -> None:
        """Go by another plan from the next turn on."""
        self._plan = plan
        self._world.specs = plan.specs
        self.slots = fleet.arrange(self.slots, plan.places(), time.monotonic())

    def perform(self, slot: Slot, action: Action) -> None:
        """Do something to a slot's life that changes nothing about it."""
        perform(self._world, slot, action)

    def run(self) -> int:
        """Turn until everything has stopped; the exit code."""
        while True:
            began_s = time.monotonic()
            for _, answer in self._sources:
                answer()
            self._turn(began_s)
            if self._all_down(began_s):
                self._kill_leftovers()
                return self._exit_code or (ExitCode.CUT_SHORT if self._cut_short else ExitCode.OK)
            turned_s = time.monotonic()
            self._notifier.turned(turned_s)
            late_s = turned_s - began_s + self._sleep(turned_s)
            recorder = self._world.recorder
            recorder.loop_lag_s = max(recorder.loop_lag_s, late_s)
            if late_s > _STALL_S:
                self._rebase(late_s)

    def _kill_leftovers(self) -> None:
        """End what our children left to us, but for a child that another thread waits for."""
        if self._describing.acquire(timeout=_DESCRIBING_S):
            self._describing.release()
        killed = kill_adopted(self._own_pids() | self._inherited)
        if killed:
            log.warning("leftovers_killed", pids=killed)

    def _rebase(self, gap_s: float) -> None:
        log.warning("supervisor_stalled", seconds=round(gap_s, 1))
        self.slots = {key: rebase(slot, gap_s) for key, slot in self.slots.items()}
        if self._end_s is not None:
            self._end_s += gap_s

    # One turn

    def _turn(self, now_s: float) -> None:
        for key in list(self.slots):
            try:
                self._turn_slot(key, now_s)
            except Exception:  # one slot's trouble is not the others'
                log.exception("slot_turn_failed", slot=key)
        self.slots = (
            fleet.swept(self.slots)
            if self.is_stopping
            else fleet.advance(self.slots, self._plan.rules_of(None), now_s)
        )
        if self._describing.acquire(blocking=False):
            try:
                reap_adopted(self._own_pids())
            finally:
                self._describing.release()
        self._bystanders.look(self._world.children.values(), self._plan.rules_of(None).lock_hold_s)
        self._world.recorder.turns += 1
        self._sampler.watch(self._pids())
        self._publish()
        self._tell_settled()
        self._end_if_hopeless(now_s)

    def _tell_settled(self) -> None:
        slots = list(self.slots.values())
        if self._on_settled and all(_settled(slot) for slot in slots):
            self._on_settled(slots)
            self._on_settled = None
            self._notifier.ready(self.status)

    def _end_if_hopeless(self, now_s: float) -> None:
        hopeless = any(
            slot.state is SlotState.FATAL and key == slot.name for key, slot in self.slots.items()
        )
        if self._plan.exit_on_fatal and hopeless:
            self._exit_code = ExitCode.CRASH_LOOP
            if not self._stops_asked:
                self._stop("a slot is in a crash loop", now_s)

    def _turn_slot(self, key: str, now_s: float) -> None:
        before = self.slots[key]
        seen = self._observe(before)
        rules = self._plan.rules_of(before.pool)
        incarnation = self._family + secrets.token_hex(8)
        chance = Chance(random.random(), incarnation, self._clock.wall_ms())
        slot, actions = decide(before, seen, rules, now_s, chance)
        self.slots[key] = slot
        for action in actions:
            perform(self._world, slot, action)

    def _observe(self, slot: Slot) -> Seen:
        if slot.life is None:
            return Seen()
        incarnation = slot.life.incarnation
        before = self._world.seen.get(incarnation, Seen())
        child = self._world.children.get(incarnation)
        if child is None:  # it could not be started
            return before
        outside = Outside(
            self._sampler.latest.get(incarnation),
            self._world.recorder.row_beats.get(incarnation),
            self._sampler.holder,
        )
        seen = observe(child, before, outside, self._bystanders.killed_for_memory)
        self._world.seen[incarnation] = seen
        if seen.exit is not None and self._stops_asked:
            self._cut_short |= was_cut_short(seen.exit)
        return seen

    # Stopping

    def stop(self, why: str, *, hasty: bool = False) -> None:
        """Want every slot down: in order at first, within 3 s when asked again, then at once.

        `hasty`: as if it had been asked before.
        """
        if hasty:
            self._stops_asked = max(self._stops_asked, 1)
        self._stop(why, time.monotonic())

    def _stop(self, why: str, now_s: float) -> None:
        self._stops_asked += 1
        in_order_s = self._plan.shutdown_deadline_s
        allowed_s = {1: in_order_s, 2: _HASTY_S}.get(self._stops_asked, 0.0)
        kill_at_s = now_s + allowed_s
        rules = self._plan.rules_of(None)
        if self._end_s is None:
            body = {"slot": self._myself.slot, "pid": self._myself.pid, "reason": why}
            self._world.recorder.note(Kind.SUPERVISOR_STOPPING, body)
            self._notifier.stopping()
            self._why_stopping = why
        self._end_s = kill_at_s + rules.kill_wait_s
        log.info("supervisor_stopping", reason=why, within_s=allowed_s)
        for key, slot in self.slots.items():
            self.slots[key] = want(slot, Desired.DOWN, kill_at_s)
            if slot.life is not None and slot.state is SlotState.STOPPING:  # it was told before
                within_s = stop_within_s(self.slots[key], rules, now_s)
                perform(self._world, slot, Act(Deed.TERMINATE, slot.life.incarnation, within_s))

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
            (
                next_wake_s(slot, self._plan.rules_of(slot.pool), now_s)
                for slot in self.slots.values()
            ),
            default=now_s + self._plan.rules_of(None).beat_interval_s,
        )
        wake_s = min(wake_s, now_s + self._notifier.turn_every_s)
        if self._end_s is not None:
            wake_s = min(wake_s, max(now_s, self._end_s))
        if any(seen.exit is not None for seen in self._world.seen.values()):
            wake_s = now_s  # a child that could not be started: seen in the next turn
        poll = select.poll()
        for source, _ in self._sources:
            poll.register(source, select.POLLIN)
        for child in self._world.children.values():
            poll.register(child.pidfd, select.POLLIN)
            if not child.channel.closed:  # a closed one would be readable for ever
                poll.register(child.channel.fileno(), select.POLLIN)
        poll.poll(max(0.0, wake_s - now_s) * 1000 + 1)
        return max(0.0, time.monotonic() - wake_s)

    # What others may know

    def _own_pids(self) -> set[int]:
        return {child.pid for child in self._world.children.values()}

    def _pids(self) -> dict[str, int]:
        pids = {child.incarnation: child.pid for child in self._world.children.values()}
        return {self._myself.incarnation: self._myself.pid, **pids}

    def _publish(self) -> None:
        records = []
        for key, slot in self.slots.items():
            if key != slot.name:  # a companion
                continue
            incarnation = slot.life.incarnation if slot.life else ""
            child = self._world.children.get(incarnation)
            records.append(slot_record(slot, child, self._sampler.latest.get(incarnation)))
        sample = self._sampler.latest.get(self._myself.incarnation)
        trouble = self._bystanders.trouble
        records.append(own_record(self._myself, sample, self._why_stopping, trouble, self.rejected))
        self._world.recorder.publish(records)
        self._tell_status(trouble if self.rejected is None else rejection(self.rejected))

    def _tell_status(self, trouble: str) -> None:
        """The line of `systemctl status`, when it changes."""
        workers = [s for key, s in self.slots.items() if s.pool is not None and key == s.name]
        ready = sum(slot.state is SlotState.READY for slot in workers)
        status = self._why_stopping or trouble or f"{ready} of {len(workers)} workers ready"
        if status != self.status:
            self.status = status
            self._notifier.status(status)


def _settled(slot: Slot) -> bool:
    """It is ready, or has failed once: waiting for it longer tells nobody anything."""
    return slot.state is SlotState.READY or slot.last_exit is not None
