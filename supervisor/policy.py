"""PURE: the state machine of a slot. No I/O, no clock, no random number: all comes in as values.

    decide(slot, seen, rules, now_s, chance) -> (slot, actions)

A turn is: take in what was seen; if the life has ended, bury it and decide what follows from how
it ended; otherwise find the one trigger that holds now, and look up in TABLE what it leads to.
Nothing here waits for an answer: whatever became of an action is seen in a later turn.

What this shape prevents: a stop and a restart that race (`desired` is the only truth), a second
process in a slot (only DOWN, BACKOFF and FATAL start one, and they have no life), a timer that
strikes another life than its own (timers carry the incarnation), a restart storm (every exit is
classified, supervisor/exits.py), and live workers killed because the supervisor itself had slept
(`rebase`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from shared.events import Kind
from shared.processes import LastExit, SlotState
from supervisor.exits import ExitClass, classify, describe, signal_name
from supervisor.slot import (
    Act,
    Action,
    Bury,
    Chance,
    Deed,
    Desired,
    Exit,
    Life,
    OsStatus,
    Rules,
    Seen,
    Slot,
    Tell,
    Timer,
)

KEPT_EXITS = 5
"""So many of the latest exits of a slot are kept."""


class Trigger(StrEnum):
    """What can move a slot, exits apart."""

    WANTED = "wanted"
    UNWANTED = "not wanted"
    READY = "ready"
    RECYCLE = "asks to be replaced"
    HUNG = "hung"
    OVERDUE = "its job is past the hard deadline"
    TIMEOUT = "the state has lasted too long"
    SURVIVED = "still there after SIGKILL"
    NOW = "the shutdown's deadline has passed"


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

# Not here yet (issue 4): READY + replace -> DRAINING (rolling restart), DRAINING by an operator,
# BACKOFF and FATAL + operator -> STARTING, and the replacement of a STUCK life.
TABLE: dict[tuple[SlotState, Trigger], Row] = {
    (row.state, row.trigger): row
    for row in (
        Row(_S.DOWN, _T.WANTED, _S.STARTING, _D.SPAWN, _start, Kind.WORKER_STARTED),
        Row(_S.BACKOFF, _T.TIMEOUT, _S.STARTING, _D.SPAWN, _start, Kind.WORKER_STARTED),
        Row(_S.FATAL, _T.TIMEOUT, _S.STARTING, _D.SPAWN, _start, Kind.WORKER_STARTED),
        Row(_S.BACKOFF, _T.UNWANTED, _S.DOWN),
        Row(_S.FATAL, _T.UNWANTED, _S.DOWN),
        Row(_S.STARTING, _T.READY, _S.READY, tells=Kind.WORKER_READY),
        Row(_S.STARTING, _T.UNWANTED, _S.STOPPING, _D.TERMINATE, _stop),
        Row(_S.STARTING, _T.TIMEOUT, _S.KILLING, _D.ABORT, _abort, Kind.WORKER_HUNG),
        Row(_S.READY, _T.RECYCLE, _S.DRAINING, _D.DRAIN, _drain),
        Row(_S.READY, _T.UNWANTED, _S.STOPPING, _D.TERMINATE, _stop),
        Row(_S.READY, _T.HUNG, _S.KILLING, _D.ABORT, _abort, Kind.WORKER_HUNG),
        Row(_S.READY, _T.OVERDUE, _S.KILLING, _D.ABORT, _abort, Kind.WORKER_HUNG),
        Row(_S.DRAINING, _T.UNWANTED, _S.STOPPING, _D.TERMINATE, _stop),
        Row(_S.DRAINING, _T.TIMEOUT, _S.STOPPING, _D.TERMINATE, _stop),
        Row(_S.DRAINING, _T.HUNG, _S.KILLING, _D.ABORT, _abort, Kind.WORKER_HUNG),
        Row(_S.DRAINING, _T.OVERDUE, _S.KILLING, _D.ABORT, _abort, Kind.WORKER_HUNG),
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
        life = _take_in(slot.life, seen, now_s)
        slot = _settle(replace(slot, life=life), life, rules, now_s)
        if seen.exit is not None:
            return _after_exit(slot, life, seen.exit, rules, now_s, chance)
    found = _trigger(slot, rules, now_s)
    if found is None:
        return _watch(slot, rules, now_s)
    trigger, why = found
    return _enter(slot, TABLE[slot.state, trigger], why, rules, now_s, chance)


def want(slot: Slot, desired: Desired, kill_at_s: float | None = None) -> Slot:
    """Say what should be of a slot; with `kill_at_s`, whatever lives then is killed at once."""
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


def _take_in(life: Life, seen: Seen, now_s: float) -> Life:
    """What is known of a life after this observation. Ages count from when a number changed."""
    ready_s = life.ready_s
    if ready_s is None and seen.ready:
        ready_s = now_s
        life = replace(life, beat_s=now_s, loop_s=now_s, row_s=now_s)
    # A main loop that runs a job does not turn, nor does one that waits for the database.
    may_stand = seen.job is not None or not seen.database_ok
    return replace(
        life,
        ready_s=ready_s,
        beat=seen.beat,
        beat_s=now_s if seen.beat != life.beat else life.beat_s,
        loop=seen.loop,
        loop_s=now_s if seen.loop != life.loop or may_stand else life.loop_s,
        row_beat=seen.row_beat,
        row_s=now_s if seen.row_beat != life.row_beat else life.row_s,
        job=seen.job,
        database_ok=seen.database_ok,
        os_status=seen.os_status,
        recycle=life.recycle or seen.recycle,
        failed=life.failed or seen.failed,
    )


def _settle(slot: Slot, life: Life, rules: Rules, now_s: float) -> Slot:
    """A life that has been ready for a while forgives the failures before it."""
    if not slot.on_trial and slot.failures == 0:
        return slot
    return replace(slot, failures=0, on_trial=False) if _stable(life, rules, now_s) else slot


def _stable(life: Life, rules: Rules, now_s: float) -> bool:
    return life.ready_s is not None and now_s - life.ready_s >= rules.stable_s


def _trigger(slot: Slot, rules: Rules, now_s: float) -> tuple[Trigger, str] | None:
    """The one thing that moves the slot now, and why in words."""
    unwanted, due, life = slot.desired is Desired.DOWN, _due(slot, now_s), slot.life
    if life is None:
        return _trigger_without_life(slot, unwanted, due, now_s)
    if slot.kill_at_s is not None and now_s >= slot.kill_at_s and not life.killed:
        return Trigger.NOW, "the shutdown's deadline has passed"
    match slot.state:
        case SlotState.STARTING | SlotState.READY | SlotState.DRAINING if unwanted:
            return Trigger.UNWANTED, ""
        case SlotState.STARTING if life.ready_s is not None:
            return Trigger.READY, ""
        case SlotState.READY | SlotState.DRAINING if why := _overdue(life):
            return Trigger.OVERDUE, why
        case SlotState.READY | SlotState.DRAINING if why := _hung(life, rules, now_s):
            return Trigger.HUNG, why
        case SlotState.READY if life.recycle is not None:
            return Trigger.RECYCLE, life.recycle
    return _trigger_of_timer(slot.state, life, rules) if due else None


def _trigger_without_life(
    slot: Slot, unwanted: bool, due: bool, now_s: float
) -> tuple[Trigger, str] | None:
    match slot.state:
        case SlotState.DOWN if not unwanted and now_s >= slot.not_before_s:
            return Trigger.WANTED, ""
        case SlotState.BACKOFF | SlotState.FATAL if unwanted:
            return Trigger.UNWANTED, ""
        case SlotState.BACKOFF | SlotState.FATAL if due:
            return Trigger.TIMEOUT, ""
    return None


def _trigger_of_timer(state: SlotState, life: Life, rules: Rules) -> tuple[Trigger, str] | None:
    match state:
        case SlotState.STARTING:
            return Trigger.TIMEOUT, f"not ready within {rules.start_timeout_s:g} s"
        case SlotState.DRAINING:
            return Trigger.TIMEOUT, f"not drained within {rules.drain_timeout_s:g} s"
        case SlotState.STOPPING:
            return Trigger.TIMEOUT, f"not stopped within {rules.stop_timeout_s:g} s"
        case SlotState.KILLING if life.killed:
            return Trigger.SURVIVED, f"still there {rules.kill_wait_s:g} s after SIGKILL"
        case SlotState.KILLING:
            return Trigger.TIMEOUT, life.condemned or ""
    return None


def _due(slot: Slot, now_s: float) -> bool:
    incarnation = slot.life.incarnation if slot.life else None
    timer = slot.timer
    return timer is not None and timer.incarnation == incarnation and now_s >= timer.at_s


def _overdue(life: Life) -> str:
    job = life.job
    return f"job {job.id} ({job.type}) past its hard deadline" if job and job.overdue else ""


def _hung(life: Life, rules: Rules, now_s: float) -> str:
    """Why a ready life must be killed; empty where it lives, or may yet.

    A stale row alone never kills, nor a main loop that stands while the beats tell that it has no
    database. A stopped process gets SIGCONT and a beat's time first; one that waits for a disk
    cannot be helped by a signal.
    """
    beat_age_s, loop_age_s = now_s - life.beat_s, now_s - life.loop_s
    if beat_age_s >= rules.beat_timeout_s:
        continued_just_now = (
            life.continued_s is not None and now_s - life.continued_s < rules.beat_interval_s
        )
        may_be_continued = life.os_status is OsStatus.STOPPED and life.continued_s is None
        waits_for_disk = life.os_status is OsStatus.UNINTERRUPTIBLE
        if may_be_continued or waits_for_disk or continued_just_now:
            return ""
        return f"no heartbeat for {beat_age_s:.0f} s"
    if loop_age_s >= rules.beat_timeout_s and life.job is None:
        return f"main loop stuck for {loop_age_s:.0f} s"
    return ""


def _watch(slot: Slot, rules: Rules, now_s: float) -> tuple[Slot, tuple[Action, ...]]:
    """Nothing moves: say what is wrong with a life that is left alive, wake it if it is stopped."""
    life = slot.life
    if life is None or slot.state not in (SlotState.READY, SlotState.DRAINING):
        return replace(slot, degraded=""), ()
    stale = now_s - life.beat_s >= rules.beat_timeout_s
    if stale and life.os_status is OsStatus.STOPPED and life.continued_s is None:
        life = replace(life, continued_s=now_s)
        slot = replace(slot, life=life, degraded="it was stopped; sent SIGCONT")
        return slot, (Act(Deed.CONTINUE, life.incarnation),)
    return replace(slot, degraded=_degraded(life, stale, rules, now_s)), ()


def _degraded(life: Life, stale: bool, rules: Rules, now_s: float) -> str:
    if stale:
        return f"no heartbeat for {now_s - life.beat_s:.0f} s; {life.os_status}"
    if not life.database_ok:
        return "it cannot write to the database"
    if life.row_beat is not None and now_s - life.row_s >= rules.beat_timeout_s:
        return f"its heartbeat row is {now_s - life.row_s:.0f} s old"
    return ""


def _enter(
    slot: Slot, row: Row, why: str, rules: Rules, now_s: float, chance: Chance
) -> tuple[Slot, tuple[Action, ...]]:
    """Perform one row of the table."""
    life = slot.life
    if row.deed is Deed.SPAWN:
        life = Life(chance.incarnation, started_s=now_s)
        slot = replace(
            slot, starts=slot.starts + 1, on_trial=slot.state is SlotState.FATAL or slot.on_trial
        )
    elif life is not None and row.enters is SlotState.KILLING:
        life = replace(
            life,
            condemned=life.condemned or why,
            overdue=life.overdue or row.trigger is Trigger.OVERDUE,
            killed=row.deed is Deed.KILL,
        )
    incarnation = life.incarnation if life else None
    timer = Timer(now_s + row.timer(rules), incarnation) if row.timer else None
    slot = replace(slot, state=row.enters, reason=why, degraded="", life=life, timer=timer)
    actions: list[Action] = []
    if row.deed is not None and incarnation is not None:
        stopping = row.deed is Deed.TERMINATE
        within_s = stop_within_s(slot, rules, now_s) if stopping else None
        actions.append(Act(row.deed, incarnation, within_s))
    if row.tells is not None:
        actions.append(Tell(row.tells, incarnation, why))
    return slot, tuple(actions)


def _after_exit(
    slot: Slot, life: Life, exit: Exit, rules: Rules, now_s: float, chance: Chance
) -> tuple[Slot, tuple[Action, ...]]:
    """Bury a life, and move its slot to what follows from how it ended."""
    kind = classify(slot, life, exit, rules, now_s)
    reason = describe(slot, life, exit)
    last_exit = LastExit(
        at_ms=chance.wall_ms,
        reason=reason,
        signal=None if exit.signal is None else signal_name(exit.signal),
        code=exit.code,
        evidence=exit.evidence,
        uptime_s=round(now_s - life.started_s, 3),
    )
    actions: list[Action] = [Tell(Kind.WORKER_EXITED, life.incarnation, reason, _facts(last_exit))]
    if life.recycle is not None:
        floor_s = now_s - rules.recycle_window_s
        recent = tuple(at_s for at_s in slot.recycles_s if at_s > floor_s)
        slot = replace(slot, recycles_s=(*recent, now_s))
    ended = replace(
        slot,
        state=SlotState.DOWN,
        life=None,
        timer=None,
        reason=reason,
        degraded="",
        exits=(last_exit, *slot.exits)[:KEPT_EXITS],
    )
    match kind:
        case ExitClass.CONFIGURATION:
            slot = _fatal(ended, reason, rules, now_s)
        case ExitClass.COUNTED:
            slot = _after_failure(ended, life, rules, now_s, chance)
        case _:
            slot = ended  # down; started at once in the next turn if it is still wanted
    if slot.state is SlotState.FATAL:
        actions.append(Tell(Kind.WORKER_FATAL, life.incarnation, slot.reason))
    return slot, (*actions, Bury(life.incarnation, life.overdue, last_exit))


def _after_failure(slot: Slot, life: Life, rules: Rules, now_s: float, chance: Chance) -> Slot:
    stable = _stable(life, rules, now_s)
    floor_s = now_s - rules.crash_loop_window_s
    recent = tuple(at_s for at_s in slot.crashes_s if at_s > floor_s)
    if not stable:
        recent = (*recent, now_s)
    failures = 1 if stable else slot.failures + 1
    slot = replace(slot, failures=failures, crashes_s=recent)
    if slot.on_trial and not stable:
        return _fatal(slot, f"its one try failed: {slot.reason}", rules, now_s)
    if len(recent) >= rules.crash_loop_failures:
        times = f"{len(recent)} failures within {rules.crash_loop_window_s:g} s"
        return _fatal(slot, f"{times}; the last: {slot.reason}", rules, now_s)
    delay_s = _restart_delay_s(failures, rules, chance.uniform)
    return replace(slot, state=SlotState.BACKOFF, timer=Timer(now_s + delay_s, None))


def _fatal(slot: Slot, reason: str, rules: Rules, now_s: float) -> Slot:
    return replace(
        slot,
        state=SlotState.FATAL,
        reason=reason,
        timer=Timer(now_s + rules.fatal_retry_s, None),
        crashes_s=(),
        on_trial=False,
    )


def _restart_delay_s(failures: int, rules: Rules, uniform: float) -> float:
    doubled_s = rules.backoff_base_s * 2.0 ** min(failures - 1, 30)
    return min(rules.backoff_max_s, doubled_s) * (0.5 + uniform / 2)


def _facts(last_exit: LastExit) -> dict[str, object]:
    facts = {"signal": last_exit.signal, "code": last_exit.code, "evidence": last_exit.evidence}
    return {name: value for name, value in facts.items() if value is not None}
