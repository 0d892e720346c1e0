"""The main loop: take orders; observe, decide and act for each slot; then sleep.

It sleeps in one poll over the pidfds, the channels and the sources of orders, until one of them is
readable or the next deadline of a slot comes. All children beat at the same time, and one turn a
moment later reads their beats; a beat that comes later than that wakes it. It waits for nothing
else, so that no child, no database and no disk can delay it. If it was delayed all the same
(stopped, starved, suspended), it moves every deadline by that time before it judges any process.
"""

import random
import secrets
import select
import time
from collections.abc import Callable, Sequence
from threading import Lock

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import ProcessRecord, Role, SlotState, rejection
from orpheus.shared.errors import ExitCode
from orpheus.shared.logs import get_logger
from orpheus.shared.process.clock import Clock, next_multiple_s
from orpheus.supervisor.linux.adoption import (
    child_pids,
    incarnation_prefix,
    kill_adopted,
    reap_adopted,
)
from orpheus.supervisor.linux.sampling import LOOK_INTERVAL_S, Sampler
from orpheus.supervisor.linux.systemd import Notifier
from orpheus.supervisor.loop.act import Children
from orpheus.supervisor.loop.lock_holder import LockHolderCheck
from orpheus.supervisor.loop.observe import Observer
from orpheus.supervisor.loop.slot_records import (
    EndsOfStates,
    Stop,
    own_record,
    slot_record,
)
from orpheus.supervisor.plan.plan import Plan
from orpheus.supervisor.policy import fleet, order
from orpheus.supervisor.policy.exits import was_cut_short
from orpheus.supervisor.policy.slot import (
    Exit,
    Observation,
    ProcessCommand,
    SendCommand,
    Slot,
    Turn,
)
from orpheus.supervisor.policy.state_machine import (
    decide,
    may_speak,
    next_wake_s,
    rebase,
    stop_within_s,
)

log = get_logger()

_STALL_S = 2.0
_BEATS_ARRIVE_S = 0.05
"""How long after the time of the beats they are read; a tenth of the interval if that is less."""
_DESCRIBING_S = 1.0  # how long a check of the job modules may go on when everything else has ended
_SECOND_STOP_S = 4.0
"""How long children get after a second signal to stop: they are told to give up after 3 s."""


class Loop:
    """Runs the slots of a plan until it is asked to stop and all of them are down.

    `describing` is held while a child runs that another thread reaps (reload.py). `other_trouble`
    returns what is wrong with the supervisor's other threads; empty: nothing.
    """

    def __init__(
        self,
        children: Children,
        plan: Plan,
        *,
        myself: ProcessRecord,
        clock: Clock,
        sampler: Sampler,
        notifier: Notifier,
        describing: Lock,
        other_trouble: Callable[[], str] = str,
        on_settled: Callable[[Sequence[Slot]], None] | None = None,
    ) -> None:
        self.children = children
        self.plan = plan
        self.myself = myself
        self.clock = clock
        self.sampler = sampler
        self.notifier = notifier
        self.describing = describing
        self.other_trouble = other_trouble
        self.on_settled = on_settled
        self.slots: dict[str, Slot] = {}
        self.rejected: str | None = None
        """Why the newest configuration is not in force; None: it is."""
        self.status = "starting"
        """The state of the whole in one line."""
        self._lock_holder = LockHolderCheck()
        self._inherited = child_pids()
        self._sources: list[tuple[int, Callable[[], None]]] = []
        self._stop_requests = 0
        self._stop_told: Stop | None = None
        self._end_s: float | None = None
        self._kill_at_s = 0.0
        self._cut_short = False
        self._exit_code = ExitCode.OK
        self._ends = EndsOfStates()
        self._observer = Observer(sampler, children.recorder)
        self._prefix = incarnation_prefix(children.state)
        self.listen(children.bell_fd, children.turn)
        self.adopt(plan)

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop: then the only order it takes is to stop faster."""
        return self._end_s is not None

    def listen(self, fd: int, answer: Callable[[], None]) -> None:
        """Call `answer` in every turn, and wake up when `fd` is readable."""
        self._sources.append((fd, answer))

    def adopt(self, plan: Plan) -> None:
        """Use another plan from the next turn on."""
        self.plan = plan.after(self.plan, self.slots.values())
        self.children.adopt(plan.specs)
        self.slots = fleet.reconcile(self.slots, plan.specs.values(), time.monotonic())

    def run(self) -> int:
        """Turn until everything has stopped; return the exit code."""
        recorder = self.children.recorder
        while True:
            began_s = time.monotonic()
            for _, answer in self._sources:
                answer()
            self._turn(began_s)
            if self._all_down(began_s):
                self._kill_leftovers()
                return self._exit_code or (ExitCode.CUT_SHORT if self._cut_short else ExitCode.OK)
            turned_s = time.monotonic()
            self.notifier.turned(turned_s)
            late_s = turned_s - began_s + self._sleep(turned_s)
            recorder.loop_lags_s.append(late_s)
            if late_s > _STALL_S:
                self._rebase(late_s)

    def _kill_leftovers(self) -> None:
        """Kill the processes our children left to us, except a child that a thread waits for."""
        if self.describing.acquire(timeout=_DESCRIBING_S):
            self.describing.release()
        killed = kill_adopted({*self.children.own_pids(), *self._inherited})
        if killed:
            log.warning("leftovers_killed", pids=killed)

    def _rebase(self, gap_s: float) -> None:
        log.warning("supervisor_stalled", seconds=round(gap_s, 1))
        self.slots = {key: rebase(slot, gap_s) for key, slot in self.slots.items()}
        self.children.output.rebase(gap_s)
        if self._end_s is not None:
            self._kill_at_s, self._end_s = self._kill_at_s + gap_s, self._end_s + gap_s
        if self._stop_told:
            until_ms = self._stop_told.until_ms + round(gap_s * 1000)
            self._stop_told = self._stop_told._replace(until_ms=until_ms)

    # One turn

    def _turn(self, now_s: float) -> None:
        for key in list(self.slots):
            try:
                self._turn_slot(key, now_s)
            except Exception:  # an error in one slot must not stop the others
                log.exception("slot_turn_failed", slot=key)
        self._observer.memory_kills.look(now_s)
        rules = self.plan.rules_of(None)
        self.slots = (
            fleet.remove_ended(self._stopped())
            if self.is_stopping
            else fleet.advance(self.slots, rules, now_s, self.children.recorder.unfreed())
        )
        children = self.children.handles.values()
        pids = self.children.pids()
        if self.describing.acquire(blocking=False):
            try:
                reap_adopted(self.children.own_pids())
            finally:
                self.describing.release()
        self._lock_holder.check(self.sampler.holder, children, rules.lock_hold_s)
        self.children.output.judge(rules, now_s)
        self.children.recorder.turns += 1
        self.sampler.watch({self.myself.incarnation: self.myself.pid, **pids})
        self._publish(now_s)
        self._announce_settled()
        self._stop_on_crash_loop(now_s)

    def _turn_slot(self, key: str, now_s: float) -> None:
        before = self.slots[key]
        seen = self._observe(before, now_s)
        incarnation = self._prefix + secrets.token_hex(8)
        turn = Turn(now_s, random.random(), incarnation, self.clock.wall_ms())
        slot, actions = decide(before, seen, self.plan.rules_of(before), turn)
        self.slots[key] = slot
        for action in actions:
            self.children.perform(slot, action)

    def _observe(self, slot: Slot, now_s: float) -> Observation:
        if slot.process is None:
            return Observation()
        incarnation = slot.process.incarnation
        child = self.children.handles.get(incarnation)
        if child is None:
            error = self.children.start_errors.get(incarnation, "unknown error")
            return Observation(incarnation, exit=Exit(error=error))
        rules, serves = self.plan.rules_of(slot), slot.state is SlotState.READY
        seen = self._observer.observe(child, slot.process, rules, now_s, serves=serves)
        if seen.exit is not None and self._stop_requests:
            self._cut_short |= was_cut_short(seen.exit, slot.role)
        return seen

    def _announce_settled(self) -> None:
        slots = list(self.slots.values())
        if self.on_settled is None or self.is_stopping:
            return
        if not all(_settled(slot) for slot in slots):
            return
        announce, self.on_settled = self.on_settled, None
        self.notifier.ready(self.status)
        announce(slots)

    def _stop_on_crash_loop(self, now_s: float) -> None:
        is_fatal = any(
            slot.state is SlotState.FATAL and key == slot.name for key, slot in self.slots.items()
        )
        if self.plan.exit_on_fatal and is_fatal:
            self._exit_code = ExitCode.CRASH_LOOP
            if not self._stop_requests:
                self._stop("a slot is in a crash loop", now_s)

    # Stopping

    def stop(self, why: str, *, fast: bool = False) -> None:
        """Take every slot down: in order at first, within 3 s if called again, then at once.

        `fast`: as if it had been called before.
        """
        if fast:
            self._stop_requests = max(self._stop_requests, 1)
        self._stop(why, time.monotonic())

    def _stop(self, why: str, now_s: float) -> None:
        self._stop_requests += 1
        in_order_s = self.plan.shutdown_deadline_s
        allowed_s = {1: in_order_s, 2: _SECOND_STOP_S}.get(self._stop_requests, 0.0)
        kill_at_s = now_s + allowed_s
        rules = self.plan.rules_of(None)
        if self._end_s is None:
            body = {"slot": self.myself.slot, "pid": self.myself.pid, "reason": why}
            self.children.recorder.record(Kind.SUPERVISOR_STOPPING, body)
            self.notifier.stopping()
        self._kill_at_s, self._end_s = kill_at_s, kill_at_s + rules.kill_wait_s
        until_ms = self.clock.wall_ms() + round((self._end_s - now_s) * 1000)
        self._stop_told = Stop(self._stop_told.why if self._stop_told else why, until_ms)
        log.info("supervisor_stopping", reason=why, within_s=allowed_s)
        before, self.slots = self.slots, self._stopped()
        for key, slot in before.items():
            if slot.process is not None and slot.state is SlotState.STOPPING:  # with a longer time
                within_s = stop_within_s(self.slots[key], rules, now_s)
                again = SendCommand(ProcessCommand.TERMINATE, slot.process.incarnation, within_s)
                self.children.perform(slot, again)

    def _stopped(self) -> dict[str, Slot]:
        """Return the slots as they should be now: the first time, programs stop in their order."""
        return order.stop(self.slots, self._kill_at_s, in_order=self._stop_requests == 1)

    def _all_down(self, now_s: float) -> bool:
        if self._end_s is None:
            return False
        left = [slot.name for slot in self.slots.values() if slot.process is not None]
        if left and now_s < self._end_s:
            return False
        if left:
            log.error("left_behind", slots=left, reason="they did not end by SIGKILL")
            self._cut_short = True
        return True

    # Sleeping

    def _sleep(self, now_s: float) -> float:
        """Sleep until something is readable or a deadline comes; return how late it woke up."""
        wakes_s = [
            next_wake_s(slot, self.plan.rules_of(slot), now_s) for slot in self.slots.values()
        ]
        wakes_s.append(now_s + self.notifier.turn_every_s)
        interval_s = self.plan.rules_of(None).beat_interval_s
        arrive_s = min(_BEATS_ARRIVE_S, interval_s / 10)
        beats_s = next_multiple_s(now_s - arrive_s, interval_s)
        wakes_s.append(beats_s + arrive_s)
        if self.sampler.holder is not None:  # it may soon have held the write lock too long
            wakes_s.append(now_s + LOOK_INTERVAL_S)
        if self._end_s is not None:
            wakes_s.append(max(now_s, self._end_s))
        ends_s = (child.wakes_s() for child in self.children.handles.values())
        wakes_s += [max(now_s, end_s) for end_s in ends_s if end_s is not None]
        if self.children.start_errors:  # observed as an exit in the next turn
            wakes_s.append(now_s)
        wake_s = min(wakes_s)
        poll = select.poll()
        for fd, _ in self._sources:
            poll.register(fd, select.POLLIN)
        self._register_children(poll, beats_s - interval_s)
        poll.poll(max(0.0, wake_s - now_s) * 1000 + 1)
        return max(0.0, time.monotonic() - wake_s)

    def _register_children(self, poll: select.poll, beats_s: float) -> None:
        """Wake up at every exit, and at messages of children that may have something to say now."""
        can_wait = {
            slot.process.incarnation
            for slot in self.slots.values()
            if slot.process is not None and not may_speak(slot, beats_s)
        }
        for child in self.children.handles.values():
            child.register(poll, reads=child.incarnation not in can_wait)
        self.children.output.register(poll)

    # What others may know

    def _publish(self, now_s: float) -> None:
        records, wall_ms = [], self.clock.wall_ms()
        for key, slot in self.slots.items():
            if key != slot.name:  # a companion
                continue
            incarnation = slot.process.incarnation if slot.process else ""
            child = self.children.handles.get(incarnation)
            sample = self.sampler.latest.get(incarnation)
            rules = self.plan.rules_of(slot)
            until_ms = self._ends.until_ms(key, slot, rules, now_s, wall_ms)
            records.append(slot_record(self.myself.host, slot, child, sample, until_ms))
        sample = self.sampler.latest.get(self.myself.incarnation)
        troubles = (self._lock_holder.trouble, self.children.output.trouble, self.other_trouble())
        trouble = "; ".join(filter(None, troubles))
        records.append(own_record(self.myself, sample, self._stop_told, trouble, self.rejected))
        self.children.recorder.publish(records)
        self._update_status(trouble if self.rejected is None else rejection(self.rejected))

    def _update_status(self, trouble: str) -> None:
        """Update the line that `systemctl status` shows."""
        slots = self.slots.items()
        stays = [slot for key, slot in slots if key == slot.name and not slot.retired]
        workers = [slot for slot in stays if slot.role is Role.WORKER]
        ready = sum(slot.state is SlotState.READY for slot in workers)
        told = self._stop_told.why if self._stop_told else trouble
        status = told or f"{ready} of {len(workers)} workers ready"
        if status != self.status:
            self.status = status
            self.notifier.status(status)


def _settled(slot: Slot) -> bool:
    """Return whether it is ready, or has failed once: waiting longer would not help.

    A program that waits for another one settles with it.
    """
    return slot.state is SlotState.READY or slot.last_exit is not None or bool(slot.held_back)
