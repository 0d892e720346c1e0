"""PURE: the state machine of a slot. No I/O, no clock, no random number: all comes in as values.

    decide(slot, seen, rules, now_s, chance) -> (slot, actions)

A turn is: take in what was seen; if the life has ended, bury it and decide what follows from how
it ended; otherwise find the one trigger that holds now, and look up in TABLE what it leads to.
Nothing here waits for an answer: whatever became of an action is seen in a later turn.

What this shape prevents: a stop and a restart that race (`desired` is the only truth), a second
process in a slot (only DOWN, BACKOFF and FATAL start one, and they have no life), a timer that
strikes another life than its own (timers carry the incarnation), a restart storm (every exit is
classified, supervisor/policy/exits.py), and live workers killed because the supervisor itself
had slept (`rebase`). What slots owe to each other is in supervisor/policy/fleet.py; whether a life
is well, in supervisor/policy/liveness.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import SlotState
from orpheus.supervisor.policy.aftermath import after_exit, fence
from orpheus.supervisor.policy.liveness import (
    blocks_everyone,
    degradation,
    is_stable,
    judge,
    may_be_continued,
    take_in,
)
from orpheus.supervisor.policy.slot import (
    Act,
    Action,
    Cause,
    Chance,
    Deed,
    Desired,
    Life,
    Rules,
    Seen,
    Slot,
    Tell,
    Timer,
)


class Trigger(StrEnum):
    """What can move a slot, exits apart."""

    WANTED = "wanted"
    UNWANTED = "not wanted"
    DRAIN = "to be drained"
    REPLACE = "to be replaced"
    READY = "ready"
    RECYCLE = "past a limit, or asks to be replaced"
    CONDEMNED = "hung, past a hard limit, or in everybody's way"
    TIMEOUT = "the state has lasted too long"
    SURVIVED = "still there after SIGKILL"
    NOW = "the shutdown's deadline has passed"


class Found(NamedTuple):
    """The trigger that holds now, and why in words; `verdict`: the life's own fault."""

    trigger: Trigger
    why: str
    verdict: Cause | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """`trigger` in `state` leads to `enters`; `deed` is done, and `timer` limits the new state."""

    state: SlotState
    trigger: Trigger
    enters: SlotState
    deed: Deed | None = None
    timer: Callable[[Rules], float] | None = None
    tells: Kind | None = None


def _start(r: Rules) -> float:
    return r.start_timeout_s


def _drain(r: Rules) -> float:
    return r.drain_timeout_s


def _stop(r: Rules) -> float:
    return r.stop_timeout_s


def _abort(r: Rules) -> float:
    return r.abort_wait_s


def _kill(r: Rules) -> float:
    return r.kill_wait_s


_S, _T, _D = SlotState, Trigger, Deed

TABLE: dict[tuple[SlotState, Trigger], Row] = {
    (row.state, row.trigger): row
    for row in (
        *(
            Row(state, trigger, _S.STARTING, _D.SPAWN, _start, Kind.WORKER_STARTED)
            for state, trigger in (
                (_S.DOWN, _T.WANTED),
                (_S.BACKOFF, _T.TIMEOUT),
                (_S.BACKOFF, _T.REPLACE),
                (_S.FATAL, _T.TIMEOUT),
                (_S.FATAL, _T.REPLACE),
            )
        ),
        Row(_S.BACKOFF, _T.UNWANTED, _S.DOWN),
        Row(_S.FATAL, _T.UNWANTED, _S.DOWN),
        Row(_S.STARTING, _T.READY, _S.READY, tells=Kind.WORKER_READY),
        Row(_S.STARTING, _T.UNWANTED, _S.STOPPING, _D.TERMINATE, _stop),
        Row(_S.STARTING, _T.REPLACE, _S.STOPPING, _D.TERMINATE, _stop),
        Row(_S.STARTING, _T.TIMEOUT, _S.KILLING, _D.ABORT, _abort, Kind.WORKER_HUNG),
        Row(_S.STARTING, _T.CONDEMNED, _S.KILLING, _D.ABORT, _abort, Kind.WORKER_HUNG),
        Row(_S.READY, _T.UNWANTED, _S.STOPPING, _D.TERMINATE, _stop),
        Row(_S.READY, _T.DRAIN, _S.DRAINING, _D.DRAIN, _drain),
        Row(_S.READY, _T.REPLACE, _S.DRAINING, _D.DRAIN, _drain),
        Row(_S.READY, _T.RECYCLE, _S.DRAINING, _D.DRAIN, _drain),
        Row(_S.READY, _T.CONDEMNED, _S.KILLING, _D.ABORT, _abort, Kind.WORKER_HUNG),
        Row(_S.DRAINING, _T.UNWANTED, _S.STOPPING, _D.TERMINATE, _stop),
        Row(_S.DRAINING, _T.TIMEOUT, _S.STOPPING, _D.TERMINATE, _stop),
        Row(_S.DRAINING, _T.CONDEMNED, _S.KILLING, _D.ABORT, _abort, Kind.WORKER_HUNG),
        Row(_S.STOPPING, _T.CONDEMNED, _S.KILLING, _D.ABORT, _abort, Kind.WORKER_HUNG),
        Row(_S.STOPPING, _T.TIMEOUT, _S.KILLING, _D.ABORT, _abort),
        Row(_S.KILLING, _T.TIMEOUT, _S.KILLING, _D.KILL, _kill),
        Row(_S.KILLING, _T.SURVIVED, _S.STUCK, tells=Kind.WORKER_HUNG),
        *(
            Row(state, _T.NOW, _S.KILLING, _D.KILL, _kill)
            for state in (_S.STARTING, _S.READY, _S.DRAINING, _S.STOPPING, _S.KILLING)
        ),
    )
}


def decide(
    slot: Slot, seen: Seen, rules: Rules, now_s: float, chance: Chance
) -> tuple[Slot, tuple[Action, ...]]:
    """One turn of one slot: its next state, and what is to be done now, in this order."""
    if slot.life is not None and seen.incarnation == slot.life.incarnation:
        life = take_in(slot.life, seen, rules, now_s)
        slot = _settle(replace(slot, life=life), life, rules, now_s)
        if seen.exit is not None:
            return after_exit(slot, life, seen.exit, rules, now_s, chance)
    found = _trigger(slot, rules, now_s)
    if found is None:
        return _watch(slot, rules, now_s)
    return _enter(slot, TABLE[slot.state, found.trigger], found, rules, now_s, chance)


_LEAVING = (SlotState.DRAINING, SlotState.STOPPING, SlotState.KILLING, SlotState.STUCK)


def want(slot: Slot, desired: Desired, kill_at_s: float | None = None) -> Slot:
    """Say what should be of a slot; with `kill_at_s`, whatever lives then is killed at once.

    Wanted up again while its life is on the way down, it is replaced: that life was told to end.
    """
    is_leaving = slot.life is not None and slot.desired in (Desired.DOWN, Desired.DRAINED)
    if desired is Desired.UP and is_leaving and slot.state in _LEAVING:
        desired = Desired.REPLACE
    return replace(slot, desired=desired, kill_at_s=kill_at_s)


def rebase(slot: Slot, gap_s: float) -> Slot:
    """Shift every deadline and age by the time during which the supervisor itself stood still.

    Whoever did not look cannot say that nothing happened (gunicorn's and solid_queue's live
    workers killed after a suspend or under load).
    """
    life = slot.life
    if life is not None:
        life = replace(
            life,
            started_s=life.started_s + gap_s,
            ready_s=_shifted(life.ready_s, gap_s),
            beat_s=life.beat_s + gap_s,
            loop_s=life.loop_s + gap_s,
            row_s=life.row_s + gap_s,
            continued_s=_shifted(life.continued_s, gap_s),
        )
    timer = slot.timer and replace(slot.timer, at_s=slot.timer.at_s + gap_s)
    return replace(slot, life=life, timer=timer, kill_at_s=_shifted(slot.kill_at_s, gap_s))


def stop_within_s(slot: Slot, rules: Rules, now_s: float) -> float:
    """How long a process that is told to stop now may go on with what it does.

    Shorter than what it has until it is killed, so that it gives back what is unfinished itself.
    """
    left_s = rules.stop_timeout_s
    if slot.kill_at_s is not None:
        left_s = min(left_s, slot.kill_at_s - now_s)
    return max(0.0, left_s - rules.stop_margin_s)


def next_wake_s(slot: Slot, rules: Rules, now_s: float) -> float:
    """When `decide` may have something to do for `slot` although nothing happens until then.

    `now_s` if there is something already: one turn makes one step.
    """
    if _trigger(slot, rules, now_s) is not None:
        return now_s
    times_s = [slot.not_before_s]
    if slot.timer is not None:
        times_s.append(slot.timer.at_s)
    life = slot.life
    if life is not None:
        if slot.kill_at_s is not None:
            times_s.append(slot.kill_at_s)
        if life.ready_s is not None:
            ages_s = (life.beat_s, life.loop_s, life.row_s)
            times_s += [at_s + rules.beat_timeout_s for at_s in ages_s]
        if life.continued_s is not None:
            times_s.append(life.continued_s + rules.beat_interval_s)
    safety_poll_s = now_s + min(rules.beat_interval_s, rules.beat_timeout_s / 3)
    return min((at_s for at_s in times_s if now_s < at_s < safety_poll_s), default=safety_poll_s)


def _shifted(at_s: float | None, gap_s: float) -> float | None:
    return None if at_s is None else at_s + gap_s


def _settle(slot: Slot, life: Life, rules: Rules, now_s: float) -> Slot:
    """A life that has been ready for a while forgives the failures before it."""
    if (slot.on_trial or slot.failures) and is_stable(life, rules, now_s):
        return replace(slot, failures=0, on_trial=False)
    return slot


def _trigger(slot: Slot, rules: Rules, now_s: float) -> Found | None:
    """The one thing that moves the slot now."""
    due, life, state = _due(slot, now_s), slot.life, slot.state
    if life is None:
        return _trigger_without_life(slot, due, now_s)
    if slot.kill_at_s is not None and now_s >= slot.kill_at_s and not life.killed:
        return Found(Trigger.NOW, "the shutdown's deadline has passed")
    match state:
        case SlotState.STARTING:
            found = _trigger_of_start(slot, life, rules)
        case SlotState.READY | SlotState.DRAINING:
            found = _trigger_of_work(slot, life, rules, now_s)
        case SlotState.STOPPING if why := blocks_everyone(life, rules):
            found = Found(Trigger.CONDEMNED, why, Cause.HUNG)
        case _:
            found = None
    return found or (_trigger_of_timer(state, life, rules) if due else None)


def _trigger_without_life(slot: Slot, due: bool, now_s: float) -> Found | None:
    unwanted = slot.desired in (Desired.DOWN, Desired.DRAINED)
    match slot.state:
        case SlotState.DOWN if unwanted or now_s < slot.not_before_s or slot.held_back:
            return None
        case SlotState.DOWN:
            return Found(Trigger.WANTED, "")
        case SlotState.BACKOFF | SlotState.FATAL if unwanted:
            return Found(Trigger.UNWANTED, "")
        case SlotState.BACKOFF | SlotState.FATAL if slot.desired is Desired.REPLACE:
            return Found(Trigger.REPLACE, "")
        case SlotState.BACKOFF | SlotState.FATAL if due and not slot.held_back:
            return Found(Trigger.TIMEOUT, "")
    return None


def _trigger_of_start(slot: Slot, life: Life, rules: Rules) -> Found | None:
    if slot.desired in (Desired.DOWN, Desired.DRAINED):
        return Found(Trigger.UNWANTED, "")
    if slot.desired is Desired.REPLACE:
        return Found(Trigger.REPLACE, "")
    if life.ready_s is not None:
        return Found(Trigger.READY, "")
    if why := blocks_everyone(life, rules):
        return Found(Trigger.CONDEMNED, why, Cause.HUNG)
    return None


_NO_LONGER_WANTED = {
    Desired.DRAINED: Found(Trigger.DRAIN, "drained; it stays down until it is restarted"),
    Desired.REPLACE: Found(Trigger.REPLACE, "being replaced"),
}


def _trigger_of_work(slot: Slot, life: Life, rules: Rules, now_s: float) -> Found | None:
    if slot.desired is Desired.DOWN:
        return Found(Trigger.UNWANTED, "")
    verdict = judge(life, rules, now_s)
    if verdict is not None:
        return Found(Trigger.CONDEMNED, verdict.why, verdict.cause)
    if slot.state is SlotState.DRAINING:
        return None
    if slot.desired in _NO_LONGER_WANTED:
        return _NO_LONGER_WANTED[slot.desired]
    return None if life.recycle is None else Found(Trigger.RECYCLE, life.recycle)


def _trigger_of_timer(state: SlotState, life: Life, rules: Rules) -> Found | None:
    match state:
        case SlotState.STARTING:
            why = f"not ready within {rules.start_timeout_s:g} s"
            return Found(Trigger.TIMEOUT, why, Cause.START_TIMEOUT)
        case SlotState.DRAINING:
            return Found(Trigger.TIMEOUT, f"not drained within {rules.drain_timeout_s:g} s")
        case SlotState.STOPPING:
            return Found(Trigger.TIMEOUT, f"not stopped within {rules.stop_timeout_s:g} s")
        case SlotState.KILLING if life.killed:
            return Found(Trigger.SURVIVED, f"still there {rules.kill_wait_s:g} s after SIGKILL")
        case SlotState.KILLING:
            return Found(Trigger.TIMEOUT, life.condemned or "")
    return None


def _due(slot: Slot, now_s: float) -> bool:
    incarnation = slot.life.incarnation if slot.life else None
    timer = slot.timer
    return timer is not None and timer.incarnation == incarnation and now_s >= timer.at_s


def _watch(slot: Slot, rules: Rules, now_s: float) -> tuple[Slot, tuple[Action, ...]]:
    """Nothing moves: say what is wrong with a life that is left alive, wake it if it is stopped."""
    life = slot.life
    if life is None or slot.state not in (SlotState.READY, SlotState.DRAINING):
        return replace(slot, degraded="") if slot.degraded else slot, ()
    if now_s - life.beat_s >= rules.beat_timeout_s and may_be_continued(life):
        life = replace(life, continued_s=now_s)
        slot = replace(slot, life=life, degraded="it was stopped; sent SIGCONT")
        return slot, (Act(Deed.CONTINUE, life.incarnation),)
    degraded = degradation(life, rules, now_s)
    return slot if degraded == slot.degraded else replace(slot, degraded=degraded), ()


def _enter(
    slot: Slot, row: Row, found: Found, rules: Rules, now_s: float, chance: Chance
) -> tuple[Slot, tuple[Action, ...]]:
    """Perform one row of the table."""
    life = slot.life
    if row.deed is Deed.SPAWN:
        life = _born(slot, rules, now_s, chance)
        slot = _started(slot)
    elif life is not None and row.enters is SlotState.KILLING:
        life = replace(
            life,
            condemned=life.condemned or found.why,
            verdict=life.verdict or found.verdict,
            killed=row.deed is Deed.KILL,
        )
    incarnation = life.incarnation if life else None
    timer = Timer(now_s + row.timer(rules), incarnation) if row.timer else None
    slot = replace(slot, state=row.enters, reason=found.why, degraded="", life=life, timer=timer)
    actions: list[Action] = []
    if row.deed is not None and incarnation is not None:
        stopping = row.deed is Deed.TERMINATE
        within_s = stop_within_s(slot, rules, now_s) if stopping else None
        actions.append(Act(row.deed, incarnation, within_s))
    if row.tells is not None:
        actions.append(Tell(row.tells, incarnation, found.why))
    if row.trigger is Trigger.SURVIVED and life is not None:
        actions.append(fence(life, found.why, now_s, chance))
    return slot, tuple(actions)


def _born(slot: Slot, rules: Rules, now_s: float, chance: Chance) -> Life:
    max_age_s = rules.max_age_s * (0.9 + chance.uniform / 10)
    return Life(chance.incarnation, started_s=now_s, runs=slot.runs, max_age_s=max_age_s)


def _started(slot: Slot) -> Slot:
    """The slot as it goes on with a new life; one that an operator restarts begins anew."""
    by_operator = slot.desired is Desired.REPLACE
    slot = replace(
        slot,
        starts=slot.starts + 1,
        desired=Desired.UP,
        on_trial=slot.state is SlotState.FATAL or slot.on_trial,
    )
    return replace(slot, failures=0, crashes_s=(), on_trial=False) if by_operator else slot
